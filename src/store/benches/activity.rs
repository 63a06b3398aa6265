//! What it costs to record that a client was issued a token: 256 in flight, of 32 clients. Interleaved rounds with ids of tokens
//! that are drawn at random and with ids in the order of time, on a log each.
//! `cargo bench -p store --bench activity [-- <seconds a round> <rounds>]`
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "support/commits.rs"]
#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod commits;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use commits::{Measured, Result, cpu, cpu_a_row, report};
use store::{
    Activity, ActivityCommit, ActivityLog, DataDirectory, Outcome, SealedSource, SqliteActivity, SystemClock,
};

const IN_FLIGHT: u64 = 256;
const CLIENTS: u64 = 32;
const WRITER: &str = "activity-writer";

/// The id of the token of a number.
type Ids = fn(u64) -> String;

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let round = Duration::from_secs(numbers.next().unwrap_or(2));
    let rounds = numbers.next().unwrap_or(5);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let open = |name: &str| -> Result<Arc<SqliteActivity>> {
        let directory = DataDirectory::open(&folder.path().join(name))?;
        Ok(Arc::new(SqliteActivity::open(&directory, Arc::new(SystemClock))?))
    };
    let kinds: [(&str, Ids); 2] = [("at random", at_random), ("in time", in_time)];
    let mut measured = [Vec::new(), Vec::new()];
    let logs = [open("random")?, open("time")?];
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..rounds {
        for ((log, (_, id)), measured) in logs.iter().zip(kinds).zip(&mut measured) {
            measured.push(runtime.block_on(run(log, &next, id, round))?);
        }
    }
    for ((name, _), measured) in kinds.into_iter().zip(&mut measured) {
        report(IN_FLIGHT, &format!("ids of tokens {name:>9}"), measured);
    }
    println!("load {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    logs.iter().for_each(|log| runtime.block_on(log.close()));
    Ok(())
}

async fn run(log: &Arc<SqliteActivity>, next: &Arc<AtomicU64>, id: Ids, round: Duration) -> Result<Measured> {
    let cpu_before = cpu(WRITER)?;
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for own in 0..IN_FLIGHT {
        let (log, next) = (Arc::clone(log), Arc::clone(next));
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while begun.elapsed() < round {
                let token = id(next.fetch_add(1, Ordering::Relaxed));
                let commit =
                    ActivityCommit { records: vec![issued(own, token)], ..ActivityCommit::default() };
                let began = Instant::now();
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
    let cpu = cpu_a_row(WRITER, cpu_before, rows)?;
    Ok(Measured { per_second: rows / begun.elapsed().as_secs_f64(), cpu, latencies })
}

fn at_random(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

fn in_time(number: u64) -> String {
    // What is made within one moment is in no order.
    format!("{:08x}{:08x}", number / 16, number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32)
}

fn issued(own: u64, token: String) -> Activity {
    let client = own % CLIENTS;
    Activity {
        kind: "token".to_owned(),
        outcome: Outcome::Done,
        reason: None,
        environment: Some("production".to_owned()),
        client: Some(format!("0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c{client:04x}")),
        credential: Some(format!("wub6gnYaWXKk{client:04x}")),
        token: Some(token),
        grant: None,
        scope: Some("matters:read".to_owned()),
        request_id: Some("0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e".to_owned()),
        count: 1,
        since: None,
        source: Some(SealedSource { token: vec![7; 32], sealed: vec![9; 110] }),
    }
}
