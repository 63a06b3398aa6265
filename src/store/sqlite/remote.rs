//! The log whose entries a server of events keeps.
//!
//! Beside the server there are two files. The replica has the entries again, for whoever reads: it can be made anew at any
//! time. The companion has all that is not in the entries; what it is to have of a commit is staged there before the server
//! hears of the commit, and is settled when the server has it. docs/adr/0013 says why.

mod commits;
mod compare;
mod head;
mod session;
mod staged;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use self::commits::{Commits, Request};
use self::head::HeadReader;
use self::session::{Applied, Files, Session};
use super::directory::LogFile;
use super::reader::Reader;
use super::schema::COMPANION;
use super::tail::read_tail;
use super::writer::{Writer, open_index};
use super::{DataDirectory, OpenedToRead, claims, lookup, vault};
use crate::clock::Clock;
use crate::commit::{ClaimKey, Commit, Disclosure, DisclosureRef, Receipt, RecordedCommand};
use crate::engine::{Engine, EngineEvent};
use crate::error::{AppendError, Cause, OpenError, Place, ReadError};
use crate::event::{Envelope, RecordedEvent};
use crate::event_log::{EventLog, ScannedEvent, TokenPage, WriteProbe};
use crate::position::{Position, Revision};
use crate::request;
use crate::shared::Shared;
use crate::stream::StreamName;
use crate::subscription::Subscription;
use crate::verify::{Defect, Verified};

/// The log on a server of events, with `companion.db` and `replica.db`, for the one node that has the directory.
///
/// Reads are answered by the files; where the log stands, by the server. Opened from a read-only directory it refuses
/// appends, and finds what the service has read from the server at the next read.
pub struct RemoteLog {
    // The order of dropping: who asks the writer ends before it.
    serving: Option<Serving>,
    reader: Arc<Reader>,
    shared: Arc<Shared>,
    engine: Arc<dyn Engine>,
    files: Arc<Files>,
    #[cfg(test)]
    faults: Arc<super::fault::Faults>,
    /// Keeps the lock for as long as the files are open.
    directory: DataDirectory,
}

struct Serving {
    head: HeadReader,
    writer: Writer<Request>,
}

/// The outcome of the command is not known: the server may have it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the command is on its way to the server of events")]
struct OnItsWay;

impl RemoteLog {
    /// Opens the log of a directory on a server, settles what was left unsettled, and starts its writer unless the
    /// directory was opened to read. Blocks the thread for as long as the server takes.
    ///
    /// # Errors
    /// When a file cannot be opened, when the server does not answer, and when it holds another log than the companion
    /// belongs to, or less of it.
    pub fn open(
        directory: &DataDirectory,
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        directory.expect(LogFile::Companion)?;
        let file = directory.log();
        let files = Arc::new(Files::default());
        #[cfg(test)]
        let faults = Arc::<super::fault::Faults>::default();
        if directory.is_read_only() {
            let reader = Arc::new(Reader::open(&COMPANION, file)?);
            let shared = Arc::new(Shared::new(clock, reader.with(read_tail)?));
            return Ok(Self {
                serving: None,
                reader,
                shared,
                engine,
                files,
                #[cfg(test)]
                faults,
                directory: directory.clone(),
            });
        }
        expect_same_log(&file, engine.as_ref())?;
        check_replica(&file, engine.as_ref())?;
        let index = open_index(&COMPANION, &file)?;
        Session { connection: &index, engine: engine.as_ref(), files: &files }.recover()?;
        let reader = Arc::new(Reader::open(&COMPANION, file.clone())?);
        let shared = Arc::new(Shared::new(clock, reader.with(read_tail)?));
        let target = Commits {
            shared: Arc::clone(&shared),
            engine: Arc::clone(&engine),
            files: Arc::clone(&files),
            #[cfg(test)]
            faults: Arc::clone(&faults),
        };
        let writer = Writer::start("log", &COMPANION, &file, index, target)?;
        let head = HeadReader::start(Arc::clone(&engine), Arc::clone(&shared), Arc::clone(&writer.queue))
            .map_err(|source| OpenError::Io { path: file, source })?;
        let serving = Some(Serving { head, writer });
        Ok(Self {
            serving,
            reader,
            shared,
            engine,
            files,
            #[cfg(test)]
            faults,
            directory: directory.clone(),
        })
    }

    /// Brings the replica to where the server is.
    async fn follow(&self) -> Result<Position, ReadError> {
        match &self.serving {
            Some(serving) => serving.head.head().await,
            None => self.reader.head(),
        }
    }

    fn is_staged(&self, command_id: Uuid) -> Result<bool, ReadError> {
        let batches = self.reader.with(staged::all)?;
        let mut entries = batches.iter().flat_map(|batch| &batch.entries);
        Ok(entries
            .any(|entry| Envelope::parse(entry).is_ok_and(|envelope| envelope.command_id == command_id)))
    }
}

/// The companion belongs to one log: the server must have the last entry that it knows.
fn expect_same_log(file: &Path, engine: &dyn Engine) -> Result<(), OpenError> {
    let Applied { position, event_id } = Applied::read(&COMPANION.open_to_read(file)?)?;
    let Some(event_id) = event_id else { return Ok(()) };
    let before = Position::new(position.get() - 1);
    let standing = engine.read(before, 1).map_err(ReadError::from)?;
    match standing.first() {
        Some(event) if event.id == event_id => Ok(()),
        Some(_) | None => Err(OpenError::Read(ReadError::Corrupt {
            place: Place::Position(position),
            detail:
                "the server of events holds another log than the companion belongs to, or has lost its end"
                    .to_owned(),
        })),
    }
}

