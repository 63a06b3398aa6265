//! Reading where the log ends.

use rusqlite::{Connection, OptionalExtension as _};

use super::reader::read_error;
use crate::error::{Place, ReadError};
use crate::event::Envelope;
use crate::position::Position;
use crate::tail::Tail;

pub(super) fn read_tail(connection: &Connection) -> Result<Tail, ReadError> {
    let newest = connection
        .query_row("SELECT position, entry FROM events ORDER BY position DESC LIMIT 1", [], |row| {
            Ok((Position::new(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
        })
        .optional()
        .map_err(read_error)?;
    let Some((head, entry)) = newest else {
        return Ok(Tail { head: Position::ORIGIN, last_at: None });
    };
    let envelope = Envelope::parse(&entry)
        .map_err(|error| ReadError::Corrupt { place: Place::Position(head), detail: error.to_string() })?;
    Ok(Tail { head, last_at: Some(envelope.at) })
}
