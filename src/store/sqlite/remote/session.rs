//! The writer's work on one connection: batches are staged, appended on the server, and settled.
//!
//! A session ends with its first failure. The next one begins by settling whatever was left.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::keeper::Keeper;
use super::opening::unknown_entry;
use super::staged;
use crate::engine::{Engine, EngineError, EngineEvent};
use crate::error::{OpenError, Place, ReadError};
use crate::event::Envelope;
use crate::position::{Position, Revision};
use crate::rows::{as_i64, stream_name};
use crate::shared::Shared;
use crate::sqlite::reader::read_error;
use crate::sqlite::schema::COMPANION;
use crate::sqlite::tail::read_tail;
use crate::sqlite::{claims, lookup, vault};
use crate::staged_batch::Batch;
use crate::stream::StreamName;

/// So many entries are read from the server at once.
const PAGE: usize = 500;
/// Of a longer jump of the head nobody is told stream by stream: all are looked up again.
const MAX_TOLD: u64 = 10_000;
/// When the server refuses so many batches that stay staged, nothing more is staged until it takes one.
const MOST_REFUSED: usize = 16;
/// After so many refusals for nothing that can be seen the server is not believed any more.
const MAX_MOVES: usize = 16;

/// One connection to companion and replica, and the server.
pub(super) struct Session<'c> {
    pub(super) connection: &'c Connection,
    pub(super) engine: &'c dyn Engine,
    pub(super) keeper: &'c Keeper,
    /// Held while the two files are not at one.
    pub(super) files: &'c Files,
}

/// Whoever compares companion and replica has to look at them while this is held.
#[derive(Default)]
pub(super) struct Files(Mutex<()>);

impl Files {
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How far the rows of the companion have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) position: Position,
    pub(super) event_id: Option<Uuid>,
}

impl Applied {
    pub(super) fn of_file(file: &Path) -> Result<Self, OpenError> {
        Ok(Self::read(&COMPANION.open_to_read(file)?)?)
    }

    pub(super) fn read(connection: &Connection) -> Result<Self, ReadError> {
        connection
            .prepare_cached("SELECT position, event_id FROM applied")
            .and_then(|mut statement| {
                statement.query_row([], |row| {
                    let event_id = row.get::<_, Option<[u8; 16]>>(1)?.map(Uuid::from_bytes);
                    Ok(Self { position: Position::new(row.get(0)?), event_id })
                })
            })
            .map_err(read_error)
    }
}

