//! What the write side knows of its own health.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// A node that could not write is tried again after this long: without requests it could never be seen to have mended.
const TRY_AGAIN_MICROS: i64 = 10_000_000;

/// What works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The head of the log can be read: without it no token and no secret can be judged.
    pub log_readable: bool,
    /// The last write took place, or the one that failed is long enough ago to try again.
    pub log_writable: bool,
}

/// When a write last failed, unless one has succeeded since.
#[derive(Debug, Default)]
pub(crate) struct WriteFailures(AtomicI64);

impl WriteFailures {
    pub(crate) fn failed(&self, now: Timestamp) {
        self.0.store(now.as_microsecond(), Ordering::Relaxed);
    }

    pub(crate) fn succeeded(&self) {
        if self.0.load(Ordering::Relaxed) != 0 {
            self.0.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn failed_recently(&self, now: Timestamp) -> bool {
        let failed = self.0.load(Ordering::Relaxed);
        failed != 0 && now.as_microsecond() - failed < TRY_AGAIN_MICROS
    }
}
