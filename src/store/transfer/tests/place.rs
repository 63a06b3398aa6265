//! Places to move from and to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::activity::ActivityLog;
use crate::clock::ManualClock;
use crate::error::OpenError;
use crate::event_log::EventLog;
use crate::keys::KeyStore;
use crate::node_directory::NodeDirectory;
use crate::postgres::{
    PostgresActivity, PostgresCompanion, PostgresDatabase, PostgresError, PostgresKeys, PostgresLog,
    PostgresSide,
};
use crate::sqlite::{
    DataDirectory, RemoteLog, RemoteSide, SqliteActivity, SqliteKeys, SqliteLog, SqliteSide,
};
use crate::testing::{MemoryEngine, PostgresServer, TestDatabase};
use crate::transfer::{Side, TransferError};

/// Somewhere that a log can be.
pub(super) enum Place {
    Directory(TempDir),
    /// A server of events, with a companion in a directory.
    Server(TempDir, Arc<MemoryEngine>),
    /// A server of events, with a companion of several nodes in a database.
    Nodes(TempDir, Arc<MemoryEngine>, TestDatabase<'static>),
    Database(TestDatabase<'static>),
}

/// An instance that somebody serves from.
pub(super) struct Open {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) keys: Arc<dyn KeyStore>,
    pub(super) activity: Arc<dyn ActivityLog>,
    pub(super) clock: Arc<ManualClock>,
}

impl Place {
    pub(super) fn directory() -> Self {
        Self::Directory(tempfile::tempdir().unwrap())
    }

    pub(super) fn server() -> Self {
        Self::Server(tempfile::tempdir().unwrap(), Arc::default())
    }

    pub(super) async fn nodes() -> Self {
        let database = PostgresServer::shared().database().await;
        Self::Nodes(tempfile::tempdir().unwrap(), Arc::default(), database)
    }

