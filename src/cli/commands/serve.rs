//! `muniment serve`: run the service until it is asked to stop.

use std::{
    error::Error,
    io::{IsTerminal, stdout},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use projections::Views;
use server::{Certificates, Metrics, Server};
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

    let mut hangup = signal(SignalKind::hangup()).context("listening for SIGHUP")?;

    let certificates = config.tls.load().context("setting up TLS")?;
    if public_url_is_open(&config) {
        tracing::warn!("server.public_url is plain http to another machine: secrets can be read on the way");
    }
    let instance = Instance::open(&config, commands).await?;
    let first = first_start(&instance.app, &config, serve.bootstrap_token_file.as_deref(), None).await?;
    if master_key_lies_inside(&config) {
        tracing::warn!("the master key lies in the data directory: a copy of the one is a copy of the other");
    }
    let views = Arc::new(
        Views::open(&config.data.directory, Arc::clone(&instance.log)).context("opening the views")?,
    );
    views.start().context("following the log")?;

    let listen = config.server.listen;
    let control = control::bind(&config)?;
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let (app, metrics) = (instance.app.clone(), Metrics::new());
    let server = Server::bind(
        config.settings(),
        certificates.clone(),
        Some(control),
        app,
        Arc::clone(&views),
        metrics,
    )
    .with_context(|| format!("listening on {listen}"))?;
    if let Some(address) = server.address() {
        say(&format!("listening on {scheme}://{address}"))?;
        if stdout().is_terminal() && first.is_some() {
            say(&first_steps(&format!("{scheme}://{address}")))?;
        }
    }
    tracing::info!(head = %instance.log.head().await?, "ready");

    let told = async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return tracing::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => return tracing::info!("SIGINT: stopping"),
                _ = hangup.recv() => reload(certificates.as_deref()),
            }
        }
    };
    let served = server.run_until(told).await;
    // The log first refuses what is new and finishes what is queued; then nothing follows any more.
    if let Err(fault) = instance.app.close().await {
        tracing::error!(error = %fault, "recording refusals that were counted");
    }
    views.stop();
    instance.close().await;
    served.context("serving")?;
    tracing::info!("stopped");
    Ok(())
}

/// SIGHUP: the files of the certificate are read again; whatever is wrong with them, the old one goes on.
fn reload(certificates: Option<&Certificates>) {
    match certificates.map(Certificates::reload) {
        Some(Ok(())) => {
            tracing::info!("SIGHUP: new connections are shown the certificate as its files are now");
        }
        Some(Err(error)) => {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::error!(%error, cause, "SIGHUP: the certificate stays as it is");
        }
        None => tracing::info!("SIGHUP: there is no certificate to read again"),
    }
}

/// Whether clients are told to come without TLS from elsewhere.
fn public_url_is_open(config: &Config) -> bool {
    let url = config.server.public_url.as_ref().filter(|url| url.scheme() == "http");
    url.and_then(url::Url::host).is_some_and(|host| match host {
        url::Host::Domain(name) => name != "localhost",
        url::Host::Ipv4(address) => !address.is_loopback(),
        url::Host::Ipv6(address) => !address.is_loopback(),
    })
}

fn first_steps(base: &str) -> String {
    format!(
        "  the API is described at {base}/openapi.json\n  try it:  curl -H \"Authorization: Bearer $TOKEN\" {base}/api/v1/me"
    )
}
