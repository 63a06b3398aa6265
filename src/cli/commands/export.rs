//! `muniment export`: the audit as the API exports it, from the files, whether or not a service runs.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Write, stdout},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, bail};
use serde_json::json;
use server::export::{self, Exporter};
use store::{EventLog, Position};

use crate::{
    arguments::Export, backend::log_to_read, commands::init::say, config::Config, exit::Exit,
    progress::Progress, telemetry,
};

/// Events that are in memory at a time.
const PAGE: usize = 200;

/// Runs the command.
///
/// # Errors
/// If the log cannot be read, does not reach that far, or the export cannot be written; a file that was begun is removed.
pub fn run(export: &Export) -> anyhow::Result<Exit> {
    let config = Config::for_export(export)?;
    telemetry::start_quietly()?;
    let log = log_to_read(&config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let head = runtime.block_on(log.head())?;
    let (from, to) = range(export, head)?;
    let source = export::source(&config.settings().public_url(config.server.listen));
    let exporter = Exporter::new(export.format, source, from, to);
    let write = |out: &mut dyn Write, progress: &Progress| {
        runtime.block_on(write(log.as_ref(), exporter, (from, to), out, progress))
    };
    let Some(file) = &export.out else {
        write(&mut BufWriter::new(stdout().lock()), &Progress::beside_output("exporting"))?;
        return Ok(Exit::Done);
    };
    let events = to_file(file, |out| write(out, &Progress::new("exporting")))?;
    if export.json {
        let format = export.format.as_str();
        say(&json!({ "file": file, "format": format, "from": from, "to": to, "events": events, "recorded": false }).to_string())?;
    } else {
        say(&format!("{events} events, positions {from} to {to}, in `{}`", file.display()))?;
    }
    Ok(Exit::Done)
}

/// The first and the last position; all there are if nothing is said.
fn range(export: &Export, head: Position) -> anyhow::Result<(Position, Position)> {
    let from = Position::new(export.from.unwrap_or(1));
    let to = export.to.map_or(head, Position::new);
    if to > head {
        bail!("--to is {to}, and the log ends at {head}");
    }
    if from == Position::ORIGIN || from > to.next() {
        bail!("--from is {from}: it must be a position from 1 to {to}");
    }
    Ok((from, to))
}

/// Page by page, at the pace of whoever takes it; nothing is locked meanwhile.
async fn write(
    log: &dyn EventLog,
    mut exporter: Exporter,
    (from, to): (Position, Position),
    out: &mut dyn Write,
    progress: &Progress,
) -> anyhow::Result<u64> {
    out.write_all(&exporter.begin()?)?;
    let before = from.get() - 1;
    let all = to.get() - before;
    let mut events = 0;
    while events < all {
        let page = log.read_all(Position::new(before + events), PAGE).await?;
        for event in page.iter().take_while(|event| event.position <= to) {
            out.write_all(&exporter.event(event.position, &event.entry, None)?)?;
            events += 1;
        }
        progress.at(events, all);
    }
    out.write_all(&exporter.end()?)?;
    out.flush()?;
    Ok(events)
}

/// A new file, durable when this answers, or none.
fn to_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<u64>) -> anyhow::Result<u64> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut out = BufWriter::new(file.with_context(|| format!("making `{}`", path.display()))?);
    let written = write(&mut out)
        .and_then(|events| out.get_ref().sync_all().map(|()| events).map_err(io::Error::into))
        .with_context(|| format!("writing `{}`", path.display()));
    if written.is_err() {
        // Without its last record it says of itself that it was cut off.
        let _ = fs::remove_file(path);
    }
    written
}
