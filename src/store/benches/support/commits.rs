//! Commits as the service makes them, as many in flight as asked for; and what a round of them cost.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::{
    Actor, ActorKind, CanonicalJson, Commit, EventLog, ExpectedRevision, Outcome, ProposedEvent, Revision,
    StreamCommit, StreamName,
};
use uuid::Uuid;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

pub const EVENTS_PER_STREAM: u64 = 10;

/// As long as the entries of the commits are.
pub const ENTRY_BYTES: usize = 721;

pub struct Measured {
    pub per_second: f64,
    /// Microseconds of CPU a row: of the thread that writes, and of all the others.
    pub cpu: (f64, f64),
    pub latencies: Vec<Duration>,
}

/// CPU time so far, of the threads of this name and of the others.
pub fn cpu(name: &str) -> Result<(f64, f64)> {
    let (mut named, mut others) = (0.0, 0.0);
    for thread in std::fs::read_dir("/proc/self/task")? {
        let path = thread?.path();
        let nanoseconds = std::fs::read_to_string(path.join("schedstat"))?;
        let microseconds = nanoseconds.split(' ').next().unwrap_or_default().parse::<f64>()? / 1000.0;
        let is_named = std::fs::read_to_string(path.join("comm"))?.trim() == name;
        *(if is_named { &mut named } else { &mut others }) += microseconds;
    }
    Ok((named, others))
}

pub fn cpu_a_row(name: &str, before: (f64, f64), rows: f64) -> Result<(f64, f64)> {
    let after = cpu(name)?;
    Ok(((after.0 - before.0) / rows, (after.1 - before.1) / rows))
}

/// Prints the median round, and the latencies of all.
pub fn report(in_flight: u64, what: &str, rounds: &mut [Measured]) {
    let mut latencies: Vec<Duration> =
        rounds.iter().flat_map(|round| round.latencies.iter().copied()).collect();
    latencies.sort_unstable();
    rounds.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros();
    println!(
        "in flight {in_flight}: {what} {:>8.0} rows/s, CPU a row {:.2} µs writing + {:.2} µs asking, p50 {} µs, p99 {} µs, max {} µs",
        rounds[rounds.len() / 2].per_second,
        rounds[rounds.len() / 2].cpu.0,
        rounds[rounds.len() / 2].cpu.1,
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

/// Commits in flight: each task appends to streams of its own, with an exact expectation.
pub struct Tasks {
    log: Arc<dyn EventLog>,
    next_stream: AtomicU64,
    next_command: Arc<AtomicU64>,
}

impl Tasks {
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, next_stream: AtomicU64::new(0), next_command: Arc::default() }
    }

    /// More commits than one task can append in a round: only the append is measured.
    fn prepare(&self, in_flight: u64, round: Duration) -> Result<Vec<Commit>> {
        let commits = round.as_millis() as u64 * if in_flight == 1 { 20 } else { 150 } / in_flight;
        let mut prepared = Vec::new();
        while (prepared.len() as u64) < commits {
            let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);
            for revision in 0..EVENTS_PER_STREAM {
                prepared.push(commit(stream, revision)?);
            }
        }
        Ok(prepared)
    }

    pub async fn run(&self, in_flight: u64, round: Duration) -> Result<Measured> {
        let prepared = (0..in_flight).map(|_| self.prepare(in_flight, round)).collect::<Result<Vec<_>>>()?;
        let cpu_before = cpu("log-writer")?;
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for commits in prepared {
            let (log, next_command) = (Arc::clone(&self.log), Arc::clone(&self.next_command));
            tasks.spawn(async move {
                let mut latencies = Vec::with_capacity(commits.len());
                for mut commit in commits {
                    // In the order of their making, like the UUIDv7 that commands get.
                    let command = u128::from(next_command.fetch_add(1, Ordering::Relaxed));
                    commit.command_id = Uuid::from_u128(0x0193_0000 << 96 | command << 64 | 0x8000 << 48);
                    let began = Instant::now();
                    if began.duration_since(begun) >= round {
                        break;
                    }
                    log.append(commit).await?;
                    latencies.push(began.elapsed());
                }
                Result::Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(finished) = tasks.join_next().await {
            latencies.extend(finished??);
        }
        let rows = latencies.len() as f64;
        let cpu = cpu_a_row("log-writer", cpu_before, rows)?;
        Ok(Measured { per_second: rows / begun.elapsed().as_secs_f64(), cpu, latencies })
    }
}

fn commit(stream: u64, revision: u64) -> Result<Commit> {
    let id = |kind: u128| {
        let number = u128::from(stream * EVENTS_PER_STREAM + revision);
        // In the order of their making, like the UUIDv7 that commands get.
        Uuid::from_u128(
            (0x0193_0000 << 96 | number << 64)
                + (kind << 60)
                + number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % (1 << 60),
        )
    };
    Ok(Commit {
        command_id: id(1),
        correlation_id: id(2),
        causation_id: None,
        request_id: id(3).to_string(),
        request_digest: None,
        actor: Actor {
            id: id(4).to_string(),
            kind: ActorKind::Member,
            via: Some(format!("token:{}", id(5))),
        },
        ticket: None,
        streams: vec![StreamCommit {
            stream: StreamName::new("client", &Uuid::from_u128(u128::from(stream)).to_string())?,
            expected: ExpectedRevision::Exact(Revision::new(revision)),
            environment: Some("production".to_owned()),
            responsible: None,
            events: vec![ProposedEvent {
                id: id(6),
                event_type: "client.secret_issued".to_owned(),
                event_version: 1,
                data: CanonicalJson::from_value(&serde_json::json!({
                    "client_id": id(7), "label": "deploy pipeline", "expires_at": "2027-11-20T22:13:25.123456Z", "secret_id": id(8),
                }))?,
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
