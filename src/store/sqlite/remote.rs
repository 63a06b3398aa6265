//! The log whose entries a server of events keeps.
//!
//! Beside the server there are two files. The replica has the entries again, for whoever reads: it can be made anew at any
//! time. The companion has all that is not in the entries; what it is to have of a commit is staged there before the server
//! hears of the commit, and is settled when the server has it. docs/adr/0013 says why.

mod commits;
mod compare;
mod head;
mod keeper;
mod opening;
mod session;
mod staged;
#[cfg(test)]
mod tests;
mod transfer;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use self::commits::{Commits, Request};
use self::head::HeadReader;
use self::keeper::Keeper;
use self::opening::{check_replica, expect_all, expect_same_log, is_same_log, older_companion};
use self::session::{Applied, Files, Session};
pub use self::transfer::RemoteSide;
use super::directory::LogFile;
use super::reader::Reader;
use super::schema::COMPANION;
use super::tail::read_tail;
use super::writer::{Writer, open_index};
use super::{DataDirectory, OpenedToRead, claims, lookup, vault};
use crate::clock::Clock;
use crate::commit::{ClaimKey, Commit, Disclosure, DisclosureRef, Receipt, RecordedCommand};
use crate::engine::Engine;
use crate::error::{AppendError, Cause, OpenError, ReadError};
use crate::event::{Envelope, RecordedEvent};
use crate::event_log::{EventLog, ScannedEvent, TokenPage, WriteProbe};
use crate::node_directory::NodeDirectory;
use crate::position::{Position, Revision};
use crate::postgres::PostgresCompanion;
use crate::request;
use crate::shared::Shared;
use crate::stream::StreamName;
use crate::subscription::Subscription;
use crate::verify::{Defect, Verified};

/// The rows of a log whose companion several nodes share.
const SHARED_ROWS: &str = "rows.db";
/// The log on a server of events, with `companion.db` and `replica.db` for the one node that has the directory; or with a
/// companion that several nodes share.
///
/// Reads are answered by the files; where the log stands, by the server. Opened from a read-only directory it refuses
/// appends, and finds what the service has read from the server at the next read.
pub struct RemoteLog {
    // The order of dropping: who asks the writer ends before it.
    serving: Option<Serving>,
    reader: Arc<Reader>,
    shared: Arc<Shared>,
    engine: Arc<dyn Engine>,
    keeper: Arc<Keeper>,
    files: Arc<Files>,
    #[cfg(test)]
    faults: Arc<super::fault::Faults>,
    home: Home,
}

