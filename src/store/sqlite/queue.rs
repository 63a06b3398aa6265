//! The line in front of the one writer.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::commit::Receipt;
use crate::error::AppendError;
use crate::prepared::PreparedCommit;

/// As many commits share one transaction at most: it bounds how long the first of them waits for the last.
const MAX_BATCH: usize = 1024;

/// More commits than this do not wait. Whoever comes then is told at once, instead of after a time-out.
const MAX_WAITING: usize = 16 * MAX_BATCH;

/// A commit that somebody waits for.
pub(super) struct Request {
    pub(super) commit: Box<PreparedCommit>,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What became of a commit. The commit goes back with it, because freeing memory is cheapest where it was allocated.
pub(super) struct Answer {
    pub(super) outcome: Result<Receipt, AppendError>,
    _spent: Box<PreparedCommit>,
}

impl Request {
    pub(super) fn answer(self, outcome: Result<Receipt, AppendError>) {
        // Nobody may be listening any more; the commit stands nevertheless.
        let _ = self.answer.send(Answer { outcome, _spent: self.commit });
    }
}

/// Why a request was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the log is closed")]
    Closed,
    #[error("{MAX_WAITING} commits are waiting already")]
    Full,
}

/// Requests in the order of their coming. The mutex is held for moving a few pointers only.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<Request>,
    closed: bool,
    /// The writer sleeps; waking it when it does not costs a system call for nothing.
    writer_sleeps: bool,
}

impl Queue {
    pub(super) fn push(&self, request: Request) -> Result<(), Refused> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= MAX_WAITING {
            return Err(Refused::Full);
        }
        state.waiting.push(request);
        let wake = std::mem::take(&mut state.writer_sleeps);
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for somebody, and moves all that wait, at most [`MAX_BATCH`], into the empty `batch`. `false` once the
    /// queue is closed and empty.
    pub(super) fn take(&self, batch: &mut Vec<Request>) -> bool {
        self.take_within(Duration::MAX, batch)
    }

    /// As [`Self::take`], but with an empty batch if nobody came in time.
    pub(super) fn take_within(&self, patience: Duration, batch: &mut Vec<Request>) -> bool {
        let (mut state, _) = self
            .arrived
            .wait_timeout_while(self.state(), patience, |state| {
                state.writer_sleeps = state.waiting.is_empty() && !state.closed;
                state.writer_sleeps
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.writer_sleeps = false;
        if state.waiting.is_empty() {
            return !state.closed;
        }
        if state.waiting.len() <= MAX_BATCH {
            std::mem::swap(&mut state.waiting, batch);
        } else {
            batch.extend(state.waiting.drain(..MAX_BATCH));
        }
        true
    }

    /// Lets nobody in any more; those who wait are still served.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