/// A replica of something else, or a damaged one, is made anew.
fn check_replica(file: &Path, engine: &dyn Engine) -> Result<(), OpenError> {
    let newest = |connection: &rusqlite::Connection| -> rusqlite::Result<Option<(u64, Vec<u8>)>> {
        use rusqlite::OptionalExtension as _;
        connection
            .query_row("SELECT position, entry FROM events ORDER BY position DESC LIMIT 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
    };
    let found = newest(&COMPANION.open_to_read(file)?);
    let usable = match found {
        Ok(None) => true,
        Ok(Some((position, entry))) => {
            let event = EngineEvent::new(Position::new(position), entry);
            let before = Position::new(position.saturating_sub(1));
            engine.read(before, 1).map_err(ReadError::from)?.first() == Some(&event)
        }
        Err(error) => {
            tracing::warn!(%error, "reading the replica");
            false
        }
    };
    if usable {
        return Ok(());
    }
    tracing::warn!(file = %file.display(), "the replica is not one of this log, and is made anew");
    COMPANION.renew_attached(file)
}

#[async_trait]
impl EventLog for RemoteLog {
    async fn append(&self, commit: Commit) -> Result<Receipt, AppendError> {
        let serving = self.serving.as_ref().ok_or_else(|| AppendError::Unavailable {
            outcome_unknown: false,
            source: Arc::new(OpenedToRead),
        })?;
        request::append(&serving.writer.queue, commit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.reader.read_stream(stream, after, limit)
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.reader.read_all(after, limit)
    }

    fn scan(
        &self,
        after: Position,
        visit: &mut dyn FnMut(ScannedEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        self.reader.scan(after, visit)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.follow().await
    }

    async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, ReadError> {
        let read = || self.reader.stream_revision(stream);
        self.follow().await?;
        // What another process writes nobody tells us of.
        if self.serving.is_none() { read() } else { self.shared.heads.get_or_read(stream, read) }
    }

    async fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, ReadError> {
        self.reader.streams(category, after, limit)
    }

    async fn claim_holder(&self, key: &ClaimKey) -> Result<Option<StreamName>, ReadError> {
        self.reader.with(|connection| claims::holder(connection, key))
    }

    fn claims(&self, visit: &mut dyn FnMut(ClaimKey, StreamName)) -> Result<(), ReadError> {
        self.reader.with(|connection| claims::each(connection, visit))
    }

    async fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError> {
        let find = || self.reader.find_command(command_id);
        if let Some(found) = find()? {
            return Ok(Some(found));
        }
        // What is not settled may turn out to be recorded.
        self.shared.expect_certain()?;
        if self.is_staged(command_id)? {
            return Err(ReadError::Unavailable(Arc::new(OnItsWay)));
        }
        // It may have been settled in between.
        find()
    }

    async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.reader.with(|connection| vault::credential(connection, id))
    }

    async fn disclosures(&self, wanted: &[DisclosureRef]) -> Result<Vec<Disclosure>, ReadError> {
        self.reader.with(|connection| vault::disclosures(connection, wanted))
    }

    async fn last_event_key_slot(&self) -> Result<u64, ReadError> {
        self.reader.with(vault::last_event_key_slot)
    }

    async fn positions_by_token(
        &self,
        token: &[u8; 16],
        page: TokenPage,
    ) -> Result<Vec<Position>, ReadError> {
        self.reader.with(|connection| lookup::positions(connection, token, page))
    }

    async fn newest_persons(&self, most: usize) -> Result<Vec<Uuid>, ReadError> {
        self.reader.with(|connection| vault::newest_persons(connection, most))
    }

    fn subscribe(&self, after: Position) -> Subscription {
        Subscription::new(Arc::clone(&self.reader) as _, self.shared.head.subscribe(), after)
    }

    fn now(&self) -> Timestamp {
        self.shared.now()
    }

    async fn credential_ids(&self) -> Result<Vec<String>, ReadError> {
        self.reader.with(vault::credential_ids)
    }

    /// Nobody else has the directory.
    async fn leads(&self) -> bool {
        self.serving.is_some()
    }

    /// The directory's lock is released when the log, too, is dropped.
    async fn close(&self) {
        if let Some(serving) = &self.serving {
            serving.writer.close().await;
            // What a failed commit left in a write-ahead log must not become part of the file by being closed.
            if !self.shared.is_in_doubt() {
                self.reader.settle();
            }
        }
    }

    fn write_probe(&self) -> WriteProbe {
        let (files, engine) = (self.directory.write_probe(), Arc::clone(&self.engine));
        Box::new(move || {
            files()?;
            engine.head().map(drop).map_err(|error| Arc::new(error) as Cause)
        })
    }

    fn verify(
        &self,
        progress: &mut dyn FnMut(Position),
        report: &mut dyn FnMut(Defect),
    ) -> Result<Verified, ReadError> {
        compare::verify(self, progress, report)
    }
}
