//! Where the log ends, and how late it is.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Deserialize;

use super::reader::read_error;
use crate::error::{Place, ReadError};
use crate::event::Envelope;
use crate::position::Position;
use crate::prepared::CLOCK_STREAM;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last position.
    pub(super) head: Position,
    /// When the last event was recorded; `None` for an empty log.
    pub(super) last_at: Option<Timestamp>,
    /// The latest time ever recorded: later than `last_at` if the clock went back.
    pub(super) latest_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ClockStepped {
    from: Timestamp,
}

impl Tail {
    pub(super) fn read(connection: &Connection) -> Result<Self, ReadError> {
        let newest = connection
            .query_row(
                "SELECT position, entry FROM events ORDER BY position DESC LIMIT 1",
                [],
                position_and_entry,
            )
            .optional()
            .map_err(read_error)?;
        let Some((head, entry)) = newest else {
            return Ok(Self { head: Position::ORIGIN, last_at: None, latest_at: None });
        };
        let last_at = parse(head, &entry)?.at;
        let latest_at = latest_step(connection)?.map_or(last_at, |step| step.max(last_at));
        Ok(Self { head, last_at: Some(last_at), latest_at: Some(latest_at) })
    }
}

/// The latest time that the clock ever went back from: each one is the peak before a descent.
fn latest_step(connection: &Connection) -> Result<Option<Timestamp>, ReadError> {
    let mut statement = connection
        .prepare(
            "SELECT position, entry FROM events WHERE stream = (SELECT number FROM streams WHERE name = ?1)",
        )
        .map_err(read_error)?;
    let rows = statement.query_map([CLOCK_STREAM], position_and_entry).map_err(read_error)?;
    let mut latest = None;
    for row in rows {
        let (position, entry) = row.map_err(read_error)?;
        let stepped: ClockStepped = serde_json::from_str(parse(position, &entry)?.data.get())
            .map_err(|error| corrupt(position, &error))?;
        latest = latest.max(Some(stepped.from));
    }
    Ok(latest)
}

fn position_and_entry(row: &Row<'_>) -> rusqlite::Result<(Position, Vec<u8>)> {
    Ok((Position::new(row.get(0)?), row.get(1)?))
}

fn parse(position: Position, entry: &[u8]) -> Result<Envelope<'_>, ReadError> {
    Envelope::parse(entry).map_err(|error| corrupt(position, &error))
}

fn corrupt(position: Position, error: &dyn std::error::Error) -> ReadError {
    ReadError::Corrupt { place: Place::Position(position), detail: error.to_string() }
}
