//! Where log, activity and keys are kept.

use std::path::PathBuf;
use std::sync::Arc;

use crypto::ExposeSecret;
use store::{
    ActivityLog, DataDirectory, Engine, EventLog, KeyStore, NodeDirectory, PostgresActivity,
    PostgresCompanion, PostgresDatabase, PostgresKeys, PostgresLog, RemoteLog, SqliteActivity, SqliteKeys,
    SqliteLog, SystemClock,
};

use crate::config::{Config, KurrentPlace, LogPlace};

/// The place of everything durable of an instance.
pub struct Backend {
    /// Where the entries are, if they are on a server of events.
    engine: Option<Arc<dyn Engine>>,
    /// Where everything else is.
    rest: Rest,
}

/// The place of everything that is not on a server of events.
enum Rest {
    /// Files in the data directory.
    Embedded(DataDirectory),
    /// A database that several nodes share.
    Postgres {
        database: PostgresDatabase,
        /// The node's own directory, held for as long as this process is the node.
        node: Node,
    },
}

/// The node's own directory.
enum Node {
    Held(NodeDirectory),
    /// Read only, whoever holds it.
    Looked(PathBuf),
}

impl Backend {
    /// Opens the place to write; makes what is missing.
    ///
    /// # Errors
    /// Whatever keeps it from being opened; nothing is changed then but what was missing.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let directory = &config.data.directory;
        let place = config.log.place()?;
        let engine = engine_of(&place)?;
        let rest = match place {
            LogPlace::Embedded => Rest::Embedded(DataDirectory::open(directory)?),
            LogPlace::Kurrent(KurrentPlace { companion: None, .. }) => {
                Rest::Embedded(DataDirectory::open_companion(directory)?)
            }
            LogPlace::Postgres(url) | LogPlace::Kurrent(KurrentPlace { companion: Some(url), .. }) => {
                let node = Node::Held(NodeDirectory::open(directory)?);
                Rest::Postgres { database: PostgresDatabase::open(url.expose_secret())?, node }
            }
        };
        Ok(Self { engine, rest })
    }

    /// Opens the place to read, whether or not a service is using it.
    ///
    /// # Errors
    /// If it is not there or not readable.
    pub fn open_to_read(config: &Config) -> anyhow::Result<Self> {
        let directory = &config.data.directory;
        let place = config.log.place()?;
        let engine = engine_of(&place)?;
        let rest = match place {
            LogPlace::Embedded | LogPlace::Kurrent(KurrentPlace { companion: None, .. }) => {
                Rest::Embedded(DataDirectory::open_read_only(directory)?)
            }
            LogPlace::Postgres(url) | LogPlace::Kurrent(KurrentPlace { companion: Some(url), .. }) => {
                let database = PostgresDatabase::open(url.expose_secret())?;
                Rest::Postgres { database, node: Node::Looked(directory.clone()) }
            }
        };
        Ok(Self { engine, rest })
    }

    /// What was decided.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn log(&self) -> anyhow::Result<Arc<dyn EventLog>> {
        let clock = Arc::new(SystemClock);
        Ok(match (&self.engine, &self.rest) {
            (None, Rest::Embedded(directory)) => Arc::new(SqliteLog::open(directory, clock)?),
            (None, Rest::Postgres { database, .. }) => Arc::new(PostgresLog::open(database, clock)?),
            (Some(engine), Rest::Embedded(directory)) => {
                Arc::new(RemoteLog::open(directory, Arc::clone(engine), clock)?)
            }
            (Some(engine), Rest::Postgres { database, node: Node::Held(node) }) => {
                let companion = PostgresCompanion::open(database)?;
                Arc::new(RemoteLog::open_shared(node, companion, Arc::clone(engine), clock)?)
            }
            (Some(engine), Rest::Postgres { database, node: Node::Looked(directory) }) => {
                let companion = PostgresCompanion::open(database)?;
                Arc::new(RemoteLog::open_shared_to_read(directory, companion, Arc::clone(engine), clock)?)
            }
        })
    }

    /// What clients do.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn activity(&self) -> anyhow::Result<Arc<dyn ActivityLog>> {
        Ok(match &self.rest {
            Rest::Embedded(directory) => Arc::new(SqliteActivity::open(directory, Arc::new(SystemClock))?),
            Rest::Postgres { database, .. } => {
                Arc::new(PostgresActivity::open(database, Arc::new(SystemClock))?)
            }
        })
    }

    /// What opens the vault.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn keys(&self) -> anyhow::Result<Arc<dyn KeyStore>> {
        Ok(match &self.rest {
            Rest::Embedded(directory) => Arc::new(SqliteKeys::open(directory)?),
            Rest::Postgres { database, .. } => Arc::new(PostgresKeys::new(database)),
        })
    }

    /// Whether the keys were made for this log. In a database they are beside it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn keys_are_of_this_log(&self) -> anyhow::Result<bool> {
        match &self.rest {
            Rest::Embedded(directory) => Ok(directory.keys_are_of_this_log()?),
            Rest::Postgres { .. } => Ok(true),
        }
    }

    /// Whether activity and keys are files in the data directory.
    pub fn is_in_files(&self) -> bool {
        matches!(self.rest, Rest::Embedded(_))
    }
}

/// Where the entries of the log are, if a server of events has them.
fn engine_of(place: &LogPlace) -> anyhow::Result<Option<Arc<dyn Engine>>> {
    match place {
        LogPlace::Embedded | LogPlace::Postgres(_) => Ok(None),
        LogPlace::Kurrent(place) => Ok(Some(kurrent::open(place.url.expose_secret(), &place.stream)?)),
    }
}

/// The log of an instance, to read, whether or not a service is using it.
///
/// # Errors
/// If it is not there or not readable.
pub fn log_to_read(config: &Config) -> anyhow::Result<Arc<dyn EventLog>> {
    Backend::open_to_read(config)?.log()
}

/// Refuses to go on where no instance is: only `serve` and `init` make one, and a mistyped path is no wish for one.
///
/// # Errors
/// If there is none.
pub fn must_be_there(config: &Config) -> anyhow::Result<()> {
    match config.log.place()? {
        LogPlace::Embedded | LogPlace::Kurrent(KurrentPlace { companion: None, .. }) => {
            Ok(DataDirectory::exists(&config.data.directory)?)
        }
        // Who opens it is told.
        LogPlace::Postgres(_) | LogPlace::Kurrent(_) => Ok(()),
    }
}
