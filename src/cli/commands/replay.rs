//! `muniment replay`: the clients as they were at a moment; and the proof that the live views equal a replay.

mod difference;

use std::cell::RefCell;

use anyhow::{Context, bail};
use comfy_table::{Table, TableStyle};
use domain::EnvironmentName;
use projections::{
    Finding, Reader, Stage, Verdict, VerifiedView,
    as_of::{self, Moment},
    clients::{self, ClientRow, ListFilter},
};
use serde_json::json;
use store::{EventLog, Position, RecordedEvent};

use crate::{
    arguments::{Replay, ReplayCommand, Verify},
    backend::log_to_read,
    commands::init::say,
    config::Config,
    exit::Exit,
    progress::Progress,
};

/// Clients that are read at a time.
const PAGE: usize = 500;
/// Findings that are shown to a person; a script gets all of them.
const MOST_SHOWN: usize = 50;
/// After everything that happened.
const THE_END: Moment = Moment::Position(Position::new(u64::MAX));

/// Runs the command.
///
/// # Errors
/// If log or views cannot be read.
pub fn run(replay: &Replay) -> anyhow::Result<Exit> {
    match &replay.command {
        Some(ReplayCommand::Verify(arguments)) => verify(arguments),
        Some(ReplayCommand::Difference(arguments)) => difference::run(arguments),
        None => show(replay),
    }
}

