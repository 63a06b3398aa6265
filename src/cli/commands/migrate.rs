//! `muniment migrate`: the schema of a log's database.

use anyhow::bail;
use crypto::ExposeSecret;
use serde_json::json;

use crate::{
    arguments::Migrate,
    commands::init::say,
    config::{Config, KurrentPlace, LogPlace},
    exit::Exit,
    telemetry,
};

/// Runs the command.
///
/// # Errors
/// If the log is in no database, or that cannot be migrated; then it is as it was.
pub fn run(migrate: &Migrate) -> anyhow::Result<Exit> {
    let config = Config::load(&migrate.place)?;
    telemetry::start_quietly()?;
    let url = match config.log.place()? {
        LogPlace::Postgres(url) | LogPlace::Kurrent(KurrentPlace { companion: Some(url), .. }) => url,
        LogPlace::Embedded | LogPlace::Kurrent(_) => {
            bail!("what is in files is migrated when the service starts: name a database with --log")
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let taken = runtime.block_on(store::migrate_postgres(url.expose_secret(), &migrate.application_role))?;
    if migrate.json {
        let role = &migrate.application_role;
        say(&json!({ "steps": taken, "application_role": role }).to_string())?;
    } else if taken.is_empty() {
        say("the schema is this program's already")?;
    } else {
        say(&format!("steps taken: {}", taken.join(", ")))?;
    }
    Ok(Exit::Done)
}
