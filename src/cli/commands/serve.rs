//! `muniment serve`: run the service until it is asked to stop.

use std::{
    io::{IsTerminal, stdout},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use projections::Views;
use server::{Metrics, Server};
use store::EventLog;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    arguments::Serve,
    commands::init::{first_start, say},
    config::Config,
    control,
    exit::Exit,
    instance::{Instance, command_runtime, master_key_lies_inside},
    telemetry,
};

/// How long commands that are still running may take once everything else has stopped.
const COMMANDS_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the command.
///
/// # Errors
/// Whatever keeps the service from starting, or ends it.
pub fn run(serve: &Serve) -> anyhow::Result<Exit> {
    let config = Config::for_serve(serve)?;
    telemetry::start(&config.telemetry)?;
    let commands = command_runtime(&config)?;
    let handle = commands.handle().clone();
    let served = actix_web::rt::System::new().block_on(serve_until_told(serve, config, handle));
    // What the HTTP side has let go of may still be on its way into the log.
    commands.shutdown_timeout(COMMANDS_TIMEOUT);
    served.map(|()| Exit::Done)
}

async fn serve_until_told(
    serve: &Serve,
    config: Config,
    commands: tokio::runtime::Handle,
) -> anyhow::Result<()> {
    // First of all, so that a signal during the start is not lost.
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;

    let instance = Instance::open(&config, commands).await?;
    let first = first_start(&instance.app, &config, serve.bootstrap_token_file.as_deref()).await?;
    if master_key_lies_inside(&config) {
        tracing::warn!("the master key lies in the data directory: a copy of the one is a copy of the other");
    }
    let log = Arc::clone(&instance.log) as Arc<dyn EventLog>;
    let views = Arc::new(Views::open(&config.data.directory, log).context("opening the views")?);
    views.start().context("following the log")?;

    let listen = config.server.listen;
    let control = control::bind(&config)?;
    let server =
        Server::bind(config.server, Some(control), instance.app.clone(), Arc::clone(&views), Metrics::new())
            .with_context(|| format!("listening on {listen}"))?;
    if let Some(address) = server.address() {
        say(&format!("listening on http://{address}"))?;
        if stdout().is_terminal() && first.is_some() {
            say(&first_steps(&format!("http://{address}")))?;
        }
    }
    tracing::info!(head = %instance.log.head().await?, "ready");

    let told = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
    };
    let served = server.run_until(told).await;
    // The log first refuses what is new and finishes what is queued; then nothing follows any more.
    views.stop();
    instance.log.close().await;
    served.context("serving")?;
    tracing::info!("stopped");
    Ok(())
}

fn first_steps(base: &str) -> String {
    format!(
        "  the API is described at {base}/openapi.json\n  try it:  curl -H \"Authorization: Bearer $TOKEN\" {base}/api/v1/me"
    )
}