impl Session<'_> {
    pub(super) fn applied(&self) -> Result<Position, ReadError> {
        Ok(Applied::read(self.connection)?.position)
    }

    /// Settles everything that is staged: what the server has is applied, and what it does not have is appended, by
    /// whomever it was staged. Nobody needs to wait for who is gone, and no outcome stays unknown.
    pub(super) fn recover(&self) -> Result<(), ReadError> {
        for _ in 0..MAX_MOVES {
            self.catch_up()?;
            if self.complete_staged()? {
                return Ok(());
            }
        }
        Err(ReadError::from(EngineError::Moved))
    }

    /// Appends the first staged batch that the server takes; `true` if none is left that it may take.
    fn complete_staged(&self) -> Result<bool, ReadError> {
        let mut refused = 0;
        for batch in self.keeper.staged(self.connection)? {
            let before = Position::new(batch.first.get() - 1);
            match self.engine.append(before, &batch.events()) {
                Ok(()) => {
                    self.settle(batch)?;
                    return Ok(false);
                }
                Err(EngineError::Moved) => return Ok(false),
                Err(EngineError::Refused(error)) => {
                    tracing::warn!(%error, first = %batch.first, "the server refuses what is staged");
                    refused += 1;
                    if refused == MOST_REFUSED {
                        return Err(ReadError::Unavailable(error));
                    }
                }
                Err(error @ (EngineError::Unavailable(_) | EngineError::Corrupt { .. })) => {
                    return Err(error.into());
                }
            }
        }
        Ok(true)
    }

    /// Brings replica and companion to where the server is.
    pub(super) fn catch_up(&self) -> Result<(), ReadError> {
        let head = self.engine.head()?;
        let mut applied = self.applied()?;
        if head < applied {
            return Err(ReadError::Corrupt {
                place: Place::Position(applied),
                detail: format!("the server of events ends at {head}"),
            });
        }
        loop {
            self.fill_replica(applied)?;
            if applied >= head {
                return Ok(());
            }
            match self.standing_behind(applied)? {
                Some(batch) => self.settle(batch)?,
                // Unless somebody else has settled it just now.
                None if self.applied()? == applied => return Err(unknown_entry(applied)),
                None => {}
            }
            applied = self.applied()?;
        }
    }

    /// Reads what the replica lacks up to `until`.
    fn fill_replica(&self, until: Position) -> Result<(), ReadError> {
        let mut at = read_tail(self.connection)?.head;
        while at < until {
            let missing = usize::try_from(until.get() - at.get()).unwrap_or(PAGE);
            let page = self.read(at, missing.min(PAGE))?;
            let _files = self.files.hold();
            self.begin()?;
            self.write_entries(at.next(), page.iter().map(|event| event.entry.as_slice()))?;
            self.commit()?;
            at = Position::new(at.get() + page.len() as u64);
        }
        Ok(())
    }

    /// At least one event, each of them what was written there.
    fn read(&self, after: Position, limit: usize) -> Result<Vec<EngineEvent>, ReadError> {
        let events = self.engine.read(after, limit)?;
        if events.is_empty() {
            return Err(corrupt(after.next(), "the server of events says that it has more, and has not"));
        }
        for (position, event) in (after.next().get()..).map(Position::new).zip(&events) {
            if !event.is_at(position) {
                return Err(corrupt(
                    position,
                    "what the server of events has there was not written there by us",
                ));
            }
        }
        Ok(events)
    }

    /// The staged batch that stands on the server behind `applied`, with its entries as the server has them.
    fn standing_behind(&self, applied: Position) -> Result<Option<Batch>, ReadError> {
        let mut standing = self.read(applied, 1)?;
        let staged = self.keeper.at(self.connection, applied.next())?;
        let same =
            |batch: &Batch| batch.entries.is_empty() || batch.entries.first() == Some(&standing[0].entry);
        let Some(mut batch) = staged.into_iter().find(same) else { return Ok(None) };
        while standing.len() < batch.count() {
            let last = Position::new(applied.get() + standing.len() as u64);
            let more = (batch.count() - standing.len()).min(PAGE);
            standing.extend(self.read(last, more)?);
        }
        let standing: Vec<_> = standing.into_iter().map(|event| event.entry).collect();
        if batch.arrived || batch.entries == standing {
            batch.entries = standing;
            return Ok(Some(batch));
        }
        Err(corrupt(applied.next(), "the server of events has only a part of what was appended at once"))
    }

    /// Writes what a batch that stands on the server changes, and forgets what was staged at its position.
    ///
    /// Nothing is lost with this transaction, it would be done again: so it does not wait for the disk.
    pub(super) fn settle(&self, batch: Batch) -> Result<(), ReadError> {
        let last = batch.last;
        // First what all nodes share: a node that dies now reads there what it has to apply.
        if let Some((companion, entry)) = self.keeper.shared().zip(batch.entries.last())
            && !batch.arrived
        {
            companion.settle(&batch, EngineEvent::new(last, entry.clone()).id)?;
        }
        {
            let _files = self.files.hold();
            self.execute("PRAGMA main.synchronous = NORMAL")?;
            // Entries first: a transaction becomes visible in one file after the other, and rows refer to entries.
            self.begin()?;
            if self.applied()?.next() == batch.first {
                self.write_entries(batch.first, batch.entries.iter().map(Vec::as_slice))?;
            }
            self.commit()?;
            self.begin()?;
            if self.applied()?.next() == batch.first {
                self.apply(batch)?;
            }
            self.commit()?;
            self.execute("PRAGMA main.synchronous = FULL")?;
        }
        // Somebody else may have settled it, and has another replica.
        self.fill_replica(last)
    }

    fn apply(&self, batch: Batch) -> Result<(), ReadError> {
        let (first, last) = (batch.first, batch.last);
        self.write_commands(first, &batch.entries)?;
        let event_id = batch.entries.last().map(|entry| EngineEvent::new(last, entry.clone()).id);
        for rows in batch.rows {
            let (span, commit) = rows.into_commit()?;
            let write = || -> rusqlite::Result<()> {
                claims::write(self.connection, &commit.claims)?;
                vault::write(self.connection, &commit, span.first_position)?;
                lookup::write(self.connection, &commit, span)
            };
            write().map_err(read_error)?;
        }
        let advance = || -> rusqlite::Result<()> {
            self.connection
                .prepare_cached("UPDATE applied SET position = ?1, event_id = ?2")?
                .execute(params![as_i64(last.get()), event_id.map(Uuid::into_bytes)])?;
            staged::remove_up_to(self.connection, last)
        };
        advance().map_err(read_error)
    }

    /// Writes entries into the replica that it does not have; those that it has must be the same.
    fn write_entries<'e>(
        &self,
        first: Position,
        entries: impl Iterator<Item = &'e [u8]>,
    ) -> Result<(), ReadError> {
        let head = read_tail(self.connection)?.head;
        let mut places = HashMap::new();
        for (position, entry) in (first.get()..).map(Position::new).zip(entries) {
            if position <= head {
                self.expect_same(position, entry)?;
            } else {
                self.write_entry(position, entry, &mut places)?;
            }
        }
        Ok(())
    }

    fn expect_same(&self, position: Position, entry: &[u8]) -> Result<(), ReadError> {
        let same: Option<bool> = self
            .connection
            .prepare_cached("SELECT entry = ?2 FROM events WHERE position = ?1")
            .and_then(|mut same| {
                same.query_row(params![as_i64(position.get()), entry], |row| row.get(0)).optional()
            })
            .map_err(read_error)?;
        if same == Some(true) { Ok(()) } else { Err(corrupt(position, "the replica has another entry")) }
    }

    fn write_entry(
        &self,
        position: Position,
        entry: &[u8],
        places: &mut HashMap<String, (i64, Revision)>,
    ) -> Result<(), ReadError> {
        let envelope = parse(position, entry)?;
        let (number, revision) = match places.entry(envelope.stream.to_string()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(self.place(&envelope.stream).map_err(read_error)?),
        };
        *revision = revision.next();
        if envelope.revision != *revision {
            return Err(corrupt(position, "the entry is not the next one of its stream"));
        }
        self.connection
            .prepare_cached("INSERT INTO events (position, stream, revision, entry) VALUES (?1, ?2, ?3, ?4)")
            .and_then(|mut insert| {
                insert.execute(params![as_i64(position.get()), *number, as_i64(revision.get()), entry])
            })
            .map(drop)
            .map_err(read_error)
    }

    /// Streams are numbered in the order of their first events, so that another replica gives them the same numbers: the
    /// claims of the companion go by them.
    fn place(&self, stream: &str) -> rusqlite::Result<(i64, Revision)> {
        let found = self
            .connection
            .prepare_cached(
                "SELECT number, (SELECT coalesce(max(revision), 0) FROM events WHERE stream = number)
                 FROM streams WHERE name = ?1",
            )?
            .query_row([stream], |row| Ok((row.get(0)?, Revision::new(row.get(1)?))))
            .optional()?;
        match found {
            Some(place) => Ok(place),
            None => {
                let mut insert = self.connection.prepare_cached("INSERT INTO streams (name) VALUES (?1)")?;
                Ok((insert.insert([stream])?, Revision::NONE))
            }
        }
    }

    fn write_commands(&self, first: Position, entries: &[Vec<u8>]) -> Result<(), ReadError> {
        let mut spans: Vec<(Uuid, Position, Position)> = Vec::new();
        for (position, entry) in (first.get()..).map(Position::new).zip(entries) {
            let command_id = parse(position, entry)?.command_id;
            match spans.last_mut() {
                Some((command, _, last)) if *command == command_id => *last = position,
                Some(_) | None => spans.push((command_id, position, position)),
            }
        }
        let write = || -> rusqlite::Result<()> {
            let mut insert = self.connection.prepare_cached(
                "INSERT INTO commands (command_id, first_position, last_position) VALUES (?1, ?2, ?3)",
            )?;
            for (command, first, last) in spans {
                insert.execute(params![command.as_bytes(), as_i64(first.get()), as_i64(last.get())])?;
            }
            Ok(())
        };
        write().map_err(read_error)
    }

    /// Whether the batch was applied.
    pub(super) fn holds(&self, batch: &Batch) -> Result<bool, ReadError> {
        let position = as_i64(batch.last.get());
        self.connection
            .prepare_cached("SELECT 1 FROM events WHERE position = ?1 AND entry = ?2")
            .and_then(|mut holds| holds.exists(params![position, batch.entries.last()]))
            .map_err(read_error)
    }

    pub(super) fn begin(&self) -> Result<(), ReadError> {
        self.execute("BEGIN IMMEDIATE")
    }

    pub(super) fn commit(&self) -> Result<(), ReadError> {
        self.execute("COMMIT")
    }

    pub(super) fn roll_back(&self) -> Result<(), ReadError> {
        self.execute("ROLLBACK")
    }

    fn execute(&self, statement: &str) -> Result<(), ReadError> {
        self.connection.execute_batch(statement).map_err(read_error)
    }

    /// Tells everybody how far the log reaches now, and which streams moved since they were told last.
    pub(super) fn announce(&self, shared: &Shared) -> Result<(), ReadError> {
        let known = *shared.head.borrow();
        let tail = read_tail(self.connection)?;
        if tail.head.get() - known.get().min(tail.head.get()) > MAX_TOLD {
            shared.heads.forget();
        } else {
            shared.heads.moved(self.moved_after(known)?);
        }
        shared.publish(tail);
        Ok(())
    }

    fn moved_after(&self, known: Position) -> Result<Vec<(StreamName, Revision)>, ReadError> {
        let read = || -> rusqlite::Result<Vec<(String, u64)>> {
            self.connection
                .prepare_cached(
                    "SELECT name, max(revision) FROM events JOIN streams ON number = stream
                     WHERE position > ?1 GROUP BY stream",
                )?
                .query_map([as_i64(known.get())], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        };
        let named = |(name, revision): (String, u64)| {
            let stream = stream_name(Place::Row("a stream".to_owned()), Some(&name))?;
            Ok((stream, Revision::new(revision)))
        };
        read().map_err(read_error)?.into_iter().map(named).collect()
    }
}

fn parse(position: Position, entry: &[u8]) -> Result<Envelope<'_>, ReadError> {
    Envelope::parse(entry).map_err(|error| corrupt(position, &error.to_string()))
}

fn corrupt(position: Position, detail: &str) -> ReadError {
    ReadError::Corrupt { place: Place::Position(position), detail: detail.to_owned() }
}
