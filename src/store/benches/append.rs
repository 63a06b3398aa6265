//! What durability costs here beside what SQLite itself makes of it.
//!
//! Interleaved rounds of a bare probe (rows of the same size into a table with an integer key, the same number of rows
//! a transaction) and of `EventLog::append` with as many commits in flight. Ratios of one run mean something on a busy
//! machine, rates do not. `cargo bench -p store --bench append [-- <seconds a round> <rounds> <in flight>]`
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use store::{
    Actor, ActorKind, CanonicalJson, Commit, DataDirectory, EventLog, ExpectedRevision, Outcome, Position,
    ProposedEvent, Revision, SqliteLog, StreamCommit, StreamName, SystemClock,
};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const EVENTS_PER_STREAM: u64 = 10;

/// As long as the entries of [`commit`] are.
const ENTRY_BYTES: usize = 721;

struct Measured {
    per_second: f64,
    /// Microseconds of CPU a row: of the thread that writes, and of all the others.
    cpu: (f64, f64),
    latencies: Vec<Duration>,
}

/// CPU time so far, of the threads of this name and of the others.
fn cpu(name: &str) -> Result<(f64, f64)> {
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

fn cpu_a_row(name: &str, before: (f64, f64), rows: f64) -> Result<(f64, f64)> {
    let after = cpu(name)?;
    Ok(((after.0 - before.0) / rows, (after.1 - before.1) / rows))
}

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let round = Duration::from_secs(numbers.next().unwrap_or(2));
    let rounds = numbers.next().unwrap_or(3);
    let only = numbers.next();
    for in_flight in [1, 256].into_iter().filter(|in_flight| only.is_none_or(|only| only == *in_flight)) {
        compare(in_flight, round, rounds)?;
    }
    Ok(())
}

fn compare(in_flight: u64, round: Duration, rounds: u64) -> Result<()> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let probe = Probe::open(&directory.path().join("probe.db"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let log_directory = directory.path().join("log");
    let log = Arc::new(SqliteLog::open(&DataDirectory::open(&log_directory)?, Arc::new(SystemClock))?);
    let tasks = Tasks {
        log: Arc::clone(&log),
        next_stream: Arc::new(AtomicU64::new(0)),
        next_command: Arc::new(AtomicU64::new(0)),
    };

    let (mut ratios, mut ours, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let probed = probe.run(in_flight, round)?;
        let appended = runtime.block_on(tasks.run(in_flight, round))?;
        ratios.push(appended.per_second / probed.per_second);
        bare.push(probed);
        ours.push(appended);
    }
    runtime.block_on(log.close());
    report(in_flight, "probe ", &mut bare);
    report(in_flight, "append", &mut ours);
    ratios.sort_by(f64::total_cmp);
    let entries = entry_bytes(&log)?;
    let file = std::fs::metadata(log_directory.join("log.db"))?.len();
    println!(
        "in flight {in_flight}: append/probe median {:.2} (of {ratios:.2?}); file/entries {:.3}; entry {} bytes; load {}",
        ratios[ratios.len() / 2],
        file as f64 / entries.0 as f64,
        entries.0 / entries.1.max(1),
        std::fs::read_to_string("/proc/loadavg")?.trim(),
    );
    Ok(())
}

fn report(in_flight: u64, what: &str, rounds: &mut [Measured]) {
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

fn entry_bytes(log: &SqliteLog) -> Result<(u64, u64)> {
    let (mut bytes, mut events) = (0, 0);
    log.scan(Position::ORIGIN, &mut |event| {
        bytes += event.entry.len() as u64;
        events += 1;
        std::ops::ControlFlow::Continue(())
    })?;
    Ok((bytes, events))
}

/// The least that a durable log on SQLite does.
struct Probe(Connection);

impl Probe {
    fn open(path: &Path) -> Result<Self> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE events (position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, revision INTEGER NOT NULL, entry BLOB NOT NULL)",
        )?;
        Ok(Self(connection))
    }

    fn run(&self, batch: u64, round: Duration) -> Result<Measured> {
        let entry = vec![b'x'; ENTRY_BYTES];
        let cpu_before = cpu("log-writer")?;
        let begun = Instant::now();
        let (mut rows, mut latencies) = (0, Vec::new());
        while begun.elapsed() < round {
            let began = Instant::now();
            self.0.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            for _ in 0..batch {
                rows += 1;
                self.0
                    .prepare_cached("INSERT INTO events (stream, revision, entry) VALUES (?1, ?2, ?3)")?
                    .execute(params![rows / 10, rows % 10, entry])?;
            }
            self.0.prepare_cached("COMMIT")?.execute([])?;
            latencies.push(began.elapsed());
        }
        let cpu = cpu_a_row("log-writer", cpu_before, rows as f64)?;
        Ok(Measured { per_second: rows as f64 / begun.elapsed().as_secs_f64(), cpu: (cpu.1, 0.0), latencies })
    }
}

/// Commits in flight: each task appends to streams of its own, with an exact expectation.
struct Tasks {
    log: Arc<SqliteLog>,
    next_stream: Arc<AtomicU64>,
    next_command: Arc<AtomicU64>,
}

impl Tasks {
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

    async fn run(&self, in_flight: u64, round: Duration) -> Result<Measured> {
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
