//! `muniment doctor`: what is wrong with an instance, in the order in which to mend it.

use std::{
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use anyhow::{Context, bail};
use comfy_table::{Table, TableStyle};
use crypto::{ExposeSecret, SystemEntropy};
use kurrent::Outcome;
use rustix::{fs::Access, io::Errno};
use serde_json::json;
use store::{Clock, EventLog, OpenError, ReadError, SystemClock};

use crate::{
    arguments::Doctor,
    backend::Backend,
    commands::init::say,
    config::{Config, KurrentPlace, LogPlace},
    exit::{Exit, WrongUsage, chain},
    instance::{correlation_id, master_key, master_key_lies_inside},
};

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    verdict: Verdict,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Attention,
    /// It could not be looked at, which says nothing of it.
    Unknown,
    Bad,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Attention => "attention",
            Self::Unknown => "unknown",
            Self::Bad => "BAD",
        }
    }
}

/// Runs the command. It looks at everything it can reach, and does not stop at the first fault.
///
/// # Errors
/// Only if the configuration cannot be read or nothing can be printed.
pub fn run(doctor: &Doctor) -> anyhow::Result<Exit> {
    let config = Config::load(&doctor.place)?;
    let findings = if doctor.check_server { server(&config)? } else { instance(&config)? };
    if doctor.json {
        let rows: Vec<_> = findings
            .iter()
            .map(|finding| json!({ "what": finding.what, "verdict": finding.verdict.as_str(), "detail": finding.detail }))
            .collect();
        say(&json!({ "findings": rows }).to_string())?;
    } else {
        let mut table = Table::new();
        table.load_style(TableStyle::new());
        for finding in &findings {
            table.add_row([finding.what, finding.verdict.as_str(), &finding.detail]);
        }
        say(&table.to_string())?;
    }
    let any = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    if any(Verdict::Bad) {
        return Ok(Exit::LogDamaged);
    }
    if any(Verdict::Unknown) {
        bail!(
            "not everything could be looked at: run this as the user whom the files belong to, and where every server answers"
        );
    }
    Ok(if any(Verdict::Attention) { Exit::NeedsAttention } else { Exit::Done })
}

/// Everything that is looked at of an instance.
fn instance(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let mut findings = vec![directory(&config.data.directory)];
    findings.extend(match unreadable(config)? {
        Some(why) => out_of_reach(&why),
        None => inside(config),
    });
    findings.push(views(config));
    Ok(findings)
}

/// What a server of events does, whether or not there is a log on it.
fn server(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let LogPlace::Kurrent(place) = config.log.place()? else {
        let usage = "--check-server is for a server of events: name it with --log esdb://…";
        return Err(WrongUsage(usage.to_owned()).into());
    };
    let mut findings = Vec::new();
    let run = correlation_id(SystemClock.now());
    kurrent::check_server(place.url.expose_secret(), run, &mut |check| {
        let (verdict, detail) = match check.outcome {
            Outcome::AsExpected => (Verdict::Good, "as expected".to_owned()),
            Outcome::NotAllowed => (Verdict::Good, "this user may not, and need not".to_owned()),
            Outcome::Otherwise(detail) => (Verdict::Bad, detail),
        };
        findings.push(Finding { what: check.name, verdict, detail });
    })?;
    Ok(findings)
}

/// Why what is in files cannot be looked at, if it is a matter of who looks. A log cannot be opened
/// without the keys' file beside it.
fn unreadable(config: &Config) -> anyhow::Result<Option<String>> {
    let log = match config.log.place()? {
        LogPlace::Embedded => "log.db",
        LogPlace::Kurrent(KurrentPlace { companion: None, .. }) => "companion.db",
        LogPlace::Postgres(_) | LogPlace::Kurrent(_) => return Ok(None),
    };
    Ok([log, "keys.db"].iter().find_map(|file| closed(&config.data.directory.join(file))))
}