    pub(super) async fn database() -> Self {
        Self::Database(PostgresServer::shared().database().await)
    }

    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Directory(directory) | Self::Server(directory, _) | Self::Nodes(directory, ..) => {
                directory.path().join("data")
            }
            Self::Database(_) => panic!("a database has no path"),
        }
    }

    pub(super) async fn open(&self) -> Open {
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        match self {
            Self::Directory(_) => {
                let open = || async { DataDirectory::open(&self.path()) };
                let data = soon(open, |error| matches!(error, OpenError::InUse { .. })).await.unwrap();
                Open {
                    log: Arc::new(SqliteLog::open(&data, Arc::clone(&clock) as _).unwrap()),
                    keys: Arc::new(SqliteKeys::open(&data).unwrap()),
                    activity: Arc::new(SqliteActivity::open(&data, Arc::clone(&clock) as _).unwrap()),
                    clock,
                }
            }
            Self::Server(_, engine) => {
                let open = || async { DataDirectory::open_companion(&self.path()) };
                let data = soon(open, |error| matches!(error, OpenError::InUse { .. })).await.unwrap();
                let engine = Arc::clone(engine) as _;
                Open {
                    log: Arc::new(RemoteLog::open(&data, engine, Arc::clone(&clock) as _).unwrap()),
                    keys: Arc::new(SqliteKeys::open(&data).unwrap()),
                    activity: Arc::new(SqliteActivity::open(&data, Arc::clone(&clock) as _).unwrap()),
                    clock,
                }
            }
            Self::Nodes(_, engine, database) => {
                let database = open_database(database).await.unwrap();
                let open = || async { NodeDirectory::open(&self.path()) };
                let node = soon(open, |error| matches!(error, OpenError::InUse { .. })).await.unwrap();
                let companion = PostgresCompanion::open(&database).unwrap();
                let (engine, clock_of_log) = (Arc::clone(engine) as _, Arc::clone(&clock) as _);
                Open {
                    log: Arc::new(RemoteLog::open_shared(&node, companion, engine, clock_of_log).unwrap()),
                    keys: Arc::new(PostgresKeys::new(&database)),
                    activity: Arc::new(PostgresActivity::open(&database, Arc::clone(&clock) as _).unwrap()),
                    clock,
                }
            }
            Self::Database(database) => {
                let database = open_database(database).await.unwrap();
                Open {
                    log: Arc::new(PostgresLog::open(&database, Arc::clone(&clock) as _).unwrap()),
                    keys: Arc::new(PostgresKeys::new(&database)),
                    activity: Arc::new(PostgresActivity::open(&database, Arc::clone(&clock) as _).unwrap()),
                    clock,
                }
            }
        }
    }

    pub(super) async fn try_source(&self) -> Result<Box<dyn Side>, TransferError> {
        Ok(match self {
            Self::Directory(_) => Box::new(SqliteSide::source(&self.path())?),
            Self::Server(_, engine) => Box::new(RemoteSide::source(&self.path(), Arc::clone(engine) as _)?),
            Self::Nodes(_, engine, database) => {
                let engine = Arc::clone(engine) as _;
                Box::new(RemoteSide::shared_source(&self.path(), &database.url(), engine).await?)
            }
            Self::Database(database) => Box::new(PostgresSide::source(&database.url()).await?),
        })
    }

    pub(super) async fn try_target(&self) -> Result<Box<dyn Side>, TransferError> {
        Ok(match self {
            Self::Directory(_) => Box::new(SqliteSide::target(&self.path())?),
            Self::Server(_, engine) => {
                Box::new(RemoteSide::target(&self.path(), Arc::clone(engine) as _).await?)
            }
            Self::Nodes(_, engine, database) => {
                let engine = Arc::clone(engine) as _;
                Box::new(RemoteSide::shared_target(&self.path(), &database.owner_url(), engine).await?)
            }
            Self::Database(database) => Box::new(PostgresSide::target(&database.owner_url()).await?),
        })
    }

    /// Waits until the server has noticed that those are gone who used it.
    pub(super) async fn source(&self) -> Box<dyn Side> {
        self.source_soon().await.unwrap()
    }

    /// The same, of what may be refused for something else.
    pub(super) async fn source_soon(&self) -> Result<Box<dyn Side>, TransferError> {
        soon(|| self.try_source(), is_in_use).await
    }

    /// As [`Self::source`].
    pub(super) async fn target(&self) -> Box<dyn Side> {
        soon(|| self.try_target(), is_in_use).await.unwrap()
    }

    /// Fails unless nobody can serve from it because of the mark.
    pub(super) async fn refuses_to_serve(&self) {
        match self {
            Self::Directory(_) => {
                for opened in [DataDirectory::open(&self.path()), DataDirectory::open_read_only(&self.path())]
                {
                    let refused = opened.unwrap_err();
                    assert!(matches!(refused, OpenError::Unfinished(_)), "{refused}");
                }
            }
            Self::Server(..) => {
                for opened in
                    [DataDirectory::open_companion(&self.path()), DataDirectory::open_read_only(&self.path())]
                {
                    let refused = opened.unwrap_err();
                    assert!(matches!(refused, OpenError::Unfinished(_)), "{refused}");
                }
            }
            Self::Nodes(_, _, database) | Self::Database(database) => {
                let refused = open_database(database).await.map(drop).unwrap_err();
                assert!(matches!(refused, PostgresError::Unfinished), "{refused}");
            }
        }
    }
}

async fn open_database(database: &TestDatabase<'_>) -> Result<PostgresDatabase, PostgresError> {
    let open = || async { PostgresDatabase::open(&database.url()) };
    soon(open, |error| matches!(error, PostgresError::Moving)).await
}

fn is_in_use(error: &TransferError) -> bool {
    matches!(error, TransferError::InUse | TransferError::Open(OpenError::InUse { .. }))
}

/// Tries again while the server has not noticed yet that somebody is gone, or while a program that another test is starting
/// has not closed yet what it inherits.
async fn soon<T, E>(mut open: impl AsyncFnMut() -> Result<T, E>, again: impl Fn(&E) -> bool) -> Result<T, E> {
    for _ in 0..1_000 {
        match open().await {
            Err(error) if again(&error) => tokio::time::sleep(Duration::from_millis(5)).await,
            opened => return opened,
        }
    }
    open().await
}

impl Open {
    pub(super) async fn close(&self) {
        self.log.close().await;
        self.activity.close().await;
    }
}
