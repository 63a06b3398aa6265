//! `muniment migrate-log`: log, activity and keys to another place, as they are.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crypto::{ExposeSecret, SecretString};
use kurrent::ConnectError;
use serde_json::{Value, json};
use store::{
    Doing, Engine, PostgresSide, RemoteSide, Side, SqliteSide, TransferError, Transferred, transfer,
};

use crate::{
    arguments::MigrateLog,
    commands::init::say,
    config::{self, KurrentPlace, LogPlace, scheme},
    exit::{self, Exit, WrongUsage},
    manifest::hex,
    progress::Progress,
    telemetry,
};

/// One end of the way.
enum End {
    Embedded(PathBuf),
    Postgres(SecretString),
    Kurrent(KurrentPlace, Companion),
}

/// What is beside a server of events.
enum Companion {
    /// The data directory of its one node.
    Embedded(PathBuf),
    /// A database of several, and the data directory of one of them.
    Postgres(SecretString, PathBuf),
}

/// An end as it was given.
struct Given<'a> {
    option: &'static str,
    place: Option<&'a str>,
    file: Option<&'a Path>,
    companion: Option<&'a str>,
    companion_file: Option<&'a Path>,
    node: Option<&'a Path>,
    stream: Option<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// If it was not moved; what was copied stays, and is gone on with the next time.
pub fn run(migrate: &MigrateLog) -> anyhow::Result<Exit> {
    let from = End::of(&Given {
        option: "--from",
        place: migrate.from.as_deref(),
        file: migrate.from_file.as_deref(),
        companion: migrate.from_companion.as_deref(),
        companion_file: migrate.from_companion_file.as_deref(),
        node: migrate.from_node.as_deref(),
        stream: migrate.from_stream.as_deref(),
    })?;
    let to = End::of(&Given {
        option: "--to",
        place: migrate.to.as_deref(),
        file: migrate.to_file.as_deref(),
        companion: migrate.to_companion.as_deref(),
        companion_file: migrate.to_companion_file.as_deref(),
        node: migrate.to_node.as_deref(),
        stream: migrate.to_stream.as_deref(),
    })?;
    telemetry::start_quietly()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(go(&from, &to)) {
        Ok(moved) => {
            say(&if migrate.json { as_json(&moved).to_string() } else { as_text(&moved) })?;
            Ok(Exit::Done)
        }
        Err(error) if matches!(error.downcast_ref(), Some(TransferError::Damaged(..))) => {
            exit::report(&error);
            Ok(Exit::LogDamaged)
        }
        Err(error) => Err(error),
    }
}

async fn go(from: &End, to: &End) -> anyhow::Result<Transferred> {
    let (source, target) = (from.source().await?, to.target().await?);
    let mut shown: Option<(&str, Progress)> = None;
    Ok(transfer(source.as_ref(), target.as_ref(), &mut |doing, done, all| {
        let what = match doing {
            Doing::Copying(_) => "copying",
            Doing::Comparing(_) => "comparing",
            Doing::Verifying => "verifying",
        };
        if shown.as_ref().is_none_or(|(shown, _)| *shown != what) {
            shown = Some((what, Progress::new(what)));
        }
        if let Some((_, progress)) = &shown {
            progress.at(done, all);
        }
    })
    .await?)
}

impl End {
    fn of(given: &Given<'_>) -> anyhow::Result<Self> {
        let place = config::given(given.place, given.file, "the log")?.unwrap_or_default();
        let text = place.expose_secret().to_owned();
        let end = match (embedded(&text), LogPlace::parse(place)) {
            (Some(directory), _) => Self::Embedded(directory),
            (None, Ok(LogPlace::Postgres(url))) => Self::Postgres(url),
            (None, Ok(LogPlace::Kurrent(place))) => {
                let stream = given.stream.map_or(place.stream, str::to_owned);
                return Ok(Self::Kurrent(KurrentPlace { stream, ..place }, Companion::of(given)?));
            }
            (None, Ok(LogPlace::Embedded) | Err(_)) => return Err(no_place(given.option, &text)),
        };
        for (is_given, what) in [
            (given.companion.is_some(), "companion"),
            (given.companion_file.is_some(), "companion-file"),
            (given.node.is_some(), "node"),
            (given.stream.is_some(), "stream"),
        ] {
            if is_given {
                let option = given.option;
                return Err(wrong(format!("{option}-{what}: only a log on a server of events has one")));
            }
        }
        Ok(end)
    }