/// Log, activity, keys and credentials.
fn inside(config: &Config) -> Vec<Finding> {
    let backend = match Backend::open_to_read(config) {
        Ok(backend) => backend,
        // A server that does not answer says nothing of what it keeps.
        Err(error)
            if is_no_verdict(&error)
                || matches!(config.log.place(), Ok(LogPlace::Postgres(_) | LogPlace::Kurrent(_))) =>
        {
            return out_of_reach(&chain(error.as_ref()));
        }
        Err(error) => return vec![bad("log", &error)],
    };
    let log = match backend.log() {
        Ok(log) => log,
        Err(error) if is_no_verdict(&error) => return out_of_reach(&chain(error.as_ref())),
        Err(error) => return vec![bad("log", &error)],
    };
    let activity_file = config.data.directory.join("activity.db");
    let mut findings = vec![verified(log.as_ref())];
    findings.push(match closed(&activity_file).filter(|_| backend.is_in_files()) {
        Some(why) => unknown("activity", &why),
        None => activity(&backend, log.as_ref()).unwrap_or_else(|error| bad("activity", &error)),
    });
    findings.extend(keys(config, &backend, log.as_ref()));
    findings
}

/// Whether the log could not be opened for something that says nothing of what it holds.
fn is_no_verdict(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(OpenError::Read(ReadError::Unavailable(_)) | OpenError::NoReplica(_)))
}

/// Why this user cannot read a file; `None` if nothing keeps it from that but perhaps that there is none.
fn closed(file: &Path) -> Option<String> {
    // Asked, not opened: closing a database would let go of the locks that SQLite holds on it in this process.
    rustix::fs::access(file, Access::READ_OK).err().filter(|error| *error == Errno::ACCESS)?;
    let owner = file.ancestors().find_map(|level| Some((level, level.metadata().ok()?.uid())));
    let belongs = owner.map(|(level, uid)| format!("; `{}` belongs to user {uid}", level.display()));
    let user = rustix::process::geteuid().as_raw();
    Some(format!("user {user} may not read `{}`{}", file.display(), belongs.unwrap_or_default()))
}

fn directory(path: &Path) -> Finding {
    let what = "data directory";
    match path.metadata() {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            let detail = format!("`{}` is open to others: chmod 700", path.display());
            Finding { what, verdict: Verdict::Attention, detail }
        }
        Ok(_) => match closed(path) {
            Some(why) => unknown(what, &why),
            None => Finding { what, verdict: Verdict::Good, detail: path.display().to_string() },
        },
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unknown(what, &closed(path).unwrap_or_default())
        }
        Err(error) => bad(what, &anyhow::Error::from(error).context(format!("`{}`", path.display()))),
    }
}

fn verified(log: &dyn EventLog) -> Finding {
    let what = "log";
    let mut first = None;
    let verified = log.verify(&mut |_| (), &mut |defect| {
        first.get_or_insert_with(|| defect.to_string());
    });
    match (verified, first) {
        (Err(error @ ReadError::Unavailable(_)), _) => unknown(what, &chain(&error)),
        (Err(error), _) => bad(what, &error.into()),
        (Ok(verified), Some(defect)) => {
            let detail = format!("{} defects, the first: {defect}", verified.defects);
            Finding { what, verdict: Verdict::Bad, detail }
        }
        (Ok(verified), None) => {
            let detail = format!(
                "{} events in {} streams: dense, canonical, at one with their indexes",
                verified.head, verified.streams
            );
            Finding { what, verdict: Verdict::Good, detail }
        }
    }
}

/// What clients did, against what the log says of its closed segments.
fn activity(backend: &Backend, log: &dyn EventLog) -> anyhow::Result<Finding> {
    let what = "activity";
    let activity = backend.activity()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut defects = Vec::new();
    let mut report = |defect: app::SegmentDefect| defects.push(defect.to_string());
    let closed = runtime.block_on(app::compare_segments(log, activity.as_ref(), &mut report))?;
    if !defects.is_empty() {
        return Ok(Finding { what, verdict: Verdict::Bad, detail: defects.join("; ") });
    }
    let head = runtime.block_on(activity.head())?;
    let detail = format!("{head} records, {closed} closed segments: what the log says of them");
    Ok(Finding { what, verdict: Verdict::Good, detail })
}

