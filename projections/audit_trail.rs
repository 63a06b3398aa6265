//! The index of the audit: which events an auditor asks for. The entries themselves come from the log, byte for byte.

mod query;
mod time_range;
mod words;

#[cfg(test)]
mod tests;

use domain::registry::RegistryEvent;
use domain::{Client, Event};
use jiff::Timestamp;
use rusqlite::Connection;
use store::{Outcome, Position};

pub use query::{AuditFilter, AuditItem, AuditPage, Order, positions, read};

use crate::digest::sha256;
use crate::projection::{ApplyError, Projection, ViewedEvent, id_in};
use crate::reader::as_signed;
use words::Words;

/// The view's name.
pub const NAME: &str = "audit_trail";

/// Types whose data names the stream that they are about; all others are about their own stream.
const ABOUT_ANOTHER: [&str; 3] = ["command.refused", "audit.private_parts_opened", "audit.read"];

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
    client: Option<i64>,
    environment: Option<i64>,
    responsible: Option<i64>,
    ticket: Option<i64>,
    refused: bool,
    request: i64,
}

impl Projection for AuditTrail {
    fn name(&self) -> &'static str {
        NAME
    }

    fn view_version(&self) -> u32 {
        1
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
            client: client_of(event)?.map(&mut number).transpose()?,
            environment: envelope.environment().map(&mut number).transpose()?,
            responsible: envelope.responsible().map(&mut number).transpose()?,
            ticket: envelope.ticket().map(&mut number).transpose()?,
            refused: envelope.outcome == Outcome::Refused,
            request: request_number(&envelope.request_id),
        };
        self.gathered.push(row);
        Ok(())
    }

    fn flush(&mut self, views: &Connection) -> Result<(), ApplyError> {
        let mut insert = views.prepare_cached(
            "INSERT INTO audit_events
                 (position, at, type, actor, client, environment, responsible, ticket, refused, request)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        for row in self.gathered.drain(..) {
            insert.execute((
                as_signed(row.position.get()),
                row.at.as_microsecond(),
                row.event_type,
                row.actor,
                row.client,
                row.environment,
                row.responsible,
                row.ticket,
                row.refused,
                row.request,
            ))?;
        }
        self.words.shrink();
        Ok(())
    }

    fn rolled_back(&mut self) {
        self.words.forget();
        self.gathered.clear();
    }
}

/// What `audit_events.request` holds for a request's id.
fn request_number(request_id: &str) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = sha256(request_id.as_bytes());
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// The id of the client that an event is about.
fn client_of<'a>(event: &'a ViewedEvent<'_>) -> Result<Option<&'a str>, ApplyError> {
    if !ABOUT_ANOTHER.contains(&&*event.envelope.event_type) {
        return Ok(event.id_in(Client::CATEGORY));
    }
    let subject = match event.event()? {
        Event::Registry(RegistryEvent::CommandRefused(refused)) => refused.subject.as_deref(),
        Event::Registry(RegistryEvent::PrivatePartsOpened(opened)) => opened.subject.as_deref(),
        Event::Registry(RegistryEvent::AuditRead(read)) => read.subject.as_deref(),
        Event::Registry(
            RegistryEvent::ClockStepped(_) | RegistryEvent::AuditExported(_) | RegistryEvent::ViewsRebuilt(_),
        )
        | Event::Client(_)
        | Event::Member(_)
        | Event::Environment(_)
        | Event::ClientType(_)
        | Event::Scope(_)
        | Event::Erasure(_)
        | Event::LegalHold(_) => None,
    };
    Ok(subject.and_then(|stream| id_in(Client::CATEGORY, stream)))
}
