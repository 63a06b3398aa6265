//! Reading the log.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use uuid::Uuid;

use super::pool::Pool;
use super::schema::Schema;
use crate::commit::RecordedCommand;
use crate::error::{OpenError, Place, ReadError};
use crate::event::RecordedEvent;
use crate::event_log::ScannedEvent;
use crate::position::{Position, Revision};
use crate::rows::{as_i64, expect_next, expect_next_of, stream_name};
use crate::stream::StreamName;
use crate::subscription::Pages;

/// A scan lets go of its snapshot after so many events: an old snapshot keeps the write-ahead log from beginning anew.
const SCAN_CHUNK: i64 = 8_192;

/// Reads `log.db`, or what has its tables.
pub(super) struct Reader(Pool);

impl Reader {
    pub(super) fn open(schema: &'static Schema, log: PathBuf) -> Result<Self, OpenError> {
        Pool::open(schema, log).map(Self)
    }

    /// Runs `read` on a connection of its own.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.0.with(read)
    }

    /// As [`Pool::settle`].
    pub(super) fn settle(&self) {
        self.0.settle();
    }

    pub(super) fn head(&self) -> Result<Position, ReadError> {
        self.with(|connection| {
            let head = "SELECT coalesce(max(position), 0) FROM events";
            query_one(connection, head, [], |row| Ok(Position::new(row.get(0)?)))
        })
    }

    pub(super) fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT position, revision, entry FROM events
                     WHERE stream = (SELECT number FROM streams WHERE name = ?1) AND revision > ?2
                     ORDER BY revision LIMIT ?3",
                )
                .map_err(read_error)?;
            let parameters = params![stream.as_str(), as_i64(after.get()), as_i64(limit as u64)];
            let mut rows = statement.query(parameters).map_err(read_error)?;
            let mut events = Vec::new();
            let mut expected = after;
            while let Some(row) = rows.next().map_err(read_error)? {
                expected = expected.next();
                let event = RecordedEvent {
                    position: Position::new(row.get(0).map_err(read_error)?),
                    stream: stream.clone(),
                    revision: Revision::new(row.get(1).map_err(read_error)?),
                    entry: row.get(2).map_err(read_error)?,
                };
                expect_next_of(stream, expected, event.revision)?;
                events.push(event);
            }
            Ok(events)
        })
    }

    pub(super) fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT position, revision, entry, name FROM events LEFT JOIN streams ON number = stream
                     WHERE position > ?1 ORDER BY position LIMIT ?2",
                )
                .map_err(read_error)?;
            let mut rows =
                statement.query(params![as_i64(after.get()), as_i64(limit as u64)]).map_err(read_error)?;
            let mut events = Vec::new();
            let mut expected = after;
            while let Some(row) = rows.next().map_err(read_error)? {
                expected = expected.next();
                let position = Position::new(row.get(0).map_err(read_error)?);
                expect_next(expected, position)?;
                let stream: Option<String> = row.get(3).map_err(read_error)?;
                events.push(RecordedEvent {
                    position,
                    stream: stream_name(Place::Position(position), stream.as_deref())?,
                    revision: Revision::new(row.get(1).map_err(read_error)?),
                    entry: row.get(2).map_err(read_error)?,
                });
            }
            Ok(events)
        })
    }

    pub(super) fn scan(
        &self,
        after: Position,
        visit: &mut dyn FnMut(ScannedEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT position, revision, entry FROM events WHERE position > ?1 ORDER BY position LIMIT ?2",
                )
                .map_err(read_error)?;
            let mut last = after;
            loop {
                let before = last;
                let mut rows = statement.query(params![as_i64(last.get()), SCAN_CHUNK]).map_err(read_error)?;
                while let Some(row) = rows.next().map_err(read_error)? {
                    let position = Position::new(row.get(0).map_err(read_error)?);
                    expect_next(last.next(), position)?;
                    last = position;
                    let revision = Revision::new(row.get(1).map_err(read_error)?);
                    let entry = row.get_ref(2).map_err(read_error)?;
                    let entry = entry.as_blob().map_err(|error| ReadError::Corrupt {
                        place: Place::Position(position),
                        detail: error.to_string(),
                    })?;
                    if visit(ScannedEvent { position, revision, entry }).is_break() {
                        return Ok(last);
                    }
                }
                if last == before {
                    return Ok(last);
                }
            }
        })
    }

    pub(super) fn stream_revision(&self, stream: &StreamName) -> Result<Revision, ReadError> {
        self.with(|connection| {
            let revision = "SELECT coalesce(max(revision), 0) FROM events
                            WHERE stream = (SELECT number FROM streams WHERE name = ?1)";
            query_one(connection, revision, [stream.as_str()], |row| Ok(Revision::new(row.get(0)?)))
        })
    }

    pub(super) fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, ReadError> {
        // The character after `-`: between the two lie the names of the category, and no other.
        let (first, end) = (format!("{category}-"), format!("{category}."));
        self.with(|connection| {
            let mut statement = connection
                .prepare_cached(
                    "SELECT name FROM streams WHERE name > ?1 AND name < ?2 ORDER BY name LIMIT ?3",
                )
                .map_err(read_error)?;
            let after = after.map_or(first.as_str(), StreamName::as_str);
            let mut rows =
                statement.query(params![after.max(&first), end, as_i64(limit as u64)]).map_err(read_error)?;
            let mut streams = Vec::new();
            while let Some(row) = rows.next().map_err(read_error)? {
                let name: String = row.get(0).map_err(read_error)?;
                streams.push(stream_name(Place::Row("a stream".to_owned()), Some(&name))?);
            }
            Ok(streams)
        })
    }

    pub(super) fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError> {
        self.with(|connection| find_command(connection, command_id).map_err(read_error))
    }
}

#[async_trait]
impl Pages for Reader {
    async fn page(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.read_all(after, limit)
    }
}

pub(super) fn find_command(
    connection: &Connection,
    command_id: Uuid,
) -> rusqlite::Result<Option<RecordedCommand>> {
    connection
        .prepare_cached("SELECT first_position, last_position FROM commands WHERE command_id = ?1")?
        .query_row([command_id.as_bytes()], |row| {
            Ok(RecordedCommand {
                first_position: Position::new(row.get(0)?),
                position: Position::new(row.get(1)?),
            })
        })
        .optional()
}

fn query_one<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    decode: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<T, ReadError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.query_row(parameters, decode))
        .map_err(read_error)
}

/// What SQLite's refusal to read means: a damaged file, or a file that cannot be read now.
pub(super) fn read_error(error: rusqlite::Error) -> ReadError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    let damaged =
        matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            || matches!(
                error,
                FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
            );
    if damaged {
        ReadError::Corrupt {
            place: Place::Row("a row of the database".to_owned()),
            detail: error.to_string(),
        }
    } else {
        ReadError::Unavailable(Arc::new(error))
    }
}
