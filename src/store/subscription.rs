//! Following the log.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{LogClosed, ReadError};
use crate::event::RecordedEvent;
use crate::position::Position;

/// A subscription looks for itself when no wake-up came for this long: the writer may be another process.
const POLL: Duration = Duration::from_secs(1);

/// Reading the log page by page, in position order: what a backend offers a [`Subscription`].
#[async_trait]
pub trait Pages: Send + Sync {
    /// Up to `limit` events after `after`, without a hole; empty when there are none yet.
    async fn page(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError>;
}

/// An ordered feed of the whole log from a position on: every event once, none left out.
///
/// It keeps no place of its own beyond its lifetime: the reader stores the last position it has finished with, in the
/// same transaction as what it made of it.
pub struct Subscription {
    pages: Arc<dyn Pages>,
    head: watch::Receiver<Position>,
    after: Position,
    /// When it found nothing more; `None` if there may be more than the head tells of.
    looked: Option<Instant>,
}

impl Subscription {
    /// A feed of what follows `after`; `head` wakes it and ends it when its sender is gone.
    #[must_use]
    pub fn new(pages: Arc<dyn Pages>, head: watch::Receiver<Position>, after: Position) -> Self {
        Self { pages, head, after, looked: None }
    }

    /// The next events, at least one and at most `limit`; waits until there is one.
    ///
    /// Dropping the future loses nothing: the next call starts at the same place.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] where an event is missing, at every call. [`ReadError::Unavailable`] when the log cannot
    /// be read or is closed; the call may be repeated.
    pub async fn next_page(&mut self, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        loop {
            // Marked as seen before reading: a commit during the read wakes the wait below at once.
            let head = *self.head.borrow_and_update();
            if head > self.after || self.looked.is_none_or(|looked| looked.elapsed() >= POLL) {
                let page = self.pages.page(self.after, limit.max(1)).await?;
                self.looked = (page.len() < limit).then(Instant::now);
                if let Some(last) = page.last() {
                    self.after = last.position;
                    return Ok(page);
                }
            }
            if let Ok(Err(_)) = tokio::time::timeout(POLL, self.head.changed()).await {
                return Err(ReadError::Unavailable(Arc::new(LogClosed)));
            }
        }
    }

    /// The last position handed out, or where the subscription began.
    #[must_use]
    pub fn position(&self) -> Position {
        self.after
    }
}
