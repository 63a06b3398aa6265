//! What the write side knows of its own health.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// A node that could not write is tried again after this long: without requests it could never be seen to have mended.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The head of the log can be read: without it no token and no secret can be judged.
    pub log_readable: bool,
    /// The last write took place, or the one that failed is long enough ago to try again.
    pub log_writable: bool,
    /// The key store can be read: without it no private part can be sealed, and so no command recorded.
    pub keys_readable: bool,
}

/// When a write last failed, unless one has succeeded since. By the monotonic clock: the wall clock may be set.
#[derive(Debug, Default)]
pub(crate) struct WriteFailures(Mutex<Option<Instant>>);

impl WriteFailures {
    pub(crate) fn failed(&self) {
        self.set(Some(Instant::now()));
    }

    pub(crate) fn succeeded(&self) {
        self.set(None);
    }

    pub(crate) fn failed_recently(&self) -> bool {
        let last = *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        last.is_some_and(|failed| failed.elapsed() < TRY_AGAIN_AFTER)
    }

    fn set(&self, last: Option<Instant>) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = last;
    }
}
