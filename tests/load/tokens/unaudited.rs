//! The service as it is, but for its activity log, which acknowledges everything at once and keeps nothing. It stands in
//! this program alone: the product has no such switch.

use std::{num::NonZeroUsize, path::Path, sync::Arc, thread::available_parallelism};

use app::{App, Parts, SessionLimits};
use crypto::{MasterKey, SystemEntropy};
use projections::Views;
use server::{LimitsConfig, Metrics, Server, ServerConfig, Settings};
use store::{DataDirectory, EventLog, SqliteKeys, SqliteLog, SystemClock, testing::ForgetfulActivity};
use tokio::runtime::{Builder, Handle};
use tracing_subscriber::EnvFilter;

use crate::{lines::Lines, measure::Result, peers::said_listening};

/// What the product says of itself unless it is told otherwise.
const FILTER: &str = "info,actix_server=warn";

/// Serves what is in a folder that a stopped service has left, until the process is ended.
pub fn serve(folder: &Path) -> Result<()> {
    let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(FILTER)?);
    lines.with_writer(Lines::to(std::io::stderr())?).with_ansi(false).json().flatten_event(true).init();
    let processors = available_parallelism()?;
    let commands = Builder::new_multi_thread().worker_threads(processors.get()).enable_all().build()?;
    let handle = commands.handle().clone();
    actix_web::rt::System::new().block_on(answer(folder, handle, processors))
}

async fn answer(folder: &Path, commands: Handle, argon2_workers: NonZeroUsize) -> Result<()> {
    let directory = DataDirectory::open(&folder.join("data"))?;
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&directory, Arc::new(SystemClock))?);
    let app = App::open(Parts {
        log: Arc::clone(&log),
        activity: Arc::new(ForgetfulActivity),
        keys: Arc::new(SqliteKeys::open(&directory)?),
        master_key: MasterKey::load(&folder.join("data.key"))?,
        entropy: Arc::new(SystemEntropy),
        commands,
        argon2_workers,
        sessions: SessionLimits::default(),
    })
    .await?;
    let views = Arc::new(Views::open(directory.path(), log)?);
    views.start()?;
    let server = ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        public_url: Some("https://oauth.example.com".parse()?),
        ..ServerConfig::default()
    };
    let limits = LimitsConfig { reads_per_minute: 0, commands_per_minute: 0, anonymous_per_minute: 0 };
    let settings = Settings { server, limits, ..Settings::default() };
    let server = Server::bind(settings, None, None, app, views, Metrics::new())?;
    said_listening(server.address().as_ref());
    Ok(server.run_until(std::future::pending()).await?)
}
