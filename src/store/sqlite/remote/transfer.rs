//! A log on a server of events, with its companion, as one side of a transfer.

mod batches;
mod shared;

use std::path::Path;
use std::sync::{Arc, MutexGuard};

use async_trait::async_trait;
use rusqlite::{Connection, params};
use uuid::Uuid;

use self::shared::SharedCompanion;
use super::RemoteLog;
use super::opening::check_replica;
use crate::clock::SystemClock;
use crate::engine::{Engine, EngineEvent};
use crate::error::{OpenError, Place, ReadError};
use crate::event::Envelope;
use crate::position::Position;
use crate::rows::as_i64;
use crate::sqlite::directory::{DataDirectory, LogFile};
use crate::sqlite::tail::read_tail;
use crate::sqlite::transfer::{SqliteSide, kept, write, write_error};
use crate::sqlite::verify;
use crate::transfer::{Part, Row, Side, TransferError, Value, Which};
use crate::verify::{Defect, Verified};

/// So many entries are read at once to fill a replica.
const PAGE: usize = 500;

/// The entries on the server, and everything else in the files of a data directory that this process alone holds, or in a
/// database that nobody serves from meanwhile.
///
/// Nothing but the companion's mark tells of a transfer that is not finished: the server's stream has no place for one.
/// Another companion refuses the stream anyhow, since it does not know the entries.
pub struct RemoteSide {
    beside: Beside,
    engine: Arc<dyn Engine>,
}

/// Where everything is that is not on the server.
enum Beside {
    Node(Box<SqliteSide>),
    Nodes(Box<SharedCompanion>),
}

impl RemoteSide {
    /// Opens what is to be moved, and settles what the node left unsettled, as its next start would.
    ///
    /// # Errors
    /// See [`TransferError`]; among others if a service uses it, or the server does not answer.
    pub fn source(path: &Path, engine: Arc<dyn Engine>) -> Result<Self, TransferError> {
        DataDirectory::exists(path)?;
        let directory = match DataDirectory::open_companion(path) {
            Err(OpenError::Unfinished(_)) => return Err(TransferError::SourceUnfinished),
            opened => opened?,
        };
        drop(RemoteLog::open(&directory, Arc::clone(&engine), Arc::new(SystemClock))?);
        Ok(Self { beside: Beside::Node(Box::new(SqliteSide::of(directory)?)), engine })
    }

    /// The same of a log of several nodes, with its companion in a database. What is in that is made into tables in a node's
    /// directory, empty or of a node that was stopped.
    ///
    /// # Errors
    /// See [`TransferError`]; among others if a node is connected.
    pub async fn shared_source(
        node: &Path,
        companion: &str,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, TransferError> {
        let beside = SharedCompanion::source(node, companion, Arc::clone(&engine)).await?;
        Ok(Self { beside: Beside::Nodes(Box::new(beside)), engine })
    }

    /// Opens the place to which something is to be moved; makes the directory if it is not there.
    ///
    /// # Errors
    /// See [`OpenError`]; among others if the server does not answer.
    pub async fn target(path: &Path, engine: Arc<dyn Engine>) -> Result<Self, TransferError> {
        let file = DataDirectory::make(path, LogFile::Companion)?.log();
        check_replica(&file, engine.as_ref())?;
        let files = SqliteSide::target_of(path, LogFile::Companion)?;
        Self { beside: Beside::Node(Box::new(files)), engine }.gone_on_with().await
    }

    /// The same for several nodes, with a companion in a database that was migrated, by the role that owns it. The directory is
    /// of the first node.
    ///
    /// # Errors
    /// See [`TransferError`]; among others if a node is connected.
    pub async fn shared_target(
        node: &Path,
        companion: &str,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, TransferError> {
        let beside = SharedCompanion::target(node, companion, Arc::clone(&engine)).await?;
        Self { beside: Beside::Nodes(Box::new(beside)), engine }.gone_on_with().await
    }

    /// A transfer that was cut off may have appended what the replica does not have. Of what nobody began to move here, nothing
    /// is read.
    async fn gone_on_with(self) -> Result<Self, TransferError> {
        if self.is_unfinished().await? {
            self.fill_replica()?;
        }
        Ok(self)
    }

    /// The tables beside the entries, and the replica.
    fn log_file(&self) -> MutexGuard<'_, Connection> {
        match &self.beside {
            Beside::Node(files) => files.log(),
            Beside::Nodes(companion) => companion.rows_file(),
        }
    }

    fn fill_replica(&self) -> Result<(), TransferError> {
        let mut at = read_tail(&self.log_file())?.head;
        loop {
            let rows = self.entries(at, PAGE)?;
            if rows.is_empty() {
                return Ok(());
            }
            let (_, kept) = kept(Part::Entries);
            write(&mut self.log_file(), &kept, &[], &rows)?;
            at = Position::new(at.get() + rows.len() as u64);
        }
    }

    /// Rows of entries behind a position, as the server has them.
    fn entries(&self, after: Position, limit: usize) -> Result<Vec<Row>, TransferError> {
        let events = self.engine.read(after, limit).map_err(ReadError::from)?;
        let positions = (after.next().get()..).map(Position::new);
        positions.zip(events).map(|(position, event)| row(position, event)).collect()
    }

    fn head(&self) -> Result<Position, TransferError> {
        Ok(self.engine.head().map_err(ReadError::from)?)
    }

    /// As many of the events as fit in one append, at a time.
    fn append(&self, after: Position, mut events: &[EngineEvent]) -> Result<(), TransferError> {
        let most = self.engine.max_append_bytes();
        let mut after = after;
        while !events.is_empty() {
            let mut bytes = 0;
            let fits = events.iter().take_while(|event| {
                bytes += event.entry.len() + EngineEvent::OVERHEAD;
                bytes <= most
            });
            // One that is too large alone is the server's to refuse.
            let (now, later) = events.split_at(fits.count().max(1));
            self.engine.append(after, now).map_err(|error| TransferError::Write(Arc::new(error)))?;
            after = Position::new(after.get() + now.len() as u64);
            events = later;
        }
        Ok(())
    }
}

#[async_trait]
impl Side for RemoteSide {
    async fn log_id(&self) -> Result<Uuid, TransferError> {
        match &self.beside {
            Beside::Node(files) => files.log_id().await,
            Beside::Nodes(companion) => companion.database.log_id().await,
        }
    }

