//! What the writer of a log tells everybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::error::ReadError;
use crate::heads::Heads;
use crate::position::Position;
use crate::tail::Tail;

/// Where the log stands, for its readers.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) head: watch::Sender<Position>,
    pub(crate) heads: Heads,
    /// Microseconds of when the last event was recorded.
    last_at: AtomicI64,
    /// A transaction failed so late that it may be recorded nevertheless, and nothing has settled it yet.
    in_doubt: AtomicBool,
}

/// A transaction failed, and what becomes of it is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the last transaction of the log failed, and its outcome is not known yet")]
pub(crate) struct InDoubt;

impl Shared {
    pub(crate) fn new(clock: Arc<dyn Clock>, tail: Tail) -> Self {
        Self {
            clock,
            head: watch::Sender::new(tail.head),
            heads: Heads::default(),
            last_at: AtomicI64::new(tail.last_at.map_or(i64::MIN, Timestamp::as_microsecond)),
            in_doubt: AtomicBool::new(false),
        }
    }

    /// Where the log durably ends. Called before any answer leaves, so that no head lags behind an answer.
    pub(crate) fn publish(&self, tail: Tail) {
        if let Some(last_at) = tail.last_at {
            self.last_at.store(last_at.as_microsecond(), Ordering::Release);
        }
        self.head.send_if_modified(|head| std::mem::replace(head, tail.head) != tail.head);
    }

    /// Nobody knows where the log ends until a new session has settled it. Called before any answer leaves, so that
    /// who is told of an unknown outcome does not find a known one.
    pub(crate) fn doubt(&self) {
        self.in_doubt.store(true, Ordering::Release);
    }

    /// A session has found out what became of the transaction in doubt.
    pub(crate) fn settled(&self) {
        self.in_doubt.store(false, Ordering::Release);
    }

    pub(crate) fn is_in_doubt(&self) -> bool {
        self.in_doubt.load(Ordering::Acquire)
    }

    pub(crate) fn expect_certain(&self) -> Result<(), ReadError> {
        if self.is_in_doubt() { Err(ReadError::Unavailable(Arc::new(InDoubt))) } else { Ok(()) }
    }

    /// The later of the wall clock and the time of the last event.
    pub(crate) fn now(&self) -> Timestamp {
        let last_at = self.last_at.load(Ordering::Acquire);
        let now = self.clock.now();
        Timestamp::from_microsecond(last_at).map_or(now, |last_at| now.max(last_at))
    }
}

/// In a panic it is dropped before the batch, and with that the callers' answers: who hears that the outcome is unknown
/// must not find a known one.
pub(crate) struct DoubtInPanic<'a>(pub(crate) &'a Shared);

impl Drop for DoubtInPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.doubt();
        }
    }
}
