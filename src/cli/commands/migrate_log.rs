//! `muniment migrate-log`: log, activity and keys to another place, as they are.

use std::path::{Path, PathBuf};

use anyhow::Context;
use crypto::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use store::{Doing, PostgresSide, Side, SqliteSide, TransferError, Transferred, transfer};

use crate::{
    arguments::MigrateLog,
    commands::init::say,
    exit::{self, Exit, WrongUsage},
    manifest::hex,
    progress::Progress,
    telemetry,
};

/// One end of the way.
enum End {
    Embedded(PathBuf),
    Postgres(SecretString),
}

/// Runs the command.
///
/// # Errors
/// If it was not moved; what was copied stays, and is gone on with the next time.
pub fn run(migrate: &MigrateLog) -> anyhow::Result<Exit> {
    let from = End::of(("--from", migrate.from.as_deref()), migrate.from_file.as_deref())?;
    let to = End::of(("--to", migrate.to.as_deref()), migrate.to_file.as_deref())?;
    telemetry::start_quietly()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(go(&from, &to)) {
        Ok(moved) => {
            say(&if migrate.json { as_json(&moved).to_string() } else { as_text(&moved) })?;
            Ok(Exit::Done)
        }
        Err(damaged @ TransferError::Damaged(..)) => {
            exit::report(&damaged.into());
            Ok(Exit::LogDamaged)
        }
        Err(error) => Err(error.into()),
    }
}

async fn go(from: &End, to: &End) -> Result<Transferred, TransferError> {
    let source: Box<dyn Side> = match from {
        End::Embedded(directory) => Box::new(SqliteSide::source(directory)?),
        End::Postgres(url) => Box::new(PostgresSide::source(url.expose_secret()).await?),
    };
    let target: Box<dyn Side> = match to {
        End::Embedded(directory) => Box::new(SqliteSide::target(directory)?),
        End::Postgres(url) => Box::new(PostgresSide::target(url.expose_secret()).await?),
    };
    let mut shown: Option<(&str, Progress)> = None;
    transfer(source.as_ref(), target.as_ref(), &mut |doing, done, all| {
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
    .await
}

impl End {
    fn of((option, text): (&str, Option<&str>), file: Option<&Path>) -> anyhow::Result<Self> {
        let text = match (text, file) {
            (Some(text), _) => text.to_owned(),
            (None, Some(file)) => {
                let read = std::fs::read_to_string(file);
                read.with_context(|| format!("reading where the log is from `{}`", file.display()))?
            }
            (None, None) => String::new(),
        };
        // What follows the scheme of a URL may be a secret: the scheme alone is named.
        match text.trim().split_once(':') {
            Some(("embedded", directory)) if !directory.is_empty() => Ok(Self::Embedded(directory.into())),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.trim().to_owned().into())),
            Some((scheme, _)) => Err(no_place(option, scheme)),
            None => Err(no_place(option, text.trim())),
        }
    }
}

fn no_place(option: &str, named: &str) -> anyhow::Error {
    let places = "`embedded:` and a data directory, or a URL, postgres://role@host/database";
    WrongUsage(format!("{option} `{named}` is no place of a log: it must be {places}")).into()
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
