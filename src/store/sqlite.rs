//! The embedded log: one SQLite file, one writer, group commit.

mod activity;
mod at_rest;
mod backup;
mod checkpoint;
mod claims;
mod commits;
mod directory;
#[cfg(test)]
mod fault;
mod keys;
mod lookup;
mod pool;
mod reader;
mod remote;
mod schema;
mod session;
mod tail;
mod transfer;
mod vault;
mod verify;
mod writer;

use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

pub use activity::SqliteActivity;
pub use at_rest::open_to_read;
pub use backup::{BackUpTo, BackedUp};
pub use directory::DataDirectory;
pub use keys::SqliteKeys;
pub use remote::{RemoteLog, RemoteSide};
pub use transfer::SqliteSide;

use self::commits::Commits;
use self::directory::LogFile;
use self::reader::Reader;
use self::schema::LOG;
use self::tail::read_tail;
use self::writer::{Writer, open_index};
use crate::clock::Clock;
use crate::commit::{ClaimKey, Commit, Disclosure, DisclosureRef, Receipt, RecordedCommand};
use crate::error::{AppendError, OpenError, ReadError};
use crate::event::RecordedEvent;
use crate::event_log::{EventLog, ScannedEvent, TokenPage, WriteProbe};
use crate::position::{Position, Revision};
use crate::request::{self, Request};
use crate::shared::Shared;
use crate::stream::StreamName;
use crate::subscription::Subscription;
use crate::verify::{Defect, Verified};

/// The log in `log.db`.
///
/// Reads run on the caller's thread and take microseconds; appends are written by one thread of the log's own. Opened
/// from a read-only directory it refuses appends, and finds what another process appends at the next read.
pub struct SqliteLog {
    reader: Arc<Reader>,
    shared: Arc<Shared>,
    writer: Option<Writer<Request>>,
    #[cfg(test)]
    faults: Arc<fault::Faults>,
    /// Keeps the lock for as long as the files are open.
    directory: DataDirectory,
}

/// The log was opened to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log was opened to read")]
struct OpenedToRead;

impl SqliteLog {
    /// Opens the log of a directory, and starts its writer unless the directory was opened to read.
    ///
    /// # Errors
    /// When a file cannot be opened, or the newest entry cannot be read.
    pub fn open(directory: &DataDirectory, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        directory.expect(LogFile::Log)?;
        let log = directory.log();
        let index = if directory.is_read_only() { None } else { Some(open_index(&LOG, &log)?) };
        let reader = Arc::new(Reader::open(&LOG, log.clone())?);
        let shared = Arc::new(Shared::new(clock, reader.with(read_tail)?));
        #[cfg(test)]
        let faults = Arc::<fault::Faults>::default();
        let commits = || Commits {
            shared: Arc::clone(&shared),
            #[cfg(test)]
            faults: Arc::clone(&faults),
        };
        let writer = index.map(|index| Writer::start("log", &LOG, &log, index, commits())).transpose()?;
        Ok(Self {
            reader,
            shared,
            writer,
            #[cfg(test)]
            faults,
            directory: directory.clone(),
        })
    }
}

#[async_trait]
impl EventLog for SqliteLog {
    async fn append(&self, commit: Commit) -> Result<Receipt, AppendError> {
        let writer = self.writer.as_ref().ok_or_else(|| AppendError::Unavailable {
            outcome_unknown: false,
            source: Arc::new(OpenedToRead),
        })?;
        request::append(&writer.queue, commit).await
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
        if self.writer.is_none() {
            return self.reader.head();
        }
        self.shared.expect_certain()?;
        Ok(*self.shared.head.borrow())
    }

    async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, ReadError> {
        let read = || self.reader.stream_revision(stream);
        // What another process writes nobody tells us of.
        if self.writer.is_none() { read() } else { self.shared.heads.get_or_read(stream, read) }
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
        let found = self.reader.find_command(command_id)?;
        // What can be read is durable. What cannot may still come back.
        if found.is_none() {
            self.shared.expect_certain()?;
        }
        Ok(found)
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
        self.writer.is_some()
    }

    /// Also copies the write-ahead log into the file and removes it. The directory's lock is released when the log, too, is
    /// dropped.
    async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
            // What a failed commit left in it must not become part of the log by being closed.
            if !self.shared.is_in_doubt() {
                self.reader.settle();
            }
        }
    }

    fn write_probe(&self) -> WriteProbe {
        self.directory.write_probe()
    }

    fn verify(
        &self,
        progress: &mut dyn FnMut(Position),
        report: &mut dyn FnMut(Defect),
    ) -> Result<Verified, ReadError> {
        self.reader.with(|connection| verify::verify(connection, progress, report))
    }
}

#[cfg(test)]
mod tests;
