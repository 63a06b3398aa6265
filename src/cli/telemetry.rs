//! The service's own log lines: to standard error, for people on a terminal, else one JSON object a line.

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{LogFormat, TelemetrySection};

/// What a command for people says of itself beside its answer.
const ONLY_TROUBLE: &str = "warn";

/// Begins to log only what keeps a command from its work: its answer is what was asked for.
///
/// # Errors
/// None; the filter is known.
pub fn start_quietly() -> anyhow::Result<()> {
    start(&TelemetrySection { filter: ONLY_TROUBLE.to_owned(), format: Some(LogFormat::Text) })
}

/// Begins to log.
///
/// # Errors
/// If the filter cannot be read.
pub fn start(section: &TelemetrySection) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&section.filter).context("reading telemetry.filter")?;
    let terminal = stderr().is_terminal();
    let format = section.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let lines = fmt().with_env_filter(filter).with_writer(stderr).with_ansi(terminal);
    match format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
