//! `muniment replay difference`: what became of a client between two moments, as the API tells it.

use anyhow::{Context, bail};
use domain::client::Secret;
use jiff::Timestamp;
use projections::as_of::{self, ClientDifference, FieldChange, Side};
use server::Difference;
use store::RecordedEvent;

use super::{MOST_SHOWN, THE_END, past};
use crate::{arguments, backend::log_to_read, commands::init::say, config::Config, exit::Exit};

/// Runs the command.
///
/// # Errors
/// If the log cannot be read, or has no such client.
pub fn run(arguments: &arguments::ClientDifference) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    let log = log_to_read(&config)?;
    let client_id = arguments.client;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let head = runtime.block_on(log.head())?;
    let from = past("--from", arguments.from, log.as_ref(), head)?;
    let to = arguments.to.map_or(Ok(THE_END), |to| past("--to", to, log.as_ref(), head))?;
    let work = as_of::difference(log.as_ref(), client_id, (from, to), Difference::MOST_EVENTS);
    let found = runtime.block_on(work)?;
    if found.from.revision() > found.to.revision() {
        bail!("--to must not be before --from");
    }
    if found.to.row.is_none() {
        bail!("there was no client {client_id} at the later moment");
    }
    if arguments.json {
        let shown = Difference::try_from(found).context("reading the log")?;
        say(&serde_json::to_string(&shown)?)?;
    } else {
        show(&found)?;
    }
    Ok(Exit::Done)
}

fn show(found: &ClientDifference) -> anyhow::Result<()> {
    say(&format!("client {}", found.client_id))?;
    let side = |name: &str, side: &Side| {
        say(&format!("  {name} {}, revision {}", store::to_rfc3339(side.at), side.revision()))
    };
    side("from", &found.from)?;
    side("to  ", &found.to)?;
    let changes = found.changes();
    if changes.is_empty() {
        say("no field differs")?;
    } else {
        say("fields")?;
    }
    for FieldChange { field, old, new } in &changes {
        say(&format!("  {field}: {old} -> {new}"))?;
    }
    secrets("secrets added", &found.secrets_added(), found.to.at)?;
    secrets("secrets ended", &found.secrets_ended(), found.to.at)?;
    say(&format!("events: {}", found.to.revision().get() - found.from.revision().get()))?;
    for event in found.events.iter().take(MOST_SHOWN) {
        say(&line(event)?)?;
    }
    if found.more || found.events.len() > MOST_SHOWN {
        say("  …; --json has up to 500 of them, the client's history all")?;
    }
    Ok(())
}

fn secrets(title: &str, secrets: &[&Secret], at: Timestamp) -> anyhow::Result<()> {
    if !secrets.is_empty() {
        say(title)?;
    }
    for secret in secrets {
        let state = serde_json::to_value(secret.state(at))?;
        let label = secret.label.as_deref().unwrap_or_default();
        let line = format!("  {} {} {label}", secret.id, state.as_str().unwrap_or_default());
        say(line.trim_end())?;
    }
    Ok(())
}

fn line(event: &RecordedEvent) -> anyhow::Result<String> {
    let entry = event.envelope().context("reading the log")?;
    let (at, actor) = (store::to_rfc3339(entry.at), &entry.actor.id);
    Ok(format!("  {} {at} {} by {actor}", event.position, entry.event_type))
}
