//! A record on its way through the queue to the one writer.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{ActivityCommit, ActivityError, ActivityUnavailable, ClosedSegment, VerifiedDigest};
use crate::error::{Cause, LogClosed};
use crate::position::Position;
use crate::queue::Queue;

/// Something to write, and who waits for it, if anybody does.
pub(crate) struct Request {
    pub(crate) asked: Asked,
    answer: Option<oneshot::Sender<Answer>>,
}

/// What became of it. What was asked goes back with it, because freeing memory is cheapest where it was allocated.
struct Answer {
    outcome: Result<Position, ActivityError>,
    _spent: Asked,
}

pub(crate) enum Asked {
    Record(ActivityCommit),
    Close(ClosedSegment),
    /// Forgets vouchers and counts that ended before.
    Forget(Timestamp),
}

impl Request {
    pub(crate) fn answer(self, outcome: Result<Position, ActivityError>) {
        if let Some(answer) = self.answer {
            // Nobody may be listening any more; the record stands nevertheless.
            let _ = answer.send(Answer { outcome, _spent: self.asked });
        }
    }
}

/// Hands something to the writer behind the queue, and waits until it is durable.
pub(crate) async fn ask(queue: &Queue<Request>, asked: Asked) -> Result<Position, ActivityError> {
    let (answer, answered) = oneshot::channel();
    let request = Request { asked, answer: Some(answer) };
    queue.push(request).map_err(|refused| ActivityUnavailable(Arc::new(refused)))?;
    // An answer that never comes means that the writer died with the request in its hands.
    match answered.await {
        Ok(Answer { outcome, .. }) => outcome,
        Err(_) => Err(ActivityUnavailable(Arc::new(LogClosed)).into()),
    }
}

/// As [`ask`], of what no voucher or count can refuse.
pub(crate) async fn ask_plain(queue: &Queue<Request>, asked: Asked) -> Result<Position, ActivityUnavailable> {
    ask(queue, asked).await.map_err(|error| match error {
        ActivityError::Unavailable(unavailable) => unavailable,
        refused @ (ActivityError::VoucherTaken { .. }
        | ActivityError::VoucherNotLive { .. }
        | ActivityError::OverLimit { .. }) => ActivityUnavailable(Arc::new(refused)),
    })
}

/// Hands over a digest, and waits for nothing.
pub(crate) fn keep_digest(queue: &Queue<Request>, digest: VerifiedDigest) {
    let commit = ActivityCommit { digests: vec![digest], ..ActivityCommit::default() };
    // Without it a secret is verified once more.
    let _ = queue.push(Request { asked: Asked::Record(commit), answer: None });
}

/// Answers a batch that cannot be written.
pub(crate) fn refuse_all(batch: &mut Vec<Request>, cause: &Cause) {
    for request in batch.drain(..) {
        request.answer(Err(ActivityUnavailable(Arc::clone(cause)).into()));
    }
}
