//! What is beside a log on a server of events, for several nodes, as a part of one side of a transfer.
//!
//! The database keeps batches, not tables. So the tables are files of a node's directory, as every node has them: made of the
//! batches where a log is moved from, and made into batches where it is moved to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use uuid::Uuid;

use super::batches::Batches;
use crate::clock::SystemClock;
use crate::engine::Engine;
use crate::error::OpenError;
use crate::node_directory::NodeDirectory;
use crate::position::Position;
use crate::postgres::PostgresSide;
use crate::sqlite::remote::opening::check_replica;
use crate::sqlite::remote::{RemoteLog, SHARED_ROWS};
use crate::sqlite::schema::COMPANION;
use crate::sqlite::transfer::{File, count, kept, select, write};
use crate::transfer::{Kept, PAGE, Part, Row, Side as _, TransferError, Which};

/// Where the tables are made a second time, to be compared.
const MADE_ANEW: &str = "made-anew";

/// A database, and a node's files.
pub(super) struct SharedCompanion {
    pub(super) database: PostgresSide,
    rows: Mutex<Connection>,
    engine: Arc<dyn Engine>,
    node: NodeDirectory,
}

impl SharedCompanion {
    pub(super) async fn source(
        node: &Path,
        url: &str,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, TransferError> {
        let (node, database) = (NodeDirectory::open(node)?, PostgresSide::companion_source(url).await?);
        if database.is_unfinished().await? {
            return Err(TransferError::SourceUnfinished);
        }
        make_anew(&node, &database, &engine)?;
        Self::open(node, database, engine)
    }

    pub(super) async fn target(
        node: &Path,
        url: &str,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, TransferError> {
        let (node, database) = (NodeDirectory::open(node)?, PostgresSide::companion_target(url).await?);
        let file = node.path().join(SHARED_ROWS);
        if has_batches(&database)? && !database.is_unfinished().await? {
            make_anew(&node, &database, &engine)?;
        } else {
            // What an earlier attempt brought here is gone on with, whatever batches it has made of it.
            COMPANION.migrate_disposable(&file)?;
            check_replica(&file, engine.as_ref())?;
        }
        Self::open(node, database, engine)
    }

    fn open(
        node: NodeDirectory,
        database: PostgresSide,
        engine: Arc<dyn Engine>,
    ) -> Result<Self, TransferError> {
        let rows = Mutex::new(COMPANION.open_to_write(&node.path().join(SHARED_ROWS))?);
        Ok(Self { database, rows, engine, node })
    }

    pub(super) fn rows_file(&self) -> MutexGuard<'_, Connection> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn count(&self, part: Part) -> Result<u64, TransferError> {
        match kept(part) {
            (File::Log, kept) => count(&self.rows_file(), &kept),
            (File::Keys | File::Activity, _) => self.database.count(part).await,
        }
    }

    pub(super) async fn rows(
        &self,
        part: Part,
        which: Which<'_>,
        limit: usize,
    ) -> Result<Vec<Row>, TransferError> {
        match kept(part) {
            (File::Log, kept) => select(&self.rows_file(), &kept, part, which, limit),
            (File::Keys | File::Activity, _) => self.database.rows(part, which, limit).await,
        }
    }

    pub(super) async fn replace(&self, part: Part, gone: &[Row], added: &[Row]) -> Result<(), TransferError> {
        match kept(part) {
            (File::Log, kept) => write(&mut self.rows_file(), &kept, gone, added),
            (File::Keys | File::Activity, _) => self.database.replace(part, gone, added).await,
        }
    }

    /// The tables become batches; and the batches, read as a node that joins reads them, become the same tables.
    pub(super) async fn finish(&self, last_event: Option<Uuid>) -> Result<(), TransferError> {
        if let Some(last_event) = last_event {
            let mut batches = Batches::of(&self.rows_file())?;
            let mut next = || Ok(batches.next(&self.rows_file())?);
            self.database.keep_arrived(&mut next, last_event).await?;
        }
        let anew = self.node.path().join(MADE_ANEW);
        remove(&anew)?;
        let joined = NodeDirectory::open(&anew)?;
        make_anew(&joined, &self.database, &self.engine)?;
        let made = COMPANION.open_to_read(&anew.join(SHARED_ROWS))?;
        for part in Part::ALL {
            if let (File::Log, kept) = kept(part) {
                self.expect_same(part, &made, &kept)?;
            }
        }
        drop((made, joined));
        remove(&anew)?;
        self.database.finish().await
    }

    fn expect_same(&self, part: Part, made: &Connection, kept: &Kept) -> Result<(), TransferError> {
        let mut after: Option<Row> = None;
        loop {
            let which = Which::After(after.as_deref());
            let page = select(&self.rows_file(), kept, part, which, PAGE)?;
            if select(made, kept, part, which, PAGE)? != page {
                return Err(TransferError::NotTheSame(part));
            }
            match page.last() {
                Some(last) => after = Some(part.key(last).to_vec()),
                None => return Ok(()),
            }
        }
    }
}

/// Makes the files of a node of what the database and the server say, as a node that joins does.
fn make_anew(
    node: &NodeDirectory,
    database: &PostgresSide,
    engine: &Arc<dyn Engine>,
) -> Result<(), TransferError> {
    // What the node had may be damaged: neither is it what is moved, nor is anything compared with it.
    let file = node.path().join(SHARED_ROWS);
    COMPANION.renew(&file)?;
    COMPANION.renew_attached(&file)?;
    let companion = database.companion()?;
    drop(RemoteLog::open_shared(node, companion, Arc::clone(engine), Arc::new(SystemClock))?);
    Ok(())
}

fn has_batches(database: &PostgresSide) -> Result<bool, TransferError> {
    let (position, _) = database.companion()?.arrived()?;
    Ok(position > Position::ORIGIN)
}

fn remove(directory: &PathBuf) -> Result<(), OpenError> {
    match std::fs::remove_dir_all(directory) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(OpenError::Io { path: directory.clone(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
