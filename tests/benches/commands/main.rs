//! What a command costs, beside the cqrs-es it could have been written on and the disk it ends on.
//!
//! Everything is measured in one interleaved run: only ratios of one run mean something on a machine that does other
//! things. `cargo bench -p tests --features peers --bench commands [-- <seconds a round> <rounds>]`; without the feature
//! the peer is left out.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod append;
mod measure;
#[cfg_attr(not(feature = "peers"), path = "no_peer.rs")]
mod peer;
mod probe;
mod service;

use std::{path::Path, time::Duration};

use crate::{
    append::Log,
    measure::{Result, Subject, compare, load_average},
    peer::Durability::{Full, Normal},
    service::Service,
};

/// Commands in flight where they share transactions.
const MANY: usize = 256;
/// Commands in flight where the peer is measured: more make it slower.
const MANY_FOR_PEER: usize = 32;

/// Everything that is measured, as the lines of the table.
struct Subjects {
    peer_many: Subject,
    peer_many_normal: Subject,
    peer_one: Subject,
    peer_one_normal: Subject,
    probe_one: Subject,
    probe_64: Subject,
    probe_256: Subject,
    probe_reached: Subject,
    append_one: Subject,
    append_many: Subject,
    commands_one: Subject,
    commands_many: Subject,
}

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let time = Duration::from_secs(numbers.next().unwrap_or(3));
    let rounds = numbers.next().unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(time, rounds))
}

async fn run(time: Duration, rounds: u64) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let directory = directory.path();
    let mut subjects = Subjects::new();
    let mut log = Log::open(directory)?;
    let mut service = Service::open(directory).await?;
    println!(
        "{rounds} rounds of {} s in {}, load {:.2}",
        time.as_secs(),
        directory.display(),
        load_average()?
    );
    for round in 1..=rounds {
        subjects.measure_many(directory, &mut log, &mut service, time).await?;
        subjects.measure_one(directory, &mut log, &mut service, time).await?;
        println!("round {round}: load {:.2}", load_average()?);
    }
    subjects.report();
    Ok(())
}

impl Subjects {
    fn new() -> Self {
        Self {
            peer_many: Subject::new("cqrs-es + sqlite-es `execute`, synchronous=FULL, 32 in flight"),
            peer_many_normal: Subject::new(
                "cqrs-es + sqlite-es `execute`, its default NORMAL (not durable), 32 in flight",
            ),
            peer_one: Subject::new("cqrs-es + sqlite-es `execute`, synchronous=FULL, 1 in flight"),
            peer_one_normal: Subject::new(
                "cqrs-es + sqlite-es `execute`, its default NORMAL (not durable), 1 in flight",
            ),
            probe_one: Subject::new("bare SQLite, 1 row a transaction"),
            probe_64: Subject::new("bare SQLite, 64 rows a transaction"),
            probe_256: Subject::new("bare SQLite, 256 rows a transaction"),
            probe_reached: Subject::new("bare SQLite, as many rows a transaction as `append` reached"),
            append_one: Subject::new("`EventLog::append`, 1 in flight"),
            append_many: Subject::new("`EventLog::append`, 256 in flight"),
            commands_one: Subject::new("our commands, 1 in flight"),
            commands_many: Subject::new("our commands, 256 in flight"),
        }
    }

    async fn measure_many(
        &mut self,
        directory: &Path,
        log: &mut Log,
        service: &mut Service,
        time: Duration,
    ) -> Result<()> {
        self.peer_many.samples.extend(peer::round(directory, Full, MANY_FOR_PEER, time).await?);
        self.peer_many_normal.samples.extend(peer::round(directory, Normal, MANY_FOR_PEER, time).await?);
        let (commands, by_commands) = service.round(MANY, time).await?;
        let (append, by_append) = log.round(MANY, time).await?;
        println!(
            "commits a transaction: {} of commands, {} of append; bytes an entry: {} and {}",
            by_commands.commits, by_append.commits, by_commands.entry_bytes, by_append.entry_bytes
        );
        self.commands_many.samples.push(commands);
        self.append_many.samples.push(append);
        let bytes = by_append.entry_bytes;
        self.probe_reached.samples.push(probe::round(directory, bytes, by_append.commits, time)?);
        self.probe_64.samples.push(probe::round(directory, bytes, 64, time)?);
        self.probe_256.samples.push(probe::round(directory, bytes, 256, time)?);
        Ok(())
    }

    async fn measure_one(
        &mut self,
        directory: &Path,
        log: &mut Log,
        service: &mut Service,
        time: Duration,
    ) -> Result<()> {
        self.peer_one.samples.extend(peer::round(directory, Full, 1, time).await?);
        self.peer_one_normal.samples.extend(peer::round(directory, Normal, 1, time).await?);
        let (commands, _) = service.round(1, time).await?;
        let (append, by_append) = log.round(1, time).await?;
        self.commands_one.samples.push(commands);
        self.append_one.samples.push(append);
        self.probe_one.samples.push(probe::round(directory, by_append.entry_bytes, 1, time)?);
        Ok(())
    }

    fn report(&self) {
        println!("\n{}", Subject::heading());
        for subject in [
            &self.peer_one,
            &self.peer_many,
            &self.peer_one_normal,
            &self.peer_many_normal,
            &self.probe_one,
            &self.probe_64,
            &self.probe_256,
            &self.probe_reached,
            &self.append_one,
            &self.append_many,
            &self.commands_one,
            &self.commands_many,
        ] {
            println!("{subject}");
        }
        println!();
        for line in [
            compare(
                "commands at 256 / durable peer at 32, at least 10",
                10.0,
                &self.commands_many,
                &self.peer_many,
            ),
            compare(
                "commands at 256 / its default at 32, at least 10",
                10.0,
                &self.commands_many,
                &self.peer_many_normal,
            ),
            compare(
                "append at 256 / bare SQLite as batched, at least 0.7",
                0.7,
                &self.append_many,
                &self.probe_reached,
            ),
            compare(
                "append at 1 / bare SQLite by single rows, at least 0.8",
                0.8,
                &self.append_one,
                &self.probe_one,
            ),
        ] {
            println!("{line}");
        }
    }
}
