//! Searching the audit.

use store::{EventLog, Position};

use super::search::{MOST_LOOKUPS, search};
use super::{AuditFilter, Unknown};
use crate::envelope::Envelope;
use crate::error::QueryError;
use crate::views::Views;

/// Which way a feed runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first: for people.
    #[default]
    Descending,
    /// In the order of the log: for replay tooling, which goes on where it stopped.
    Ascending,
}

impl Order {
    /// Whether `one` comes before `other` in the feed.
    pub(super) fn is_before(self, one: i64, other: i64) -> bool {
        match self {
            Self::Descending => one > other,
            Self::Ascending => one < other,
        }
    }

    /// From a position to the next one of the feed.
    pub(super) fn step(self) -> i64 {
        match self {
            Self::Descending => -1,
            Self::Ascending => 1,
        }
    }
}

/// Which part of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// Which way it runs.
    pub order: Order,
    /// Only events after this position.
    pub after: Option<Position>,
    /// Only events before this position.
    pub before: Option<Position>,
    /// At most this many.
    pub limit: usize,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFound {
    /// Where the events are, in the order asked for.
    pub positions: Vec<Position>,
    /// The last position that was looked at, if there is more: the next page goes on after it, or before it. A page can
    /// have fewer events than its limit, or none, and still not be the last.
    pub rest: Option<Position>,
    /// The last event that the view knew.
    pub end: Position,
}

/// An event of the audit as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditItem {
    /// Its place in the log.
    pub position: Position,
    /// The canonical JSON of the entry: what an auditor is given and the ledger hashes.
    pub entry: Vec<u8>,
}

impl Views {
    /// The events that the filter lets through, with their entries, in the order asked for; or the value of the filter
    /// that names nothing there is.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn audit(
        &self,
        filter: AuditFilter,
        page: AuditPage,
    ) -> Result<Result<(Vec<AuditItem>, AuditFound), Unknown>, QueryError> {
        let (request_id, correlation_id) = (filter.request_id.clone(), filter.correlation_id.clone());
        let found = self.read(move |reader| match filter.unknown(reader)? {
            Some(unknown) => Ok(Err(unknown)),
            None => search(reader, &filter, page, MOST_LOOKUPS).map(Ok),
        });
        let found = match found.await? {
            Ok(found) => found,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let mut items = read(&**self.log(), &found.positions).await?;
        // The view tells ids of requests apart by 64 bits, and callers choose them.
        items.retain(|item| {
            let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|id| id == found);
            request_id.is_none() && correlation_id.is_none()
                || Envelope::parse(&item.entry).is_ok_and(|entry| {
                    is(&request_id, &entry.request_id) && is(&correlation_id, &entry.correlation_id)
                })
        });
        Ok(Ok((items, found)))
    }
}

/// The entries at these positions, in the order given. Runs of positions that follow each other, in either direction,
/// are read in one go.
///
/// # Errors
/// When the log cannot be read, or has no event at one of the positions.
pub async fn read(log: &dyn EventLog, positions: &[Position]) -> Result<Vec<AuditItem>, store::ReadError> {
    let mut ordered = positions.to_vec();
    let descending = ordered.first() > ordered.last();
    if descending {
        ordered.reverse();
    }
    let mut items = Vec::with_capacity(ordered.len());
    for run in ordered.chunk_by(|position, next| position.next() == *next) {
        items.extend(read_run(log, run[0], run.len()).await?);
    }
    if descending {
        items.reverse();
    }
    Ok(items)
}

async fn read_run(
    log: &dyn EventLog,
    first: Position,
    count: usize,
) -> Result<Vec<AuditItem>, store::ReadError> {
    let found = log.read_all(Position::new(first.get() - 1), count).await?;
    if found.len() == count && found[0].position == first {
        return Ok(found
            .into_iter()
            .map(|event| AuditItem { position: event.position, entry: event.entry })
            .collect());
    }
    let detail = "a view knows an event here, the log does not".to_owned();
    Err(store::ReadError::Corrupt { place: store::Place::Position(first), detail })
}