fn keys(config: &Config, backend: &Backend, log: &dyn EventLog) -> Vec<Finding> {
    let what = "keys";
    let mut findings = Vec::new();
    match backend.keys_are_of_this_log() {
        Ok(true) => {}
        Ok(false) => {
            let detail = "keys.db belongs to another log: take both from one back-up".to_owned();
            return vec![Finding { what, verdict: Verdict::Bad, detail }];
        }
        Err(error) => findings.push(bad(what, &error)),
    }
    let file = config.keys.master_key.is_none().then(|| config.master_key_file());
    match file.as_deref().and_then(closed) {
        Some(why) => findings.extend([what, "credentials"].map(|what| unknown(what, &why))),
        None => findings.extend(opened(config, backend, log).unwrap_or_else(|error| vec![bad(what, &error)])),
    }
    if master_key_lies_inside(config) {
        let detail =
            "the master key lies in the data directory: a copy of the one is a copy of the other".to_owned();
        findings.push(Finding { what, verdict: Verdict::Attention, detail });
    }
    findings
}

/// Opens everything that the master key is for, in the order in which the one depends on the other.
fn opened(config: &Config, backend: &Backend, log: &dyn EventLog) -> anyhow::Result<Vec<Finding>> {
    let master_key = master_key(config, false)?;
    let id = master_key.id().to_string();
    let keys = backend.keys()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (stored, ids, defects) = runtime.block_on(async {
        app::expect_event_keys(log, keys.as_ref()).await?;
        let stored = keys.data_keys().await?;
        for key in &stored {
            let place = crypto::DataKeyRef { purpose: &key.purpose, id: &key.id };
            master_key
                .unwrap(place, &key.wrapped)
                .with_context(|| format!("unwrapping data key `{}`", key.id))?;
        }
        let ids = log.credential_ids().await?;
        let (all, mut defects) = (ids.len(), Vec::new());
        app::compare_credentials(log, keys.as_ref(), &master_key, &SystemEntropy, ids, &mut |defect| {
            defects.push(defect.to_string());
        })
        .await?;
        anyhow::Ok((stored.len(), all, defects))
    })?;
    let detail = format!("keys of this log; master key {id} opens all {stored} data keys");
    let mut findings = vec![Finding { what: "keys", verdict: Verdict::Good, detail }];
    let what = "credentials";
    findings.push(if defects.is_empty() {
        let detail = format!("all {ids} are those that the log committed to");
        Finding { what, verdict: Verdict::Good, detail }
    } else {
        let detail = format!("{ids} are kept; wrong: {}", defects.join("; "));
        Finding { what, verdict: Verdict::Bad, detail }
    });
    Ok(findings)
}

fn views(config: &Config) -> Finding {
    let what = "views";
    let folder = config.data.directory.join("views");
    if let Some(why) = closed(&folder).or_else(|| closed(&folder.join("live"))) {
        return unknown(what, &why);
    }
    let Some(views) = projections::inspect(&config.data.directory) else {
        let detail = "none that can be used; they are folded when the service starts".to_owned();
        return Finding { what, verdict: Verdict::Attention, detail };
    };
    match views.checkpoints.iter().find_map(|view| view.halt.as_ref().map(|halt| (view, halt))) {
        Some((view, halt)) => {
            let detail = format!("{} halted before {}: {}", view.projection, halt.position, halt.cause);
            Finding { what, verdict: Verdict::Attention, detail }
        }
        None => {
            let positions: Vec<_> = views
                .checkpoints
                .iter()
                .map(|view| format!("{} at {}", view.projection, view.position))
                .collect();
            Finding { what, verdict: Verdict::Good, detail: positions.join(", ") }
        }
    }
}

fn out_of_reach(why: &str) -> Vec<Finding> {
    ["log", "activity", "keys", "credentials"].map(|what| unknown(what, why)).into()
}

fn unknown(what: &'static str, why: &str) -> Finding {
    Finding { what, verdict: Verdict::Unknown, detail: format!("not looked at: {why}") }
}

fn bad(what: &'static str, error: &anyhow::Error) -> Finding {
    Finding { what, verdict: Verdict::Bad, detail: chain(error.as_ref()) }
}
