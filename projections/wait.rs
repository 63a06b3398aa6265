//! Reading what one has just written.

use std::time::Duration;

use store::Position;

use crate::fold::Checkpoint;
use crate::views::Views;

impl Views {
    /// Waits until every view has folded the event at `position`, at most for `timeout`; says whether they have.
    ///
    /// A halted view will not get there: if one stands before `position`, the answer is `false` at once, and the
    /// caller's answer leaves as it would have when the views lag.
    pub async fn wait_for(&self, position: Position, timeout: Duration) -> bool {
        let mut checkpoints = self.watch();
        let arrival = checkpoints.wait_for(|checkpoints| verdict(checkpoints, position).is_some());
        match tokio::time::timeout(timeout, arrival).await {
            Ok(Ok(checkpoints)) => verdict(&checkpoints, position).unwrap_or(false),
            Ok(Err(_)) | Err(_) => false,
        }
    }
}

/// Whether all are there, or one will never be; `None` while that is open.
fn verdict(checkpoints: &[Checkpoint], position: Position) -> Option<bool> {
    let mut behind = checkpoints.iter().filter(|checkpoint| checkpoint.position < position).peekable();
    if behind.peek().is_none() {
        return Some(true);
    }
    behind.any(|checkpoint| checkpoint.halt.is_some()).then_some(false)
}
