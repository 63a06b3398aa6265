//! Where the log ends, and how late it is.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use super::reader::read_error;
use crate::error::{Place, ReadError};
use crate::event::Envelope;
use crate::position::Position;

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last position.
    pub(super) head: Position,
    /// When the last event was recorded, earlier than others if the clock went back; `None` for an empty log.
    pub(super) last_at: Option<Timestamp>,
}

impl Tail {
    pub(super) fn read(connection: &Connection) -> Result<Self, ReadError> {
        let newest = connection
            .query_row("SELECT position, entry FROM events ORDER BY position DESC LIMIT 1", [], |row| {
                Ok((Position::new(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
            })
            .optional()
            .map_err(read_error)?;
        let Some((head, entry)) = newest else {
            return Ok(Self { head: Position::ORIGIN, last_at: None });
        };
        let envelope = Envelope::parse(&entry).map_err(|error| ReadError::Corrupt {
            place: Place::Position(head),
            detail: error.to_string(),
        })?;
        Ok(Self { head, last_at: Some(envelope.at) })
    }
}