    async fn is_unfinished(&self) -> Result<bool, TransferError> {
        match &self.beside {
            Beside::Node(files) => files.is_unfinished().await,
            Beside::Nodes(companion) => companion.database.is_unfinished().await,
        }
    }

    async fn count(&self, part: Part) -> Result<u64, TransferError> {
        match &self.beside {
            _ if part == Part::Entries => Ok(self.head()?.get()),
            Beside::Node(files) => files.count(part).await,
            Beside::Nodes(companion) => companion.count(part).await,
        }
    }

    async fn rows(&self, part: Part, which: Which<'_>, limit: usize) -> Result<Vec<Row>, TransferError> {
        if part != Part::Entries {
            return match &self.beside {
                Beside::Node(files) => files.rows(part, which, limit).await,
                Beside::Nodes(companion) => companion.rows(part, which, limit).await,
            };
        }
        let position = |key: &[Value]| match key {
            [Value::Number(position), ..] => Position::new(position.unsigned_abs()),
            _ => Position::ORIGIN,
        };
        match which {
            Which::After(key) => self.entries(key.map_or(Position::ORIGIN, position), limit),
            Which::At(key) => self.entries(before(position(key)), 1),
            Which::Last => match self.head()? {
                Position::ORIGIN => Ok(Vec::new()),
                head => self.entries(before(head), 1),
            },
        }
    }

    async fn begin(&self, log_id: Uuid) -> Result<(), TransferError> {
        match &self.beside {
            Beside::Node(files) => files.begin(log_id).await,
            Beside::Nodes(companion) => companion.database.begin(log_id).await,
        }
    }

    async fn replace(&self, part: Part, gone: &[Row], added: &[Row]) -> Result<(), TransferError> {
        if part == Part::Entries {
            let events: Vec<(Position, EngineEvent)> = added.iter().filter_map(event).collect();
            if let Some((first, _)) = events.first() {
                let after = before(*first);
                let events: Vec<_> = events.into_iter().map(|(_, event)| event).collect();
                self.append(after, &events)?;
            }
        }
        match &self.beside {
            Beside::Node(files) => files.replace(part, gone, added).await,
            Beside::Nodes(companion) => companion.replace(part, gone, added).await,
        }
    }

    async fn verify(
        &self,
        progress: &mut (dyn FnMut(Position) + Send),
        report: &mut (dyn FnMut(Defect) + Send),
    ) -> Result<Verified, TransferError> {
        Ok(verify::verify(&self.log_file(), progress, report)?)
    }

    async fn finish(&self) -> Result<(), TransferError> {
        let last = self.rows(Part::Entries, Which::Last, 1).await?.iter().find_map(event);
        if let Some((head, last)) = &last {
            let come_so_far = "UPDATE applied SET position = ?1, event_id = ?2 WHERE position < ?1";
            let event_id = last.id.into_bytes();
            let rows = self.log_file();
            rows.execute(come_so_far, params![as_i64(head.get()), event_id]).map_err(write_error)?;
        }
        match &self.beside {
            Beside::Node(files) => files.finish().await,
            Beside::Nodes(companion) => companion.finish(last.map(|(_, last)| last.id)).await,
        }
    }
}

fn before(position: Position) -> Position {
    Position::new(position.get().saturating_sub(1))
}

fn row(position: Position, event: EngineEvent) -> Result<Row, TransferError> {
    let corrupt = |detail: String| ReadError::Corrupt { place: Place::Position(position), detail };
    if !event.is_at(position) {
        let detail = "what the server of events has there was not written there by us";
        return Err(corrupt(detail.to_owned()).into());
    }
    let envelope = Envelope::parse(&event.entry).map_err(|error| corrupt(error.to_string()))?;
    let stream = Value::Text(envelope.stream.to_string());
    let revision = Value::Number(as_i64(envelope.revision.get()));
    let position = Value::Number(as_i64(position.get()));
    Ok(vec![position, stream, revision, Value::Bytes(event.entry)])
}

fn event(row: &Row) -> Option<(Position, EngineEvent)> {
    let [Value::Number(position), _, _, Value::Bytes(entry)] = row.as_slice() else { return None };
    let position = Position::new(position.unsigned_abs());
    Some((position, EngineEvent::new(position, entry.clone())))
}