fn show(replay: &Replay) -> anyhow::Result<Exit> {
    let config = Config::load(&replay.place)?;
    let log = log_to_read(&config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let head = runtime.block_on(log.head())?;
    let moment = match replay.at {
        Some(at) => {
            let first = runtime.block_on(log.read_all(Position::ORIGIN, 1))?;
            begun("--at", at, first.first())?;
            past("--at", at, log.as_ref(), head)?
        }
        None => THE_END,
    };
    let replayed = as_of::replay(log.as_ref(), moment)?;
    let reader = &replayed.reader;
    let rows = match replay.client {
        Some(id) => {
            let row = clients::get(reader, id)?;
            vec![row.with_context(|| format!("there was no client {id} at that moment"))?]
        }
        None => all_clients(reader, replay.environment.as_ref())?,
    };
    if replay.json {
        for row in &rows {
            say(&client_json(row)?.to_string())?;
        }
    } else if replay.client.is_some() {
        for row in &rows {
            say(&serde_json::to_string_pretty(&client_json(row)?)?)?;
        }
    } else {
        let mut table = Table::new();
        table.load_style(TableStyle::new());
        table.set_header(["client_id", "environment", "client_name", "status", "revision", "secrets"]);
        for row in &rows {
            table.add_row([
                row.client_id.to_string(),
                row.client.environment.to_string(),
                row.client.client_name.clone(),
                row.client.status.as_str().to_owned(),
                row.revision.to_string(),
                row.client.secrets.iter().filter(|secret| secret.revoked_at.is_none()).count().to_string(),
            ]);
        }
        say(&table.to_string())?;
        say(&format!("{} clients, replayed up to position {}", rows.len(), replayed.position))?;
    }
    let halted =
        replayed.checkpoints.iter().find_map(|view| view.halt.as_ref().map(|halt| (view.projection, halt)));
    if let Some((view, halt)) = halted {
        say(&format!("the view {view} halted before {}: {}", halt.position, halt.cause))?;
        return Ok(Exit::ViewsIncomplete);
    }
    Ok(Exit::Done)
}

fn all_clients(reader: &Reader, environment: Option<&EnvironmentName>) -> anyhow::Result<Vec<ClientRow>> {
    let environments = match environment {
        Some(name) => vec![name.clone()],
        None => clients::environments(reader)?,
    };
    let mut rows = Vec::new();
    for name in environments {
        for status in [None, Some(domain::client::Status::Deleted)] {
            let filter = ListFilter { status, ..ListFilter::default() };
            let mut after = None;
            loop {
                let page = clients::list(reader, &name, &filter, after, PAGE)?;
                rows.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
    }
    Ok(rows)
}

fn client_json(row: &ClientRow) -> anyhow::Result<serde_json::Value> {
    Ok(json!({
        "client_id": row.client_id, "revision": row.revision, "position": row.position,
        "client": serde_json::to_value(&row.client)?,
    }))
}

/// Refuses a moment that is still to come: an answer would pass what is for what will be.
fn past(option: &str, moment: Moment, log: &dyn EventLog, head: Position) -> anyhow::Result<Moment> {
    match moment {
        Moment::Position(position) if position > head => {
            bail!("{option} is position {position}, and the log ends at {head}")
        }
        Moment::Time(time) if time > log.now() => {
            bail!("{option} is {}, which is in the future", store::to_rfc3339(time))
        }
        moment @ (Moment::Position(_) | Moment::Time(_)) => Ok(moment),
    }
}

/// Refuses a moment before everything: an empty answer would read as if something had been there to look at.
fn begun(option: &str, moment: Moment, first: Option<&RecordedEvent>) -> anyhow::Result<()> {
    let began = first.map(|event| event.envelope().map(|entry| entry.at)).transpose();
    match (moment, began.context("reading where the log begins")?) {
        (Moment::Position(Position::ORIGIN), _) => bail!("{option} is position 0, and the log begins at 1"),
        (Moment::Time(time), Some(began)) if time < began => {
            let (time, began) = (store::to_rfc3339(time), store::to_rfc3339(began));
            bail!("{option} is {time}, and the log begins at {began}")
        }
        (Moment::Position(_) | Moment::Time(_), _) => Ok(()),
    }
}

fn verify(arguments: &Verify) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    let log = log_to_read(&config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let head = runtime.block_on(log.head())?;
    let shown = RefCell::new((Stage::Log, Progress::new("verifying the log")));
    let progress = |stage, position| {
        let mut shown = shown.borrow_mut();
        if shown.0 != stage {
            *shown = (stage, Progress::new("folding the log again"));
        }
        shown.1.event(position, head);
    };
    let (mut defects, mut differences) = (Vec::new(), Vec::new());
    let found =
        projections::verify_all(
            &config.data.directory,
            log.as_ref(),
            &progress,
            &mut |finding| match finding {
                Finding::Defect(defect) => defects.push(defect),
                Finding::Row(row) => differences.push(row),
            },
        );
    drop(shown);
    let found = found?;
    let (verified, missing) = (found.log, found.views.is_none());
    let views = found.views.as_deref().unwrap_or_default();
    if arguments.json {
        let rows: Vec<_> = differences
            .iter()
            .map(|row| json!({ "projection": row.projection, "table": row.table, "key": row.key, "live": row.live, "replayed": row.replayed }))
            .collect();
        let views: Vec<_> = views
            .iter()
            .map(|VerifiedView { checkpoint, incomparable }| {
                json!({
                    "projection": checkpoint.projection, "position": checkpoint.position,
                    "halted": checkpoint.halt.is_some(), "incomparable": incomparable,
                })
            })
            .collect();
        let log = json!({
            "head": verified.map(|log| log.head), "streams": verified.map(|log| log.streams),
            "commands": verified.map(|log| log.commands), "defects": defects,
        });
        say(
            &json!({ "log": log, "views": views, "views_missing": missing, "differences": rows }).to_string()
        )?;
    } else {
        match verified {
            Some(log) => say(&format!(
                "log: {} events in {} streams by {} commands, {} defects",
                log.head, log.streams, log.commands, log.defects
            ))?,
            None => say(&format!("log: it cannot be read to its end, {} defects", defects.len()))?,
        }
        defects.iter().take(MOST_SHOWN).try_for_each(|defect| say(&format!("  {defect}")))?;
        for VerifiedView { checkpoint: view, incomparable } in views {
            let rows = differences.iter().filter(|row| row.projection == view.projection).count();
            let halt =
                view.halt.as_ref().map(|halt| format!(", halted before {}: {}", halt.position, halt.cause));
            let verdict = match incomparable {
                Some(cause) => format!("cannot be compared: {cause}"),
                None if rows == 0 => "equals the replay".to_owned(),
                None => format!("{rows} rows differ"),
            };
            say(&format!(
                "{}: at {}, {verdict}{}",
                view.projection,
                view.position,
                halt.unwrap_or_default()
            ))?;
        }
        for row in differences.iter().take(MOST_SHOWN) {
            let show = |side: &Option<String>| side.clone().unwrap_or_else(|| "no such row".to_owned());
            say(&format!(
                "  {} {}: live {}, replayed {}",
                row.table,
                row.key,
                show(&row.live),
                show(&row.replayed)
            ))?;
        }
        if missing {
            say("views: there are none yet; they are folded when the service starts")?;
        }
    }
    Ok(match found.verdict() {
        Verdict::LogDamaged => Exit::LogDamaged,
        Verdict::ViewsDiffer => Exit::ViewsDiffer,
        Verdict::ViewsIncomplete => Exit::ViewsIncomplete,
        Verdict::Sound => Exit::Done,
    })
}
