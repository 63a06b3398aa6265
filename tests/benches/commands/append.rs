//! Our log alone: `EventLog::append`, without a command around it.

use std::{ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use serde_json::json;
use store::{
    Actor, ActorKind, CanonicalJson, Commit, DataDirectory, Envelope, EventLog, ExpectedRevision, Outcome,
    Position, ProposedEvent, Revision, SqliteLog, StreamCommit, StreamName, SystemClock,
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::measure::{Caller, Result, Sample, drive};

const EVENTS_PER_STREAM: u64 = 10;

/// A log of its own.
pub struct Log {
    log: Arc<SqliteLog>,
    commits: u64,
    streams: u64,
    _directory: TempDir,
}

/// What was written between two positions.
pub struct Written {
    /// The mean, per entry.
    pub entry_bytes: usize,
    /// The mean, per transaction.
    pub commits: usize,
}

/// Appends commits that were made before, in order.
struct Appending {
    log: Arc<SqliteLog>,
    commits: std::vec::IntoIter<Commit>,
}

impl Caller for Appending {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        let Some(commit) = self.commits.next() else { return Ok(ControlFlow::Break(())) };
        self.log.append(commit).await?;
        Ok(ControlFlow::Continue(()))
    }
}

impl Log {
    pub fn open(directory: &Path) -> Result<Self> {
        let directory = tempfile::tempdir_in(directory)?;
        let log =
            SqliteLog::open(&DataDirectory::open(&directory.path().join("data"))?, Arc::new(SystemClock))?;
        Ok(Self { log: Arc::new(log), commits: 0, streams: 0, _directory: directory })
    }

    /// A round, and what it wrote. Every commit is made before it begins, so that only the append is measured.
    pub async fn round(&mut self, in_flight: usize, time: Duration) -> Result<(Sample, Written)> {
        // More than any machine of ours appends in that time.
        let per_second: u64 = if in_flight == 1 { 20_000 } else { 150_000 };
        let in_all = per_second * time.as_millis() as u64 / 1_000;
        let of_caller = in_all.div_ceil(in_flight as u64).next_multiple_of(EVENTS_PER_STREAM);
        let mut callers = Vec::with_capacity(in_flight);
        for caller in 0..in_flight as u64 {
            let commit = |number: u64| {
                let stream = self.streams + (caller * of_caller + number) / EVENTS_PER_STREAM;
                commit(
                    stream,
                    Revision::new(number % EVENTS_PER_STREAM),
                    self.commits + number * in_flight as u64 + caller,
                )
            };
            let commits: Vec<_> = (0..of_caller).map(commit).collect::<Result<_>>()?;
            callers.push(Appending { log: Arc::clone(&self.log), commits: commits.into_iter() });
        }
        self.commits += in_flight as u64 * of_caller;
        self.streams += in_flight as u64 * of_caller / EVENTS_PER_STREAM;
        let before = self.log.head().await?;
        let (sample, _) = drive(callers, time, "self").await?;
        let written = written(self.log.as_ref(), before)?;
        Ok((sample, written))
    }
}

/// All entries of a transaction carry one time, so that transactions can be told apart afterwards.
pub fn written(log: &dyn EventLog, after: Position) -> Result<Written> {
    let (mut bytes, mut entries, mut commits, mut transactions) = (0, 0, 0, 0);
    let (mut last_at, mut last_command, mut damaged) = (None, None, None);
    log.scan(after, &mut |event| match Envelope::parse(event.entry) {
        Ok(envelope) => {
            bytes += event.entry.len();
            entries += 1;
            commits += usize::from(last_command.replace(envelope.command_id) != Some(envelope.command_id));
            transactions += usize::from(last_at.replace(envelope.at) != Some(envelope.at));
            ControlFlow::Continue(())
        }
        Err(error) => {
            damaged = Some(error);
            ControlFlow::Break(())
        }
    })?;
    damaged.map_or(Ok(()), Err)?;
    Ok(Written { entry_bytes: bytes / entries.max(1), commits: commits / transactions.max(1) })
}

/// One event of a stream, which is expected to be where it must be. Commits are about in the order of their numbers,
/// as commands are in that of their ids.
fn commit(stream: u64, revision: Revision, number: u64) -> Result<Commit> {
    let uuid = |number: u64, kind: u128| Uuid::from_u128((0x0193 << 112) | (u128::from(number) << 48) | kind);
    let id = |kind| uuid(number, kind);
    Ok(Commit {
        command_id: id(1),
        correlation_id: id(2),
        causation_id: None,
        request_id: id(3).to_string(),
        request_digest: None,
        actor: Actor {
            id: id(4).to_string(),
            kind: ActorKind::Member,
            via: Some("token:4Qw2hJz8".to_owned()),
        },
        ticket: None,
        streams: vec![StreamCommit {
            stream: StreamName::new("client", &uuid(stream, 0).to_string())?,
            expected: ExpectedRevision::Exact(revision),
            environment: Some("production".to_owned()),
            responsible: Some(id(5).to_string()),
            events: vec![ProposedEvent {
                id: id(6),
                event_type: "client.secret_revoked".to_owned(),
                event_version: 1,
                data: CanonicalJson::from_value(&json!({ "secret_id": "9hT2kQ", "lockout": true }))?,
                outcome: Outcome::Done,
                private: Vec::new(),
                salt: [7; 16],
            }],
        }],
        claims: Vec::new(),
        credentials: Vec::new(),
        destroyed_credentials: Vec::new(),
        disclosures: Vec::new(),
        lookup_tokens: Vec::new(),
        forgotten_persons: Vec::new(),
    })
}
