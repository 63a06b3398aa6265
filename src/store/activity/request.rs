//! A record on its way through the queue to the one writer.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{ActivityCommit, ActivityUnavailable, ClosedSegment, VerifiedDigest};
use crate::error::{Cause, LogClosed};
use crate::position::Position;
use crate::queue::Queue;

/// Something to write, and who waits for it, if anybody does.
pub(crate) struct Request {
    pub(crate) asked: Asked,
    answer: Option<oneshot::Sender<Result<Position, ActivityUnavailable>>>,
}

pub(crate) enum Asked {
    Record(ActivityCommit),
    Close(ClosedSegment),
}

impl Request {
    pub(crate) fn answer(self, outcome: Result<Position, ActivityUnavailable>) {
        if let Some(answer) = self.answer {
            // Nobody may be listening any more; the record stands nevertheless.
            let _ = answer.send(outcome);
        }
    }
}

/// Hands something to the writer behind the queue, and waits until it is durable.
pub(crate) async fn ask(queue: &Queue<Request>, asked: Asked) -> Result<Position, ActivityUnavailable> {
    let (answer, answered) = oneshot::channel();
    let request = Request { asked, answer: Some(answer) };
    queue.push(request).map_err(|refused| ActivityUnavailable(Arc::new(refused)))?;
    // An answer that never comes means that the writer died with the request in its hands.
    answered.await.unwrap_or_else(|_| Err(ActivityUnavailable(Arc::new(LogClosed))))
}

/// Hands over a digest, and waits for nothing.
pub(crate) fn keep_digest(queue: &Queue<Request>, digest: VerifiedDigest) {
    let commit = ActivityCommit { records: Vec::new(), digests: vec![digest] };
    // Without it a secret is verified once more.
    let _ = queue.push(Request { asked: Asked::Record(commit), answer: None });
}

/// Answers a batch that cannot be written.
pub(crate) fn refuse_all(batch: &mut Vec<Request>, cause: &Cause) {
    for request in batch.drain(..) {
        request.answer(Err(ActivityUnavailable(Arc::clone(cause))));
    }
}
