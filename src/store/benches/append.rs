//! What durability costs here beside what SQLite itself makes of it.
//!
//! Interleaved rounds of a bare probe (rows of the same size into a table with an integer key, the same number of rows
//! a transaction) and of `EventLog::append` with as many commits in flight. Ratios of one run mean something on a busy
//! machine, rates do not. `cargo bench -p store --bench append [-- <seconds a round> <rounds> <in flight>]`
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "support/commits.rs"]
mod commits;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commits::{ENTRY_BYTES, Measured, Result, Tasks, cpu, cpu_a_row, report};
use rusqlite::{Connection, params};
use store::{DataDirectory, EventLog, Position, SqliteLog, SystemClock};

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
    let tasks = Tasks::new(Arc::clone(&log) as _);

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
