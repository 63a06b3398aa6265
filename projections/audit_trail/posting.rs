//! The positions of the events with one property, in the order of a feed, to be leapt through.

use std::collections::VecDeque;

use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::Order;

/// Rows taken at a time: some more than one, because hits stand close together more often than not.
const BATCH: usize = 16;

/// What a property is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Index {
    Type,
    Actor,
    Subject,
    Environment,
    Responsible,
    Ticket,
    Request,
    /// Where the correlation id is not the request's.
    Correlation,
    /// Where it is.
    RequestAsCorrelation,
    Refusal,
    Text,
}

impl Index {
    #[cfg(test)]
    pub(super) const ALL: [Self; 11] = [
        Self::Type,
        Self::Actor,
        Self::Subject,
        Self::Environment,
        Self::Responsible,
        Self::Ticket,
        Self::Request,
        Self::Correlation,
        Self::RequestAsCorrelation,
        Self::Refusal,
        Self::Text,
    ];

    /// SQL for the next hits from a position on, that one included; `?1` is the value, `?2` the position.
    pub(super) fn sql(self, order: Order) -> String {
        let (comparison, direction) = match order {
            Order::Descending => ("<=", "DESC"),
            Order::Ascending => (">=", "ASC"),
        };
        let condition = match self {
            Self::Type => "type = ?1",
            Self::Actor => "actor = ?1",
            Self::Subject => "subject = ?1",
            Self::Environment => "environment = ?1",
            Self::Responsible => "responsible = ?1",
            Self::Ticket => "ticket = ?1",
            Self::Request => "request = ?1",
            Self::Correlation => "correlation = ?1",
            Self::RequestAsCorrelation => "request = ?1 AND correlation IS NULL",
            // A literal: SQLite takes a partial index only if it can see that the condition implies the index's.
            Self::Refusal => "refused = 1 AND refused = ?1",
            Self::Text => {
                return format!(
                    "SELECT rowid FROM audit_text WHERE audit_text MATCH ?1 AND rowid {comparison} ?2
                     ORDER BY rowid {direction} LIMIT {BATCH}"
                );
            }
        };
        format!(
            "SELECT position FROM audit_events WHERE {condition} AND position {comparison} ?2
             ORDER BY position {direction} LIMIT {BATCH}"
        )
    }

    /// How many look-ups one of these counts as.
    fn cost(self) -> usize {
        match self {
            Self::Text => 8,
            Self::Type
            | Self::Actor
            | Self::Subject
            | Self::Environment
            | Self::Responsible
            | Self::Ticket
            | Self::Request
            | Self::Correlation
            | Self::RequestAsCorrelation
            | Self::Refusal => 1,
        }
    }
}

/// The events with one property.
pub(super) struct Posting {
    source: Option<(Index, Value)>,
    /// The next ones, as far as they are known.
    known: VecDeque<i64>,
    ended: bool,
}

/// What is left of a search's effort.
#[derive(Debug)]
pub(super) struct Effort(pub(super) usize);

impl Posting {
    pub(super) fn of(index: Index, value: impl Into<Value>) -> Self {
        Self { source: Some((index, value.into())), known: VecDeque::new(), ended: false }
    }

    /// Positions that are known already, in the order of the feed.
    pub(super) fn given(known: impl Iterator<Item = i64>) -> Self {
        Self { source: None, known: known.collect(), ended: true }
    }

    /// The first one from `position` on, in the direction of the feed; calls must come in that direction too.
    pub(super) fn seek(
        &mut self,
        views: &Connection,
        order: Order,
        position: i64,
        effort: &mut Effort,
    ) -> Result<Option<i64>, rusqlite::Error> {
        loop {
            while let Some(&next) = self.known.front() {
                if next == position || order.is_before(position, next) {
                    return Ok(Some(next));
                }
                self.known.pop_front();
            }
            let Some((index, value)) = self.source.as_ref().filter(|_| !self.ended) else { return Ok(None) };
            effort.0 = effort.0.saturating_sub(index.cost());
            let mut statement = views.prepare_cached(&index.sql(order))?;
            for found in statement.query_map(params![value, position], |row| row.get(0))? {
                self.known.push_back(found?);
            }
            self.ended = self.known.len() < BATCH;
        }
    }
}
