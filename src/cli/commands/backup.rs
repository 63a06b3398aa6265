//! `muniment backup`: log, activity and keys as they are now, of a service that runs or of one that does not.

use serde_json::json;
use store::{BackUpTo, Clock, DataDirectory, SystemClock};

use crate::{
    arguments::Backup,
    commands::init::say,
    config::Config,
    exit::Exit,
    manifest::{Manifest, keep_apart, take_empty},
    progress::Progress,
    telemetry,
};

/// The log's file, in an instance as in a back-up.
pub const LOG: &str = "log.db";
/// The file of what clients did.
pub const ACTIVITY: &str = "activity.db";
/// The keys' file.
pub const KEYS: &str = "keys.db";

/// Runs the command.
///
/// # Errors
/// If the instance cannot be read or the copies cannot be written; what is there then has no manifest.
pub fn run(backup: &Backup) -> anyhow::Result<Exit> {
    let config = Config::load(&backup.place)?;
    config.log.expect_embedded("`muniment backup`")?;
    telemetry::start_quietly()?;
    let (to, keys_to) = (("--to", backup.to.as_path()), ("--keys-to", backup.keys_to.as_path()));
    let instance = ("the data directory", config.data.directory.as_path());
    // What is lost with the instance is no back-up, and whoever has the keys beside the log can read it.
    keep_apart(to, instance)?;
    keep_apart(keys_to, instance)?;
    keep_apart(keys_to, ("the log's copy of --to", to.1))?;
    keep_apart(to, ("the keys' copy of --keys-to", keys_to.1))?;
    let data = DataDirectory::open_read_only(&config.data.directory)?;
    take_empty(&backup.to)?;
    take_empty(&backup.keys_to)?;
    let progress = Progress::new("backing up");
    let (log, activity) = (backup.to.join(LOG), backup.to.join(ACTIVITY));
    let to = BackUpTo { log: &log, activity: &activity, keys: &backup.keys_to.join(KEYS) };
    let copied = data.back_up(to, &mut |done, all| progress.at(done, all))?;
    drop(progress);
    let made_at = SystemClock.now();
    let log = Manifest::write(&backup.to, &[LOG, ACTIVITY], made_at, copied)?;
    Manifest::write(&backup.keys_to, &[KEYS], made_at, copied)?;
    if backup.json {
        say(&json!({ "to": backup.to, "keys_to": backup.keys_to, "manifest": log }).to_string())?;
    } else {
        let bytes: u64 = log.files.iter().map(|file| file.bytes).sum();
        say(&format!(
            "log up to position {} and activity, {bytes} bytes, in `{}`; keys in `{}`: keep those for a short time only, they bring erased people back",
            log.position,
            backup.to.display(),
            backup.keys_to.display()
        ))?;
    }
    Ok(Exit::Done)
}
