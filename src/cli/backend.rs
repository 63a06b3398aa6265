//! Where log, activity and keys are kept.

use std::sync::Arc;

use crypto::ExposeSecret;
use store::{
    ActivityLog, DataDirectory, EventLog, KeyStore, NodeDirectory, PostgresActivity, PostgresDatabase,
    PostgresKeys, PostgresLog, SqliteActivity, SqliteKeys, SqliteLog, SystemClock,
};

use crate::config::{Config, LogPlace};

/// The place of everything durable of an instance.
pub enum Backend {
    /// Files in the data directory.
    Embedded(DataDirectory),
    /// A database that several nodes share.
    Postgres {
        /// The database.
        database: PostgresDatabase,
        /// The node's own directory, held for as long as this process is the node; `None` if it only reads.
        _node: Option<NodeDirectory>,
    },
}

impl Backend {
    /// Opens the place to write; makes what is missing.
    ///
    /// # Errors
    /// Whatever keeps it from being opened; nothing is changed then but what was missing.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let directory = &config.data.directory;
        Ok(match config.log.place()? {
            LogPlace::Embedded => Self::Embedded(DataDirectory::open(directory)?),
            LogPlace::Postgres(url) => {
                let node = Some(NodeDirectory::open(directory)?);
                Self::Postgres { database: PostgresDatabase::open(url.expose_secret())?, _node: node }
            }
        })
    }

    /// Opens the place to read, whether or not a service is using it.
    ///
    /// # Errors
    /// If it is not there or not readable.
    pub fn open_to_read(config: &Config) -> anyhow::Result<Self> {
        Ok(match config.log.place()? {
            LogPlace::Embedded => Self::Embedded(DataDirectory::open_read_only(&config.data.directory)?),
            LogPlace::Postgres(url) => {
                Self::Postgres { database: PostgresDatabase::open(url.expose_secret())?, _node: None }
            }
        })
    }

    /// What was decided.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn log(&self) -> anyhow::Result<Arc<dyn EventLog>> {
        Ok(match self {
            Self::Embedded(directory) => Arc::new(SqliteLog::open(directory, Arc::new(SystemClock))?),
            Self::Postgres { database, .. } => Arc::new(PostgresLog::open(database, Arc::new(SystemClock))?),
        })
    }

    /// What clients do.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn activity(&self) -> anyhow::Result<Arc<dyn ActivityLog>> {
        Ok(match self {
            Self::Embedded(directory) => Arc::new(SqliteActivity::open(directory, Arc::new(SystemClock))?),
            Self::Postgres { database, .. } => {
                Arc::new(PostgresActivity::open(database, Arc::new(SystemClock))?)
            }
        })
    }

    /// What opens the vault.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn keys(&self) -> anyhow::Result<Arc<dyn KeyStore>> {
        Ok(match self {
            Self::Embedded(directory) => Arc::new(SqliteKeys::open(directory)?),
            Self::Postgres { database, .. } => Arc::new(PostgresKeys::new(database)),
        })
    }

    /// Whether the keys were made for this log. In a database they are beside it.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn keys_are_of_this_log(&self) -> anyhow::Result<bool> {
        match self {
            Self::Embedded(directory) => Ok(directory.keys_are_of_this_log()?),
            Self::Postgres { .. } => Ok(true),
        }
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
        LogPlace::Embedded => Ok(DataDirectory::exists(&config.data.directory)?),
        // Who opens it is told.
        LogPlace::Postgres(_) => Ok(()),
    }
}
