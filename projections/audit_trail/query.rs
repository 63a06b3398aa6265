//! Searching the audit.

use std::ops::Range;

use jiff::Timestamp;
use rusqlite::types::Value;
use store::{EventLog, Outcome, Position};

use super::{time_range, words};
use crate::envelope::Envelope;
use crate::error::QueryError;
use crate::reader::{Reader, as_signed, as_unsigned};
use crate::views::Views;

/// What an auditor asks for. Everything given must hold; nothing given is the whole log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// The id of the actor.
    pub actor: Option<String>,
    /// The id of the client that the event is about; commands that were refused for it are found too.
    pub client: Option<String>,
    /// The type on the wire, `client.secret_rotated`.
    pub event_type: Option<String>,
    /// The environment's name.
    pub environment: Option<String>,
    /// Recorded then or later.
    pub from: Option<Timestamp>,
    /// Recorded before then.
    pub to: Option<Timestamp>,
    /// Done or refused.
    pub outcome: Option<Outcome>,
    /// The reference to a case elsewhere.
    pub ticket: Option<String>,
    /// The request as the HTTP layer names it.
    pub request_id: Option<String>,
    /// The id of the member who made the client.
    pub responsible: Option<String>,
}

/// Which way a feed runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first: for people.
    #[default]
    Descending,
    /// In the order of the log: for replay tooling, which goes on where it stopped.
    Ascending,
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

/// An event of the audit as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditItem {
    /// Its place in the log.
    pub position: Position,
    /// The canonical JSON of the entry: what an auditor is given and the ledger hashes.
    pub entry: Vec<u8>,
}

impl Views {
    /// The events that the filter lets through, with their entries, in the order asked for.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn audit(&self, filter: AuditFilter, page: AuditPage) -> Result<Vec<AuditItem>, QueryError> {
        let request_id = filter.request_id.clone();
        let found = self.read(move |reader| positions(reader, &filter, page)).await?;
        let mut items = read(&**self.log(), &found).await?;
        if let Some(request_id) = request_id {
            items.retain(|item| {
                Envelope::parse(&item.entry).is_ok_and(|entry| entry.request_id == request_id)
            });
        }
        Ok(items)
    }
}

/// The positions of the events that the filter lets through, in the order asked for.
///
/// Requests are told apart by 64 bits of a digest: who cannot live with that chance compares the entries, as
/// [`Views::audit`] does.
///
/// # Errors
/// See [`QueryError`].
pub fn positions(
    reader: &Reader,
    filter: &AuditFilter,
    page: AuditPage,
) -> Result<Vec<Position>, QueryError> {
    let Some(Condition { sql, values }) = Condition::of(reader, filter)? else { return Ok(Vec::new()) };
    let after = page.after.map_or(0, |after| as_signed(after.get()));
    let before = page.before.map_or(i64::MAX, |before| as_signed(before.get()));
    let mut ranges = match (filter.from, filter.to) {
        (None, None) => Vec::from([Range { start: 0, end: i64::MAX }]),
        (from, to) => time_range::positions(reader.connection(), from, to)?,
    };
    let direction = match page.order {
        Order::Descending => {
            ranges.reverse();
            "DESC"
        }
        Order::Ascending => "ASC",
    };
    let sql = format!(
        "SELECT position FROM audit_events WHERE position >= ?1 AND position < ?2{sql}
         ORDER BY position {direction} LIMIT ?3"
    );
    let mut statement = reader.connection().prepare_cached(&sql)?;
    let mut found = Vec::new();
    for range in ranges {
        let room = i64::try_from(page.limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
        let (first, end) = (range.start.max(after.saturating_add(1)), range.end.min(before));
        if room == 0 || first >= end {
            continue;
        }
        let bounds = [first, end, room].map(Value::Integer);
        let rows = statement
            .query_map(rusqlite::params_from_iter(bounds.iter().chain(&values)), |row| row.get(0))?;
        for position in rows {
            found.push(Position::new(as_unsigned(position?)));
        }
    }
    Ok(found)
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

/// What rows must be like, as SQL to append, with its values.
struct Condition {
    sql: String,
    values: Vec<Value>,
}

impl Condition {
    /// `None` if a word of the filter occurs in no event at all.
    ///
    /// Of the columns that have an index only the one that leaves least is offered to SQLite: the `+` before the others
    /// makes them plain comparisons, so that it can neither pick a worse one nor sort.
    fn of(reader: &Reader, filter: &AuditFilter) -> Result<Option<Self>, QueryError> {
        let mut condition = Self { sql: String::new(), values: Vec::new() };
        if let Some(request_id) = &filter.request_id {
            condition.equal("request", Value::Integer(super::request_number(request_id)));
        }
        let words = [
            ("ticket", &filter.ticket),
            ("client", &filter.client),
            ("actor", &filter.actor),
            ("type", &filter.event_type),
            ("environment", &filter.environment),
            ("responsible", &filter.responsible),
        ];
        for (column, word) in words {
            let Some(word) = word else { continue };
            let Some(number) = words::find(reader.connection(), word)? else { return Ok(None) };
            condition.equal(column, Value::Integer(number));
        }
        if let Some(outcome) = filter.outcome {
            condition.equal("refused", Value::Integer(i64::from(outcome == Outcome::Refused)));
        }
        Ok(Some(condition))
    }

    fn equal(&mut self, column: &str, value: Value) {
        let unindexed = if self.values.is_empty() { "" } else { "+" };
        self.values.push(value);
        // The first three parameters are the bounds.
        let parameter = self.values.len() + 3;
        self.sql.push_str(&format!(" AND {unindexed}{column} = ?{parameter}"));
    }
}
