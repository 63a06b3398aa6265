//! The writer's work on one connection: staging commits into a transaction.
//!
//! A session ends with its first failure, and with it everything that it remembered of the database.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension as _, Statement, params};
use uuid::Uuid;

use super::reader::find_command;
use super::tail::read_tail;
use super::{claims, lookup, vault};
use crate::commit::{ClaimKey, RecordedCommand};
use crate::error::ReadError;
use crate::position::{Position, Revision};
use crate::prepared::PreparedCommit;
use crate::rows::as_i64;
use crate::staging::{Failure, Ground, Place, StagedEvent};
use crate::stream::StreamName;
use crate::tail::Tail;

/// So many streams are remembered; what is forgotten is looked up again.
const MAX_REMEMBERED: usize = 16_384;

/// One connection with its statements, and what it knows of the log, including what it wrote but did not commit yet.
pub(super) struct Session<'c> {
    connection: &'c Connection,
    statements: Statements<'c>,
    tail: Tail,
    streams: HashMap<StreamName, Place>,
    /// Since it was last asked.
    moved: Vec<(StreamName, Revision)>,
    entry: String,
    entry_bytes: usize,
}

struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    insert_command: Statement<'c>,
    insert_event: Statement<'c>,
    insert_stream: Statement<'c>,
    find_stream: Statement<'c>,
}

impl<'c> Session<'c> {
    pub(super) fn start(connection: &'c Connection) -> Result<Self, ReadError> {
        let prepare = |sql| connection.prepare(sql).map_err(super::reader::read_error);
        let statements = Statements {
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            insert_command: prepare(
                "INSERT INTO commands (command_id, first_position, last_position) VALUES (?1, ?2, ?3)
                 ON CONFLICT (command_id) DO NOTHING",
            )?,
            insert_event: prepare(
                "INSERT INTO events (position, stream, revision, entry) VALUES (?1, ?2, ?3, ?4)",
            )?,
            insert_stream: prepare("INSERT INTO streams (name) VALUES (?1)")?,
            find_stream: prepare(
                "SELECT number, (SELECT coalesce(max(revision), 0) FROM events WHERE stream = number)
                 FROM streams WHERE name = ?1",
            )?,
        };
        let tail = read_tail(connection)?;
        Ok(Self {
            connection,
            statements,
            tail,
            streams: HashMap::new(),
            moved: Vec::new(),
            entry: String::new(),
            entry_bytes: 0,
        })
    }

    #[cfg(test)]
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    pub(super) fn ends(&self) -> Tail {
        self.tail
    }

    /// Bytes of entries since the last call.
    pub(super) fn take_entry_bytes(&mut self) -> usize {
        std::mem::take(&mut self.entry_bytes)
    }

    /// The streams that got events since the last call, in order, and where they are now.
    pub(super) fn take_moved(&mut self) -> std::vec::Drain<'_, (StreamName, Revision)> {
        self.moved.drain(..)
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.statements.begin.execute([]).map(drop)
    }

    /// Makes everything staged since [`Self::begin`] durable.
    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.statements.commit.execute([]).map(drop)
    }

    fn remember(&mut self, stream: &StreamName, place: Place) {
        if let Some(known) = self.streams.get_mut(stream) {
            *known = place;
            return;
        }
        if self.streams.len() >= MAX_REMEMBERED {
            self.streams.clear();
        }
        self.streams.insert(stream.clone(), place);
    }
}

impl Ground for Session<'_> {
    fn tail(&mut self) -> &mut Tail {
        &mut self.tail
    }

    fn place(&mut self, stream: &StreamName) -> Result<Place, Failure> {
        if let Some(place) = self.streams.get(stream) {
            return Ok(*place);
        }
        let found = self
            .statements
            .find_stream
            .query_row([stream.as_str()], |row| {
                Ok(Place { number: Some(row.get(0)?), revision: Revision::new(row.get(1)?) })
            })
            .optional()?
            .unwrap_or_default();
        self.remember(stream, found);
        Ok(found)
    }

    fn find_command(&mut self, id: Uuid) -> Result<Option<RecordedCommand>, Failure> {
        Ok(find_command(self.connection, id)?)
    }

    fn holder(&mut self, key: &ClaimKey) -> Result<Option<StreamName>, Failure> {
        Ok(claims::holder(self.connection, key)?)
    }

    fn has_credential(&mut self, id: &str) -> Result<bool, Failure> {
        Ok(self.connection.prepare_cached("SELECT 1 FROM credentials WHERE id = ?1")?.exists([id])?)
    }

    fn has_event_key(&mut self, slot: u64) -> Result<bool, Failure> {
        let mut exists = self.connection.prepare_cached("SELECT 1 FROM disclosures WHERE event_key = ?1")?;
        Ok(exists.exists([as_i64(slot)])?)
    }

    fn insert_command(&mut self, id: Uuid, span: RecordedCommand) -> Result<bool, Failure> {
        let parameters =
            params![id.as_bytes(), as_i64(span.first_position.get()), as_i64(span.position.get())];
        Ok(self.statements.insert_command.execute(parameters)? == 1)
    }

    fn insert_stream(&mut self, name: &StreamName, _position: Position) -> Result<i64, Failure> {
        Ok(self.statements.insert_stream.insert([name.as_str()])?)
    }

    fn insert_event(&mut self, event: &StagedEvent<'_>) -> Result<(), Failure> {
        event.complete(&mut self.entry);
        self.statements.insert_event.execute(params![
            as_i64(event.position.get()),
            event.stream_number,
            as_i64(event.revision.get()),
            self.entry.as_bytes()
        ])?;
        self.entry_bytes += self.entry.len();
        Ok(())
    }

    fn moved(&mut self, name: &StreamName, place: Place) {
        self.remember(name, place);
        self.moved.push((name.clone(), place.revision));
    }

    fn insert_rest(&mut self, commit: &PreparedCommit, span: RecordedCommand) -> Result<(), Failure> {
        claims::write(self.connection, &commit.claims)?;
        vault::write(self.connection, commit, span.first_position)?;
        Ok(lookup::write(self.connection, commit, span)?)
    }
}
