//! The index of the audit: which events an auditor asks for. The entries themselves come from the log, byte for byte.

mod about;
mod filter;
mod posting;
mod query;
mod search;
mod text;
mod time_range;
mod words;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use rusqlite::Connection;
use store::{Outcome, Position};

pub use filter::{AuditFilter, Unknown};
pub use query::{AuditFound, AuditItem, AuditPage, Order, read};

use crate::digest::sha256;
use crate::projection::{ApplyError, Projection, ViewedEvent};
use crate::reader::as_signed;
use words::Words;

/// The view's name.
pub const NAME: &str = "audit_trail";

/// The projection.
#[derive(Default)]
pub struct AuditTrail {
    words: Words,
    gathered: Vec<AuditRow>,
}

/// A row of `audit_events`; every number but position and time is that of a word.
struct AuditRow {
    position: Position,
    at: Timestamp,
    event_type: i64,
    actor: i64,
    subject: Option<i64>,
    environment: Option<i64>,
    responsible: Option<i64>,
    ticket: Option<i64>,
    refused: bool,
    request: i64,
    correlation: Option<i64>,
    /// The words of its public data; empty if there are none.
    text: String,
}

impl Projection for AuditTrail {
    fn name(&self) -> &'static str {
        NAME
    }

    fn view_version(&self) -> u32 {
        3
    }

    fn schema(&self) -> &'static str {
        include_str!("../migrations/views/audit_trail.sql")
    }

    fn indexes(&self) -> &'static str {
        include_str!("../migrations/views/audit_trail_indexes.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["audit_events", "audit_words"]
    }

    /// An event of a type that nobody here knows is indexed like any other: its envelope says enough, and an auditor
    /// must not lose sight of the event that halted another view.
    fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        let envelope = &event.envelope;
        let mut number = |word: &str| self.words.number(views, word);
        let (event_type, actor) = (number(&envelope.event_type)?, number(&envelope.actor.id)?);
        let row = AuditRow {
            position: event.position,
            at: envelope.at,
            event_type,
            actor,
            subject: about::subject(event)?.as_deref().map(&mut number).transpose()?,
            environment: envelope.environment().map(&mut number).transpose()?,
            responsible: envelope.responsible().map(&mut number).transpose()?,
            ticket: envelope.ticket().map(&mut number).transpose()?,
            refused: envelope.outcome == Outcome::Refused,
            request: number_of(&envelope.request_id),
            correlation: (envelope.correlation_id != envelope.request_id)
                .then(|| number_of(&envelope.correlation_id)),
            text: text::words_of_data(envelope.data)?,
        };
        self.gathered.push(row);
        Ok(())
    }

    fn flush(&mut self, views: &Connection) -> Result<(), ApplyError> {
        let mut insert = views.prepare_cached(
            "INSERT INTO audit_events
                 (position, at, type, actor, subject, environment, responsible, ticket, refused, request, correlation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        let mut insert_text =
            views.prepare_cached("INSERT INTO audit_text (rowid, words) VALUES (?1, ?2)")?;
        for row in self.gathered.drain(..) {
            insert.execute((
                as_signed(row.position.get()),
                row.at.as_microsecond(),
                row.event_type,
                row.actor,
                row.subject,
                row.environment,
                row.responsible,
                row.ticket,
                row.refused,
                row.request,
                row.correlation,
            ))?;
            if !row.text.is_empty() {
                insert_text.execute((as_signed(row.position.get()), &row.text))?;
            }
        }
        self.words.shrink();
        Ok(())
    }

    fn rolled_back(&mut self) {
        self.words.forget();
        self.gathered.clear();
    }
}

/// What `audit_events` holds for the id of a request.
fn number_of(id: &str) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(id.as_bytes());
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}
