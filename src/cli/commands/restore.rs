//! `muniment restore`: a back-up becomes an instance, in an empty directory.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use anyhow::{Context, bail};
use serde_json::json;
use store::{DataDirectory, EventLog, SqliteActivity, SqliteKeys, SqliteLog, SystemClock};

use crate::{
    arguments::Restore,
    commands::{
        backup::{ACTIVITY, KEYS, LOG},
        init::say,
    },
    config::Config,
    exit::Exit,
    manifest::{Manifest, sync_directory, take_empty},
    telemetry,
};

/// Runs the command.
///
/// # Errors
/// If a file is not what was backed up, log and keys do not belong together, or the directory is not empty. What was
/// copied is removed again then.
pub fn run(restore: &Restore) -> anyhow::Result<Exit> {
    let config = Config::load(&restore.place)?;
    config.log.expect_embedded("`muniment restore`")?;
    telemetry::start_quietly()?;
    let log = Manifest::read_and_check(&restore.from, &[LOG, ACTIVITY])?;
    let keys = Manifest::read_and_check(&restore.keys_from, &[KEYS])?;
    if log.log_id != keys.log_id {
        bail!("the keys are of log {}, the log is {}: take both from one back-up", keys.log_id, log.log_id);
    }
    if keys.position < log.position {
        bail!(
            "the keys are of position {}, the log is of {}: keys may be younger than their log, never older",
            keys.position,
            log.position
        );
    }
    let directory = &config.data.directory;
    take_empty(directory)?;
    let restored = fill(restore, directory).and_then(|()| verify(directory));
    let events = match restored {
        Ok(events) => events,
        Err(error) => {
            for name in [LOG, ACTIVITY, KEYS] {
                // What cannot be removed is refused as not empty the next time.
                let _ = fs::remove_file(directory.join(name));
            }
            return Err(error);
        }
    };
    if restore.json {
        say(&json!({ "data_directory": directory, "position": events, "made_at": log.made_at }).to_string())?;
    } else {
        say(&format!(
            "`{}` is the instance as it was at position {events}, on {}; what was revoked later works again: revoke it",
            directory.display(),
            log.made_at
        ))?;
    }
    Ok(Exit::Done)
}

fn fill(restore: &Restore, directory: &Path) -> anyhow::Result<()> {
    let files = [(&restore.from, LOG), (&restore.from, ACTIVITY), (&restore.keys_from, KEYS)];
    for (folder, name) in files {
        let (from, to) = (folder.join(name), directory.join(name));
        let copy = || {
            fs::copy(&from, &to)?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600))?;
            File::open(&to)?.sync_all()
        };
        copy().with_context(|| format!("copying `{}` to `{}`", from.display(), to.display()))?;
    }
    sync_directory(directory)
}

/// What is there must be a whole log, activity that it does not contradict, and keys that go as far; answers where the log
/// ends.
fn verify(directory: &Path) -> anyhow::Result<u64> {
    let data = DataDirectory::open_read_only(directory)?;
    let log = SqliteLog::open(&data, Arc::new(SystemClock))?;
    let mut first = None;
    let verified = log.verify(&mut |_| (), &mut |defect| {
        first.get_or_insert_with(|| defect.to_string());
    })?;
    if let Some(defect) = first {
        bail!("the log of the back-up has {} defects, the first: {defect}", verified.defects);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let activity = SqliteActivity::open(&data, Arc::new(SystemClock))?;
    let mut first = None;
    runtime.block_on(app::compare_segments(&log, &activity, &mut |defect| {
        first.get_or_insert(defect);
    }))?;
    if let Some(defect) = first {
        return Err(defect).context("the activity is not what the log says of it");
    }
    let keys = SqliteKeys::open(&data)?;
    runtime.block_on(app::expect_event_keys(&log, &keys))?;
    Ok(verified.head.get())
}
