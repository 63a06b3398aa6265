//! The service's own log lines: to standard error, for people on a terminal, else one JSON object a line.

mod lines;

use std::{
    io::{IsTerminal, stderr},
    sync::OnceLock,
};

use anyhow::Context;
use tracing_subscriber::{EnvFilter, fmt};

use self::lines::Lines;
use crate::config::{LogFormat, TelemetrySection};

/// Those of this process.
static LINES: OnceLock<Lines> = OnceLock::new();

/// Writes the last lines when the program ends, however it does.
#[derive(Debug)]
pub struct WrittenAtTheEnd;

impl Drop for WrittenAtTheEnd {
    fn drop(&mut self) {
        if let Some(lines) = LINES.get() {
            lines.flush();
        }
    }
}

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
/// If the filter cannot be read, or the system gives no thread.
pub fn start(section: &TelemetrySection) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&section.filter).context("reading telemetry.filter")?;
    let terminal = stderr().is_terminal();
    let format = section.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
    let lines = Lines::to(stderr()).context("starting the thread that writes log lines")?;
    let lines = LINES.get_or_init(|| lines).clone();
    let lines = fmt().with_env_filter(filter).with_writer(lines).with_ansi(terminal);
    match format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}
