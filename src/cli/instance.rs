//! One instance: its directory, its log, its keys and its write side, put together.

use std::{path::Path, sync::Arc};

use anyhow::{Context, bail};
use app::{Actor, App, Parts};
use crypto::{MasterKey, MasterKeyError, SystemEntropy};
use jiff::Timestamp;
use store::{ActivityLog, Clock, EventLog, Position, SystemClock};
use tokio::runtime::{Builder, Handle, Runtime};
use uuid::Uuid;

use crate::{backend::Backend, config::Config};

/// An instance held by this process alone.
pub struct Instance {
    /// The log.
    pub log: Arc<dyn EventLog>,
    /// What clients do.
    pub activity: Arc<dyn ActivityLog>,
    /// The write side.
    pub app: App,
    /// The directory is this process's own for as long.
    _backend: Backend,
}

/// The runtime that commands run on, apart from the HTTP workers.
///
/// # Errors
/// If the system gives no threads.
pub fn command_runtime(config: &Config) -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(config.commands.threads.get())
        .thread_name("command")
        .enable_all()
        .build()
        .context("starting the command threads")
}

impl Instance {
    /// Opens the instance for this process alone; makes directory and master key if there are none.
    ///
    /// # Errors
    /// Whatever keeps it from being opened; nothing is changed then but what was missing.
    pub async fn open(config: &Config, commands: Handle) -> anyhow::Result<Self> {
        let backend = Backend::open(config)?;
        let (log, activity, keys) = (backend.log()?, backend.activity()?, backend.keys()?);
        let empty = log.head().await? == Position::ORIGIN;
        let master_key = master_key(config, empty)?;
        let app = App::open(Parts {
            log: Arc::clone(&log),
            activity: Arc::clone(&activity),
            keys,
            master_key,
            entropy: Arc::new(SystemEntropy),
            commands,
            argon2_workers: config.commands.argon2_workers,
            sessions: config.session_limits(),
        })
        .await
        .context("opening the vault")?;
        Ok(Self { log, activity, app, _backend: backend })
    }

    /// Finishes what is queued, and leaves no write-ahead log behind.
    pub async fn close(&self) {
        self.activity.close().await;
        self.log.close().await;
    }
}

/// The master key: from the environment, from its file, or, for an empty log, a new one in its file.
///
/// # Errors
/// If there is none for a log that has events, or it is not one.
pub fn master_key(config: &Config, empty: bool) -> anyhow::Result<MasterKey> {
    if let Some(line) = &config.keys.master_key {
        return MasterKey::parse(line).context("reading the master key from the configuration");
    }
    let file = config.master_key_file();
    if file.exists() || !empty {
        return MasterKey::load(&file).with_context(|| {
            format!("the master key of `{}` must be at `{}`", config.data.directory.display(), file.display())
        });
    }
    match MasterKey::create(&file, &SystemEntropy) {
        Ok(key) => {
            tracing::info!(file = %file.display(), "made a master key: back it up, and keep it apart from the data directory");
            Ok(key)
        }
        Err(error @ MasterKeyError::Create { .. }) => Err(error).context("making a master key"),
        Err(error) => bail!(error),
    }
}

/// Warns about a key that lies where back-ups of the data take it along.
pub fn master_key_lies_inside(config: &Config) -> bool {
    let inside = |file: &Path| {
        let directory = config.data.directory.canonicalize().ok();
        let file = file.canonicalize().ok();
        directory.zip(file).is_some_and(|(directory, file)| file.starts_with(directory))
    };
    config.keys.master_key.is_none() && inside(&config.master_key_file())
}

/// The context of a command that a person at the host gives.
pub fn host_context(command: &'static str) -> app::Context {
    let now = SystemClock.now();
    app::Context {
        actor: Actor::Host { uid: rustix::process::getuid().as_raw() },
        operation: command,
        environment: None,
        request_id: format!("cli:{command}"),
        correlation_id: correlation_id(now),
        source: None,
        reason: None,
        ticket: None,
        idempotency: None,
        malformed: Vec::new(),
    }
}

/// Only a thread through the log's entries: it need not be secret, only different for each command.
pub fn correlation_id(now: Timestamp) -> Uuid {
    let entropy: &dyn crypto::Entropy = &SystemEntropy;
    let random = entropy.array().unwrap_or_default();
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}
