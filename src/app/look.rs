//! One look at where the log ends, for all that a command decides on.
//!
//! A node that shares its log asks a database for the head, which costs as much as all the rest of a decision. What a command
//! loads may be as old as the command itself, and no older: another one that was answered before this one came is in it. What
//! comes later the log finds at the append, and the command looks again.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use store::{EventLog, Position, ReadError};

/// Who works for longer looks again: what was refused should be refused for what is so now.
const GOOD_FOR: Duration = Duration::from_millis(250);

tokio::task_local! {
    static SEEN: Cell<Option<(Position, Instant)>>;
}

/// Lets `work` look once, as long as it appends nothing. It must have begun after what it is to see was answered.
pub(crate) async fn once<F: Future>(work: F) -> F::Output {
    SEEN.scope(Cell::new(None), work).await
}

/// The head as it was when the work at hand looked, or as it is now.
pub(crate) async fn head(log: &dyn EventLog) -> Result<Position, ReadError> {
    let seen = SEEN.try_with(Cell::get).ok().flatten();
    if let Some((head, _)) = seen.filter(|(_, at)| at.elapsed() < GOOD_FOR) {
        return Ok(head);
    }
    // From before the read on: it is as old as that at the most.
    let at = Instant::now();
    let head = log.head().await?;
    let _ = SEEN.try_with(|seen| seen.set(Some((head, at))));
    Ok(head)
}

/// Forgets what was seen: the log has moved, or refused to.
pub(crate) fn again() {
    let _ = SEEN.try_with(|seen| seen.set(None));
}
