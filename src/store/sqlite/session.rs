//! The writer's work on one connection: staging commits into a transaction.
//!
//! A session ends with its first failure, and with it everything that it remembered of the database.

use std::collections::HashMap;
use std::error::Error;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Statement, params};
use serde::Serialize;
use uuid::Uuid;

use super::reader::{as_i64, find_command};
use super::tail::Tail;
use super::{claims, lookup, vault};
use crate::canonical::CanonicalJson;
use crate::clock::to_rfc3339;
use crate::commit::{ClaimChange, Receipt};
use crate::error::{AppendError, InvalidCommit, ReadError};
use crate::position::{Position, Revision};
use crate::prepared::{CLOCK_STREAM, PreparedCommit, PreparedStream};
use crate::stream::StreamName;

/// So many streams are remembered; what is forgotten is looked up again.
const MAX_REMEMBERED: usize = 16_384;

/// A failure of the database, which ends the session.
pub(super) type Failure = Box<dyn Error + Send + Sync>;

/// What became of one commit in a transaction that still has to become durable.
pub(super) type Staged = Result<Receipt, AppendError>;

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

/// Where a stream stands; a stream without a number has no event.
#[derive(Clone, Copy, Default)]
struct Place {
    number: Option<i64>,
    revision: Revision,
}

/// The time of one transaction: all of its entries carry it.
pub(super) struct Moment {
    at: Timestamp,
    text: String,
}

#[derive(Serialize)]
struct ClockStepped {
    from: String,
    to: String,
}

impl Moment {
    pub(super) fn new(at: Timestamp) -> Self {
        Self { at, text: to_rfc3339(at) }
    }
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
        let tail = Tail::read(connection)?;
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

    pub(super) fn tail(&self) -> Tail {
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

    /// Writes one commit into the open transaction, or refuses it having written nothing of it.
    pub(super) fn stage(&mut self, commit: &PreparedCommit, moment: &Moment) -> Result<Staged, Failure> {
        if let Some(refusal) = self.check(commit)? {
            // The first attempt of this very command may be what moved the stream.
            let recorded = find_command(self.connection, commit.command_id)?;
            return Ok(Err(recorded.map_or(refusal, AppendError::DuplicateCommand)));
        }
        if self.tail.last_at.is_some_and(|last| moment.at < last) {
            if let Some(recorded) = find_command(self.connection, commit.command_id)? {
                return Ok(Err(AppendError::DuplicateCommand(recorded)));
            }
            self.record_step(commit, moment)?;
        }
        self.record(commit, moment)
    }

    fn check(&mut self, commit: &PreparedCommit) -> Result<Option<AppendError>, Failure> {
        for PreparedStream { name, expected, .. } in &commit.streams {
            let actual = self.place(name)?.revision;
            if !expected.accepts(actual) {
                let (stream, expected) = (name.clone(), *expected);
                return Ok(Some(AppendError::WrongExpectedRevision { stream, expected, actual }));
            }
        }
        if !commit.claims.is_empty() {
            if let Some(stream) = self.stream_without_event(commit)? {
                return Ok(Some(InvalidCommit::ClaimWithoutStream(stream).into()));
            }
            if let Some(refusal) = claims::check(self.connection, &commit.claims)? {
                return Ok(Some(refusal));
            }
        }
        Ok(vault::check(self.connection, commit)?.map(AppendError::Invalid))
    }

    fn stream_without_event(&mut self, commit: &PreparedCommit) -> rusqlite::Result<Option<StreamName>> {
        for change in &commit.claims {
            let ClaimChange::Take { stream, .. } = change else { continue };
            let begins =
                commit.streams.iter().any(|begun| begun.name == *stream && !begun.entries.is_empty());
            if !begins && self.place(stream)?.number.is_none() {
                return Ok(Some(stream.clone()));
            }
        }
        Ok(None)
    }

    fn record_step(&mut self, commit: &PreparedCommit, moment: &Moment) -> Result<(), Failure> {
        let from = self.tail.last_at.map(to_rfc3339).unwrap_or_default();
        let data = CanonicalJson::from_serialize(&ClockStepped { from, to: moment.text.clone() })?;
        let step = commit.clock_stepped(CLOCK_STREAM.parse()?, data)?;
        self.record(&step, moment)?.map(drop).map_err(Failure::from)
    }

    fn record(&mut self, commit: &PreparedCommit, moment: &Moment) -> Result<Staged, Failure> {
        let first = self.tail.head.next();
        let last = Position::new(self.tail.head.get() + commit.events);
        if !self.insert_command(commit.command_id, first, last)? {
            return match find_command(self.connection, commit.command_id)? {
                Some(recorded) => Ok(Err(AppendError::DuplicateCommand(recorded))),
                None => Err("a command is recorded that cannot be found".into()),
            };
        }
        let mut revisions = Vec::with_capacity(commit.streams.len());
        for stream in &commit.streams {
            revisions.push((stream.name.clone(), self.record_stream(stream, moment)?));
        }
        claims::write(self.connection, &commit.claims)?;
        vault::write(self.connection, commit, first)?;
        lookup::write(self.connection, commit, first, last)?;
        self.tail.last_at = Some(moment.at);
        Ok(Ok(Receipt { first_position: first, position: last, at: moment.at, revisions }))
    }

    /// `false` if the command is there already.
    fn insert_command(&mut self, id: Uuid, first: Position, last: Position) -> rusqlite::Result<bool> {
        let parameters = params![id.as_bytes(), as_i64(first.get()), as_i64(last.get())];
        Ok(self.statements.insert_command.execute(parameters)? == 1)
    }

    fn record_stream(&mut self, stream: &PreparedStream, moment: &Moment) -> Result<Revision, Failure> {
        let mut place = self.place(&stream.name)?;
        if stream.entries.is_empty() {
            return Ok(place.revision);
        }
        let number = match place.number {
            Some(number) => number,
            None => self.statements.insert_stream.insert([stream.name.as_str()])?,
        };
        for template in &stream.entries {
            let position = self.tail.head.next();
            place = Place { number: Some(number), revision: place.revision.next() };
            template.complete(&moment.text, place.revision, &mut self.entry);
            self.statements.insert_event.execute(params![
                as_i64(position.get()),
                number,
                as_i64(place.revision.get()),
                self.entry.as_bytes()
            ])?;
            self.tail.head = position;
            self.entry_bytes += self.entry.len();
        }
        self.remember(&stream.name, place);
        self.moved.push((stream.name.clone(), place.revision));
        Ok(place.revision)
    }

    fn place(&mut self, stream: &StreamName) -> rusqlite::Result<Place> {
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
