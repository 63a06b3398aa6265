//! Where log, activity and keys are kept.

use std::sync::Arc;

use store::{
    ActivityLog, DataDirectory, EventLog, KeyStore, SqliteActivity, SqliteKeys, SqliteLog, SystemClock,
};

use crate::config::Config;

/// Everything durable of an instance.
pub struct Backend {
    /// What was decided.
    pub log: Arc<dyn EventLog>,
    /// What clients do.
    pub activity: Arc<dyn ActivityLog>,
    /// What opens the vault.
    pub keys: Arc<dyn KeyStore>,
}

impl Backend {
    /// Opens it to write; makes what is missing.
    ///
    /// # Errors
    /// Whatever keeps it from being opened; nothing is changed then but what was missing.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        Self::embedded(&DataDirectory::open(&config.data.directory)?)
    }

    fn embedded(directory: &DataDirectory) -> anyhow::Result<Self> {
        Ok(Self {
            log: Arc::new(SqliteLog::open(directory, Arc::new(SystemClock))?),
            activity: Arc::new(SqliteActivity::open(directory, Arc::new(SystemClock))?),
            keys: Arc::new(SqliteKeys::open(directory)?),
        })
    }
}

/// The log of an instance, to read, whether or not a service is using it.
///
/// # Errors
/// If it is not there or not readable.
pub fn log_to_read(config: &Config) -> anyhow::Result<Arc<dyn EventLog>> {
    let directory = DataDirectory::open_read_only(&config.data.directory)?;
    Ok(Arc::new(SqliteLog::open(&directory, Arc::new(SystemClock))?))
}

/// Refuses to go on where no instance is: only `serve` and `init` make one, and a mistyped path is no wish for one.
///
/// # Errors
/// If there is none.
pub fn must_be_there(config: &Config) -> anyhow::Result<()> {
    DataDirectory::exists(&config.data.directory)?;
    Ok(())
}

/// The log of an instance, to write, by this process alone.
///
/// # Errors
/// If it is not there or somebody else has it.
pub fn log_to_write(config: &Config) -> anyhow::Result<Arc<dyn EventLog>> {
    must_be_there(config)?;
    let directory = DataDirectory::open(&config.data.directory)?;
    Ok(Arc::new(SqliteLog::open(&directory, Arc::new(SystemClock))?))
}
