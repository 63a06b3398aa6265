//! `muniment projections`: how the views stand; fold them again.

use std::time::Duration;

use anyhow::bail;
use comfy_table::{Table, TableStyle};
use projections::Comparison;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    arguments::{Projections, ProjectionsCommand, Verify},
    backend::{Backend, log_to_read, must_be_there},
    commands::init::say,
    config::Config,
    control,
    exit::Exit,
    progress::Progress,
    telemetry,
};

/// What is shown while it is done.
const WHAT: &str = "folding the log again";
/// How often a rebuild of the service is looked at.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Runs the command.
///
/// # Errors
/// If log or views cannot be read, or, for a rebuild, the service is running.
pub fn run(projections: &Projections) -> anyhow::Result<Exit> {
    match &projections.command {
        ProjectionsCommand::Status(arguments) => status(arguments),
        ProjectionsCommand::Rebuild(arguments) => rebuild(arguments),
    }
}

fn status(arguments: &Verify) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    let log = log_to_read(&config)?;
    let head = tokio::runtime::Builder::new_current_thread().build()?.block_on(log.head())?;
    let Some(views) = projections::inspect(&config.data.directory) else {
        bail!(
            "there are no views yet: they are folded when the service starts, or by `muniment projections rebuild`"
        );
    };
    let halted = views.checkpoints.iter().any(|view| view.halt.is_some());
    let rebuild = rebuild_under_way(&config);
    if arguments.json {
        let rows: Vec<_> = views
            .checkpoints
            .iter()
            .map(|view| {
                json!({
                    "projection": view.projection, "position": view.position, "head": head,
                    "halted_at": view.halt.as_ref().map(|halt| halt.position),
                    "cause": view.halt.as_ref().map(|halt| &halt.cause),
                })
            })
            .collect();
        let status = json!({ "file": views.file, "head": head, "projections": rows, "rebuild": rebuild });
        say(&status.to_string())?;
    } else {
        let mut table = Table::new();
        table.load_style(TableStyle::new()).set_header(["view", "position", "head", "state"]);
        for view in &views.checkpoints {
            let state = match &view.halt {
                Some(halt) => format!("halted before {}: {}", halt.position, halt.cause),
                None if view.position < head => "behind".to_owned(),
                None => "up to date".to_owned(),
            };
            table.add_row([view.projection.to_owned(), view.position.to_string(), head.to_string(), state]);
        }
        say(&table.to_string())?;
        if !rebuild.is_null() {
            say(&format!("a rebuild is under way: folded {} of {}", rebuild["folded"], rebuild["head"]))?;
        }
    }
    Ok(if halted { Exit::ViewsIncomplete } else { Exit::Done })
}

/// How far the rebuild of the service that runs has come; null if there is none. The views are told of by the files, so
/// that whatever keeps the service from answering keeps nobody from looking.
fn rebuild_under_way(config: &Config) -> Value {
    let path = config.control_socket();
    if !control::service_listens(&path).unwrap_or(false) {
        return Value::Null;
    }
    let asked = control::with_service(&path, async |client| {
        client.json(Method::GET, "/api/v1/projections", None).await
    });
    asked.map(|views| views["rebuild"].clone()).unwrap_or_default()
}

/// Shows how far the rebuild of a service has come, for as long as anybody waits for it.
async fn watch(client: &control::Client, progress: &Progress) {
    loop {
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        // Whatever keeps it from being told is told by the rebuild itself.
        let Ok(views) = client.json(Method::GET, "/api/v1/projections", None).await else { continue };
        let at = |key: &str| views["rebuild"][key].as_u64();
        if let (Some(folded), Some(head)) = (at("folded"), at("head")) {
            progress.at(folded, head);
        }
    }
}

/// By the service that runs, beside what it serves.
fn rebuild_by_service(arguments: &Verify, config: &Config) -> anyhow::Result<Exit> {
    telemetry::start_quietly()?;
    let progress = Progress::new(WHAT);
    let rebuilt = control::with_api(config, async |client| {
        let no_body = json!({});
        let rebuilt = client.json(Method::POST, "/api/v1/projections/rebuild", Some(&no_body));
        tokio::select! {
            rebuilt = rebuilt => rebuilt,
            () = watch(client, &progress) => bail!("nobody watches any more"),
        }
    })?;
    drop(progress);
    let views = rebuilt["views"].as_array().cloned().unwrap_or_default();
    let differing = |view: &Value| view["differing_rows"].as_u64().unwrap_or_default();
    if arguments.json {
        say(&rebuilt.to_string())?;
    } else {
        for view in &views {
            let name = view["name"].as_str().unwrap_or_default();
            say(&format!(
                "  {name}: at {}, {} rows were not what the log says",
                view["position"],
                differing(view)
            ))?;
        }
    }
    Ok(if views.iter().any(|view| differing(view) > 0) { Exit::ViewsDiffer } else { Exit::Done })
}

fn rebuild(arguments: &Verify) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    if control::service_listens(&config.control_socket())? {
        return rebuild_by_service(arguments, &config);
    }
    telemetry::start(&config.telemetry)?;
    // Held until the end: no service may follow in this directory meanwhile.
    must_be_there(&config)?;
    let backend = Backend::open(&config)?;
    let log = backend.log()?;
    let head = tokio::runtime::Builder::new_current_thread().build()?.block_on(log.head())?;
    let progress = Progress::new(WHAT);
    let folded = |position| progress.event(position, head);
    let rebuilt = projections::rebuild(&config.data.directory, log.as_ref(), &folded)?;
    drop(progress);
    let halted = rebuilt.views.iter().any(|view| view.halt.is_some());
    let differed = rebuilt
        .views
        .iter()
        .any(|view| view.comparison.as_ref().is_some_and(|compared| !compared.is_equal()));
    let verdict = |compared: Option<&Comparison>| match compared {
        Some(compared) if compared.is_equal() => {
            format!("equal to the old one at {}: {}", compared.position, compared.before)
        }
        Some(compared) => {
            format!("DIFFERS from the old one at {}, which was not what the log says", compared.position)
        }
        None => "there was no old one".to_owned(),
    };
    if arguments.json {
        let views: Vec<_> = rebuilt
            .views
            .iter()
            .map(|view| {
                json!({
                    "projection": view.name, "position": view.position,
                    "compared_at": view.comparison.as_ref().map(|compared| compared.position),
                    "digest_before": view.comparison.as_ref().map(|compared| &compared.before),
                    "digest_after": view.comparison.as_ref().and_then(|compared| compared.after.as_ref()),
                    "equal": view.comparison.as_ref().map(Comparison::is_equal),
                    "halted_at": view.halt.as_ref().map(|halt| halt.position),
                })
            })
            .collect();
        let elapsed = rebuilt.elapsed.as_millis() as u64;
        say(
            &json!({ "events": rebuilt.events, "elapsed_ms": elapsed, "file": rebuilt.file, "views": views })
                .to_string(),
        )?;
    } else {
        say(&format!(
            "folded {} events in {:.1} s into {}",
            rebuilt.events,
            rebuilt.elapsed.as_secs_f64(),
            rebuilt.file.display()
        ))?;
        for view in &rebuilt.views {
            say(&format!("  {}: at {}, {}", view.name, view.position, verdict(view.comparison.as_ref())))?;
            if let Some(halt) = &view.halt {
                say(&format!("    halted before {}: {}", halt.position, halt.cause))?;
            }
        }
    }
    Ok(match (halted, differed) {
        (true, _) => Exit::ViewsIncomplete,
        (false, true) => Exit::ViewsDiffer,
        (false, false) => Exit::Done,
    })
}
