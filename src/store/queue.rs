//! The line in front of the one writer of a log.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// As many requests share one transaction at most: it bounds how long the first of them waits for the last.
const MAX_BATCH: usize = 1024;

/// More requests than this do not wait. Whoever comes then is told at once, instead of after a time-out.
const MAX_WAITING: usize = 16 * MAX_BATCH;

/// Why a request was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("the log is closed")]
    Closed,
    #[error("{MAX_WAITING} requests are waiting already")]
    Full,
}

/// Requests in the order of their coming. The mutex is held for moving a few pointers only.
pub(crate) struct Queue<R> {
    state: Mutex<State<R>>,
    arrived: Condvar,
}

struct State<R> {
    waiting: Vec<R>,
    closed: bool,
    /// The writer sleeps until so many wait; waking it when it does not costs a system call for nothing.
    wake_at: Option<usize>,
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        let state = State { waiting: Vec::new(), closed: false, wake_at: None };
        Self { state: Mutex::new(state), arrived: Condvar::new() }
    }
}

impl<R> Queue<R> {
    pub(crate) fn push(&self, request: R) -> Result<(), Refused> {
        let mut state = self.state();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= MAX_WAITING {
            return Err(Refused::Full);
        }
        state.waiting.push(request);
        let wake = state.wake_at.is_some_and(|enough| state.waiting.len() >= enough);
        if wake {
            state.wake_at = None;
        }
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for somebody, and moves all that wait, at most [`MAX_BATCH`], into the empty `batch`. `false` once the
    /// queue is closed and empty.
    pub(crate) fn take(&self, batch: &mut Vec<R>) -> bool {
        self.take_within(Duration::MAX, batch)
    }

    /// As [`Self::take`], but with an empty batch if nobody came in time.
    pub(crate) fn take_within(&self, patience: Duration, batch: &mut Vec<R>) -> bool {
        self.sleep(self.state(), 1, patience).move_into(batch)
    }

    /// As [`Self::take`], but once somebody waits, waits `patience` for others, until `enough` wait.
    pub(crate) fn take_gathered(&self, enough: usize, patience: Duration, batch: &mut Vec<R>) -> bool {
        let mut state = self.sleep(self.state(), 1, Duration::MAX);
        let enough = enough.min(MAX_BATCH);
        if state.waiting.len() < enough {
            state = self.sleep(state, enough, patience);
        }
        state.move_into(batch)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    fn sleep<'s>(
        &self,
        state: MutexGuard<'s, State<R>>,
        enough: usize,
        patience: Duration,
    ) -> MutexGuard<'s, State<R>> {
        let (mut state, _) = self
            .arrived
            .wait_timeout_while(state, patience, |state| {
                let sleeps = state.waiting.len() < enough && !state.closed;
                state.wake_at = sleeps.then_some(enough);
                sleeps
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.wake_at = None;
        state
    }

    /// Lets nobody in any more; those who wait are still served.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.arrived.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> State<R> {
    fn move_into(&mut self, batch: &mut Vec<R>) -> bool {
        if self.waiting.is_empty() {
            return !self.closed;
        }
        if self.waiting.len() <= MAX_BATCH {
            std::mem::swap(&mut self.waiting, batch);
        } else {
            batch.extend(self.waiting.drain(..MAX_BATCH));
        }
        true
    }
}

/// Whoever waits must hear of the writer's end, however it comes: a dropped request is an answer.
pub(crate) struct CloseOnDrop<R>(pub(crate) Arc<Queue<R>>);

impl<R> Drop for CloseOnDrop<R> {
    fn drop(&mut self) {
        self.0.close();
    }
}
