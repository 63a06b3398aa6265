//! The log in Postgres, of one node or of several.

mod activity;
mod address;
mod aggregates;
mod batch;
mod companion;
mod database;
mod error;
mod facts;
mod head;
mod keys;
mod lead;
mod migrations;
mod notify;
mod reader;
mod remembered;
mod scan;
mod thread;
mod transfer;
mod verify;
mod writer;

use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

pub use activity::PostgresActivity;
pub use aggregates::PostgresAggregates;
pub(crate) use companion::NotStaged;
pub use companion::PostgresCompanion;
pub use database::PostgresDatabase;
pub use error::PostgresError;
pub use keys::PostgresKeys;
pub use migrations::migrate_postgres;
pub use transfer::PostgresSide;

use self::head::{Frontier, HeadReader, read_tail};
use self::lead::Lead;
use self::notify::Listener;
use self::reader::Reader;
use self::thread::Writer;
use self::writer::Commits;
use crate::clock::Clock;
use crate::commit::{ClaimKey, Commit, Disclosure, DisclosureRef, Receipt, RecordedCommand};
use crate::error::{AppendError, Cause, ReadError};
use crate::event::RecordedEvent;
use crate::event_log::{EventLog, ScannedEvent, TokenPage, WriteProbe};
use crate::position::{Position, Revision};
use crate::request::{self, Request};
use crate::shared::Shared;
use crate::stream::StreamName;
use crate::subscription::Subscription;
use crate::verify::{Defect, Verified};

/// The log in the tables of a Postgres database, which any number of nodes may share.
///
/// Each node has one writer. The head is read from the database each time, by one query for all who ask at the same moment.
pub struct PostgresLog {
    database: PostgresDatabase,
    reader: Reader,
    frontier: Arc<Frontier>,
    head: HeadReader,
    writer: Writer<Request>,
    lead: Lead,
    _listener: Listener,
}

impl PostgresLog {
    /// Opens the log of a database, and starts its writer.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn open(database: &PostgresDatabase, clock: Arc<dyn Clock>) -> Result<Self, PostgresError> {
        let asked = database.clone();
        let tail = database.wait(async move {
            let mut connection = asked.connect().await?;
            companion::expect_none(&mut connection).await?;
            Ok::<_, PostgresError>(read_tail(&mut connection, None).await?.0)
        })?;
        let frontier = Arc::new(Frontier::new(Shared::new(clock, tail), tail.head));
        let head = HeadReader::start(database, Arc::clone(&frontier));
        let commits = Commits::new(database.clone(), Arc::clone(&frontier)).map_err(sqlx::Error::Encode)?;
        Ok(Self {
            reader: Reader(database.clone()),
            writer: Writer::start("log", commits)?,
            _listener: Listener::start(database, Arc::clone(&frontier), head.clone()),
            lead: Lead::default(),
            database: database.clone(),
            frontier,
            head,
        })
    }
}

#[async_trait]
impl EventLog for PostgresLog {
    async fn append(&self, commit: Commit) -> Result<Receipt, AppendError> {
        request::append(&self.writer.queue, commit).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.reader.read_stream(stream, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.reader.read_all(after, limit).await
    }

    fn scan(
        &self,
        after: Position,
        visit: &mut dyn FnMut(ScannedEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        scan::scan(&self.database, after, visit)
    }

    async fn head(&self) -> Result<Position, ReadError> {
        self.frontier.shared.expect_certain()?;
        let head = self.head.read().await?;
        // The doubt may have come during the read.
        self.frontier.shared.expect_certain()?;
        Ok(head)
    }

    async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, ReadError> {
        // With the head comes which streams have moved since it was read last, on whatever node.
        let head = self.head().await?;
        self.stream_revision_since(stream, head).await
    }

    async fn stream_revision_since(
        &self,
        stream: &StreamName,
        head: Position,
    ) -> Result<Revision, ReadError> {
        self.frontier.shared.expect_certain()?;
        if !self.frontier.reaches(head) {
            self.head().await?;
        }
        match self.frontier.shared.heads.get(stream) {
            Ok(revision) => Ok(revision),
            Err(unknown) => {
                let revision = self.reader.stream_revision(stream).await?;
                self.frontier.shared.heads.was_read(stream, revision, unknown);
                Ok(revision)
            }
        }
    }

    async fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, ReadError> {
        self.reader.streams(category, after, limit).await
    }

    async fn claim_holder(&self, key: &ClaimKey) -> Result<Option<StreamName>, ReadError> {
        self.reader.claim_holder(key).await
    }

    fn claims(&self, visit: &mut dyn FnMut(ClaimKey, StreamName)) -> Result<(), ReadError> {
        scan::claims(&self.database, visit)
    }

    async fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError> {
        let certain = self.frontier.shared.expect_certain();
        let found = self.reader.find_command(command_id).await?;
        // What can be read is durable. What cannot may still come.
        if found.is_none() {
            certain?;
            self.frontier.shared.expect_certain()?;
        }
        Ok(found)
    }

    async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.reader.credential(id).await
    }

    async fn disclosures(&self, wanted: &[DisclosureRef]) -> Result<Vec<Disclosure>, ReadError> {
        self.reader.disclosures(wanted).await
    }

    async fn last_event_key_slot(&self) -> Result<u64, ReadError> {
        self.reader.last_event_key_slot().await
    }

    async fn positions_by_token(
        &self,
        token: &[u8; 16],
        page: TokenPage,
    ) -> Result<Vec<Position>, ReadError> {
        self.reader.positions_by_token(token, page).await
    }

    async fn newest_persons(&self, most: usize) -> Result<Vec<Uuid>, ReadError> {
        self.reader.newest_persons(most).await
    }

    fn subscribe(&self, after: Position) -> Subscription {
        let head = self.frontier.shared.head.subscribe();
        Subscription::new(Arc::new(self.reader.clone()), head, after)
    }

    fn now(&self) -> Timestamp {
        self.frontier.shared.now()
    }

    async fn credential_ids(&self) -> Result<Vec<String>, ReadError> {
        self.reader.credential_ids().await
    }

    async fn leads(&self) -> bool {
        self.lead.try_take(&self.database).await
    }

    async fn close(&self) {
        self.writer.close().await;
        self.lead.leave().await;
    }

    fn write_probe(&self) -> WriteProbe {
        let database = self.database.clone();
        Box::new(move || {
            let probed = database.clone();
            database
                .wait(async move { probed.probe_writing().await })
                .map_err(|error| Arc::new(error) as Cause)
        })
    }

    fn verify(
        &self,
        progress: &mut dyn FnMut(Position),
        report: &mut dyn FnMut(Defect),
    ) -> Result<Verified, ReadError> {
        verify::verify(&self.database, progress, report)
    }

    fn aggregates(&self) -> Option<PostgresAggregates> {
        Some(PostgresAggregates(self.database.clone()))
    }
}

#[cfg(test)]
mod tests;
