//! A commit on its way through the queue, and its answer on the way back.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::commit::{Commit, Receipt};
use crate::error::{AppendError, Cause, LogClosed};
use crate::position::Position;
use crate::prepared::PreparedCommit;
use crate::queue::Queue;
use crate::staging::Staged;

/// A commit that somebody waits for.
pub(crate) struct Request {
    pub(crate) commit: Box<PreparedCommit>,
    answer: oneshot::Sender<Answer>,
}

/// What became of a commit. The commit goes back with it, because freeing memory is cheapest where it was allocated.
struct Answer {
    outcome: Result<Receipt, AppendError>,
    _spent: Box<PreparedCommit>,
}

impl Request {
    pub(crate) fn answer(self, outcome: Result<Receipt, AppendError>) {
        // Nobody may be listening any more; the commit stands nevertheless.
        let _ = self.answer.send(Answer { outcome, _spent: self.commit });
    }
}

/// Hands a commit to the writer behind the queue, and waits for what becomes of it.
pub(crate) async fn append<R: From<Request>>(
    queue: &Queue<R>,
    commit: Commit,
) -> Result<Receipt, AppendError> {
    let commit = Box::new(PreparedCommit::new(commit)?);
    let (answer, answered) = oneshot::channel();
    queue
        .push(Request { commit, answer }.into())
        .map_err(|refused| AppendError::Unavailable { outcome_unknown: false, source: Arc::new(refused) })?;
    // An answer that never comes means that the writer died with the commit in its hands.
    match answered.await {
        Ok(answer) => answer.outcome,
        Err(_) => Err(AppendError::Unavailable { outcome_unknown: true, source: Arc::new(LogClosed) }),
    }
}

/// Answers a batch that cannot be written.
pub(crate) fn refuse_all(batch: &mut Vec<Request>, cause: &Cause, outcome_unknown: bool) {
    for request in batch.drain(..) {
        let answer = AppendError::Unavailable { outcome_unknown, source: Arc::clone(cause) };
        request.answer(Err(answer));
    }
}

/// Answers a batch whose transaction failed; `head` is where the log ended before it.
pub(crate) fn refuse_staged(
    batch: &mut Vec<Request>,
    staged: Vec<Staged>,
    head: Position,
    cause: &Cause,
    outcome_unknown: bool,
) {
    for (request, staged) in batch.drain(..).zip(staged) {
        let outcome_unknown = match staged {
            // What was there before the batch is there after it.
            Err(AppendError::DuplicateCommand(recorded)) if recorded.position <= head => {
                request.answer(Err(AppendError::DuplicateCommand(recorded)));
                continue;
            }
            Ok(_) | Err(AppendError::DuplicateCommand(_)) => outcome_unknown,
            Err(_) => false,
        };
        request.answer(Err(AppendError::Unavailable { outcome_unknown, source: Arc::clone(cause) }));
    }
}