    async fn source(&self) -> anyhow::Result<Box<dyn Side>> {
        Ok(match self {
            Self::Embedded(directory) => Box::new(SqliteSide::source(directory)?),
            Self::Postgres(url) => Box::new(PostgresSide::source(url.expose_secret()).await?),
            Self::Kurrent(place, Companion::Embedded(directory)) => {
                Box::new(RemoteSide::source(directory, engine(place)?)?)
            }
            Self::Kurrent(place, Companion::Postgres(url, node)) => {
                Box::new(RemoteSide::shared_source(node, url.expose_secret(), engine(place)?).await?)
            }
        })
    }

    async fn target(&self) -> anyhow::Result<Box<dyn Side>> {
        Ok(match self {
            Self::Embedded(directory) => Box::new(SqliteSide::target(directory)?),
            Self::Postgres(url) => Box::new(PostgresSide::target(url.expose_secret()).await?),
            Self::Kurrent(place, Companion::Embedded(directory)) => {
                Box::new(RemoteSide::target(directory, engine(place)?).await?)
            }
            Self::Kurrent(place, Companion::Postgres(url, node)) => {
                Box::new(RemoteSide::shared_target(node, url.expose_secret(), engine(place)?).await?)
            }
        })
    }
}

impl Companion {
    fn of(given: &Given<'_>) -> anyhow::Result<Self> {
        let option = given.option;
        let place =
            config::given(given.companion, given.companion_file, "the companion")?.unwrap_or_default();
        match (embedded(place.expose_secret()), LogPlace::parse(place), given.node) {
            (Some(directory), _, None) => Ok(Self::Embedded(directory)),
            (Some(_), _, Some(_)) => {
                Err(wrong(format!("{option}-node: a companion in files is in the directory of its node")))
            }
            (None, Ok(LogPlace::Postgres(url)), Some(node)) => Ok(Self::Postgres(url, node.to_owned())),
            (None, Ok(LogPlace::Postgres(_)), None) => Err(wrong(format!(
                "{option}-node must be the data directory of a node: a companion in a database is read and written by one"
            ))),
            (None, Ok(LogPlace::Embedded | LogPlace::Kurrent(_)) | Err(_), _) => Err(wrong(format!(
                "{option}-companion must be what is beside the server of events: `embedded:` and the directory of its one \
                 node, or postgres://role@host/database"
            ))),
        }
    }
}

fn engine(place: &KurrentPlace) -> Result<Arc<dyn Engine>, ConnectError> {
    kurrent::open(place.url.expose_secret(), &place.stream)
}

/// The directory of `embedded:DIRECTORY`.
fn embedded(text: &str) -> Option<PathBuf> {
    text.strip_prefix("embedded:").filter(|directory| !directory.is_empty()).map(PathBuf::from)
}

/// What is no URL may be a secret: it is not repeated.
fn no_place(option: &str, text: &str) -> anyhow::Error {
    let named = scheme(text).map_or_else(|| "this".to_owned(), |scheme| format!("`{scheme}`"));
    wrong(format!(
        "{option}: {named} is no place of a log: it must be `embedded:` and a data directory, or a URL, \
         postgres://role@host/database or esdb://user:password@host:2113"
    ))
}

fn wrong(text: String) -> anyhow::Error {
    WrongUsage(text).into()
}

fn as_json(moved: &Transferred) -> Value {
    let parts = moved.parts.iter().map(
        |part| json!({ "part": part.part.name(), "rows": part.to.rows, "sha256": hex(&part.to.sha256) }),
    );
    json!({
        "position": moved.verified.head,
        "rows_written": moved.written,
        "parts": parts.collect::<Vec<_>>(),
    })
}

fn as_text(moved: &Transferred) -> String {
    let mut text = String::from("the same in both places, by count and SHA-256:\n");
    for part in &moved.parts {
        let line = format!("{:<15} {:>10}  {}\n", part.part.to_string(), part.to.rows, hex(&part.to.sha256));
        text.push_str(&line);
    }
    let head = moved.verified.head;
    text.push_str(&if moved.written == 0 {
        format!("nothing was left to copy; the log reaches to position {head}")
    } else {
        format!("{} rows copied; the log reaches to position {head}", moved.written)
    });
    text.push_str("\nthe old place is as it was: make sure that nobody serves from it again");
    text
}