/// Where the files are; keeps the lock for as long as they are open.
enum Home {
    Alone(DataDirectory),
    /// `None` if it only reads.
    AmongOthers {
        _node: Option<NodeDirectory>,
    },
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
        let (file, home) = (directory.log(), Home::Alone(directory.clone()));
        if directory.is_read_only() {
            return Self::to_read(file, Keeper::Node, engine, clock, home);
        }
        expect_same_log(&Applied::of_file(&file)?, engine.as_ref())?;
        Self::serve(file, Keeper::Node, engine, clock, home)
    }

    /// Opens the log on a server as one of several nodes, that share a companion: the files in the node's own directory are
    /// made of what is in that and on the server, and may be lost at any time.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_shared(
        node: &NodeDirectory,
        companion: PostgresCompanion,
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let (position, event_id) = companion.arrived()?;
        expect_same_log(&Applied { position, event_id }, engine.as_ref())?;
        for file in [LogFile::Log, LogFile::Companion].map(LogFile::name) {
            if node.path().join(file).exists() {
                return Err(OpenError::LogElsewhere { path: node.path().to_owned(), file });
            }
        }
        let file = node.path().join(SHARED_ROWS);
        COMPANION.migrate_disposable(&file)?;
        let here = Applied::of_file(&file)?;
        match is_same_log(&here, engine.as_ref())? {
            true if here.position <= position => {}
            // What the node has here may be the only copy that is left.
            true => return Err(OpenError::Read(older_companion(position, here.position))),
            false => {
                tracing::warn!(file = %file.display(), "the rows of another log are made anew");
                COMPANION.renew(&file)?;
            }
        }
        let keeper = Keeper::Shared(Arc::new(companion));
        Self::serve(file, keeper, engine, clock, Home::AmongOthers { _node: Some(node.clone()) })
    }

    /// Opens, to read, what one of several nodes has of the log, whether or not it is running: it refuses appends, and
    /// finds what the node has read from the server at the next read.
    ///
    /// # Errors
    /// [`OpenError::Missing`] if no node was here; [`ReadError::Unavailable`] if it has not all that the server has; others if
    /// its files cannot be read.
    pub fn open_shared_to_read(
        node: &Path,
        companion: PostgresCompanion,
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let file = node.join(SHARED_ROWS);
        if !COMPANION.exists(&file, false)? {
            return Err(OpenError::Missing(node.to_owned()));
        }
        // In this order: a node that runs has its rows only once the companion says that they arrived.
        let here = Applied::of_file(&file)?.position;
        let (arrived, _) = companion.arrived()?;
        if arrived < here {
            return Err(OpenError::Read(older_companion(arrived, here)));
        }
        let keeper = Keeper::Shared(Arc::new(companion));
        Self::to_read(file, keeper, engine, clock, Home::AmongOthers { _node: None })
    }

    fn to_read(
        file: PathBuf,
        keeper: Keeper,
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        home: Home,
    ) -> Result<Self, OpenError> {
        expect_same_log(&Applied::of_file(&file)?, engine.as_ref())?;
        let reader = Arc::new(Reader::open(&COMPANION, file)?);
        expect_all(&reader, &keeper, engine.as_ref())?;
        let shared = Arc::new(Shared::new(clock, reader.with(read_tail)?));
        Ok(Self {
            serving: None,
            reader,
            shared,
            engine,
            keeper: Arc::new(keeper),
            files: Arc::default(),
            #[cfg(test)]
            faults: Arc::default(),
            home,
        })
    }

    fn serve(
        file: PathBuf,
        keeper: Keeper,
        engine: Arc<dyn Engine>,
        clock: Arc<dyn Clock>,
        home: Home,
    ) -> Result<Self, OpenError> {
        check_replica(&file, engine.as_ref())?;
        let index = open_index(&COMPANION, &file)?;
        let (files, keeper) = (Arc::<Files>::default(), Arc::new(keeper));
        #[cfg(test)]
        let faults = Arc::<super::fault::Faults>::default();
        let session = Session { connection: &index, engine: engine.as_ref(), keeper: &keeper, files: &files };
        session.recover()?;
        let reader = Arc::new(Reader::open(&COMPANION, file.clone())?);
        let shared = Arc::new(Shared::new(clock, reader.with(read_tail)?));
        let target = Commits {
            shared: Arc::clone(&shared),
            engine: Arc::clone(&engine),
            keeper: Arc::clone(&keeper),
            files: Arc::clone(&files),
            #[cfg(test)]
            faults: Arc::clone(&faults),
        };
        let writer = Writer::start("log", &COMPANION, &file, index, target)?;
        let head = HeadReader::start(Arc::clone(&engine), Arc::clone(&shared), Arc::clone(&writer.queue))
            .map_err(|source| OpenError::Io { path: file, source })?;
        Ok(Self {
            serving: Some(Serving { head, writer }),
            reader,
            shared,
            engine,
            keeper,
            files,
            #[cfg(test)]
            faults,
            home,
        })
    }

    /// Before the rows are read by which one node finds what another has recorded.
    async fn follow_others(&self) -> Result<(), ReadError> {
        match self.keeper.shared() {
            Some(_) => self.follow().await.map(drop),
            None => Ok(()),
        }
    }

    /// Brings the replica to where the server is.
    async fn follow(&self) -> Result<Position, ReadError> {
        match &self.serving {
            Some(serving) => serving.head.head().await,
            None => self.reader.head(),
        }
    }

    async fn is_staged(&self, command_id: Uuid) -> Result<bool, ReadError> {
        let (reader, keeper) = (Arc::clone(&self.reader), Arc::clone(&self.keeper));
        // A database that does not answer must not hold up those who ask for something else.
        let asked = tokio::task::spawn_blocking(move || reader.with(|connection| keeper.staged(connection)));
        let batches = asked.await.map_err(|error| ReadError::Unavailable(Arc::new(error)))??;
        let mut entries = batches.iter().flat_map(|batch| &batch.entries);
        Ok(entries
            .any(|entry| Envelope::parse(entry).is_ok_and(|envelope| envelope.command_id == command_id)))
    }
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

    async fn stream_revision_since(
        &self,
        stream: &StreamName,
        head: Position,
    ) -> Result<Revision, ReadError> {
        // What the server said to whoever asks was read up to there.
        if self.serving.is_none() || *self.shared.head.borrow() < head {
            return self.stream_revision(stream).await;
        }
        self.shared.expect_certain()?;
        self.shared.heads.get_or_read(stream, || self.reader.stream_revision(stream))
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
        self.follow_others().await?;
        self.reader.with(|connection| claims::holder(connection, key))
    }

    fn claims(&self, visit: &mut dyn FnMut(ClaimKey, StreamName)) -> Result<(), ReadError> {
        self.reader.with(|connection| claims::each(connection, visit))
    }

    async fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError> {
        self.follow_others().await?;
        let find = || self.reader.find_command(command_id);
        if let Some(found) = find()? {
            return Ok(Some(found));
        }
        // What is not settled may turn out to be recorded.
        self.shared.expect_certain()?;
        if self.is_staged(command_id).await? {
            return Err(ReadError::Unavailable(Arc::new(OnItsWay)));
        }
        // It may have been settled in between, by another node too.
        self.follow_others().await?;
        find()
    }

    async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.reader.with(|connection| vault::credential(connection, id))
    }

    async fn disclosures(&self, wanted: &[DisclosureRef]) -> Result<Vec<Disclosure>, ReadError> {
        self.reader.with(|connection| vault::disclosures(connection, wanted))
    }

    async fn last_event_key_slot(&self) -> Result<u64, ReadError> {
        self.follow_others().await?;
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

    async fn leads(&self) -> bool {
        match self.keeper.shared() {
            Some(companion) => companion.leads().await,
            // Nobody else has the directory.
            None => self.serving.is_some(),
        }
    }

    /// The directory's lock is released when the log, too, is dropped.
    async fn close(&self) {
        if let Some(companion) = self.keeper.shared() {
            companion.leave().await;
        }
        if let Some(serving) = &self.serving {
            serving.writer.close().await;
            // What a failed commit left in a write-ahead log must not become part of the file by being closed.
            if !self.shared.is_in_doubt() {
                self.reader.settle();
            }
        }
    }

    fn write_probe(&self) -> WriteProbe {
        let (keeper, engine) = (Arc::clone(&self.keeper), Arc::clone(&self.engine));
        let files = match &self.home {
            Home::Alone(directory) => Some(directory.write_probe()),
            Home::AmongOthers { .. } => None,
        };
        Box::new(move || {
            files.map_or(Ok(()), |probe| probe())?;
            keeper.shared().map_or(Ok(()), PostgresCompanion::probe)?;
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
