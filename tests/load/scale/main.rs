//! What size costs: `cargo run --release -p tests --example scale -- [EVENTS]… [--clients N] [--keep DIR]`.
//!
//! For each size (1,000,000 and 10,000,000 unless told otherwise): a history of 100,000 clients is written into an empty
//! instance, the views are folded beside a typed scan of the same log, the service is started on it, and everything that
//! somebody would ask is asked over HTTP. One run, one table; the ratios and the CPU are what to trust.
#![expect(clippy::print_stdout, reason = "a script that prints its figures")]

#[expect(dead_code, reason = "shared with the benchmarks, which use more of it")]
#[path = "../../benches/commands/measure.rs"]
mod measure;

#[path = "../decode.rs"]
mod decode;
mod history;
mod questions;
mod service;

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{Client, Event};
use store::{DataDirectory, EventLog, Revision, SqliteLog, SystemClock};

use crate::{
    decode::decode_all,
    history::History,
    measure::{Result, load_average},
    service::Instance,
};

const CLIENTS: u64 = 100_000;
/// Streams loaded to see how long one takes.
const LOADS: u64 = 20_000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after =
        |flag: &str| arguments.iter().position(|one| one == flag).and_then(|at| arguments.get(at + 1));
    let clients = after("--clients").map_or(Ok(CLIENTS), |text| text.parse())?;
    let mut sizes: Vec<u64> = arguments
        .iter()
        .take_while(|argument| !argument.starts_with("--"))
        .map(|argument| argument.replace(['_', ','], "").parse())
        .collect::<std::result::Result<_, _>>()?;
    if sizes.is_empty() {
        sizes = vec![1_000_000, 10_000_000];
    }
    for events in sizes {
        let clients = clients.min(events / history::EVENTS_OF_CLIENT);
        let folder = tempfile::tempdir()?;
        let kept = after("--keep").map(|kept| Path::new(kept).join(events.to_string()));
        if let Some(kept) = &kept {
            std::fs::create_dir_all(kept)?;
        }
        measure(kept.as_deref().unwrap_or(folder.path()), events, clients).await?;
    }
    Ok(())
}

async fn measure(folder: &Path, events: u64, clients: u64) -> Result<()> {
    println!("\n## {events} events, {clients} clients; load {:.2}\n", load_average()?);
    let mut instance = Instance::create(folder)?;
    let began = Instant::now();
    let ready = instance.start().await?;
    said("ready on an empty log (T9: 100 ms)", format_args!("{} ms", ready.as_millis()));
    instance.stop().await?;

    let history = history::write(&instance.data(), events, clients).await?;
    said(
        "history written",
        format_args!("{:.0} s, {:.0} events/s", began.elapsed().as_secs_f64(), rate(events, began.elapsed())),
    );
    sizes(&instance, &history)?;
    let scan = typed_scan(&instance.data())?;
    said("typed scan", format_args!("{:.0} events/CPU-s", history.head.get() as f64 / scan));
    let (load, fold) = loads(&instance.data(), clients).await?;
    said(
        "a client's stream, read and folded, warm (T10: 50 µs)",
        format_args!("{load:.1} µs + {fold:.1} µs"),
    );

    let rebuilt = instance.rebuild()?;
    said(
        "rebuild of all views (T5: 150,000 events/CPU-s)",
        format_args!(
            "{:.0} events/CPU-s; {:.2} × the CPU of the typed scan; {:.0} s",
            history.head.get() as f64 / rebuilt.cpu_seconds,
            rebuilt.cpu_seconds / scan,
            rebuilt.elapsed.as_secs_f64()
        ),
    );
    let ready = instance.start().await?;
    said("ready with views present (T9: 250 ms at 1M)", format_args!("{} ms", ready.as_millis()));
    said("resident when idle", format_args!("{} MiB", instance.resident()?));
    questions::ask(&mut instance, &history).await?;
    said(
        "resident after all that, and at most",
        format_args!("{} MiB, {} MiB", instance.resident()?, instance.most_resident()?),
    );
    instance.stop().await?;
    said("load", format_args!("{:.2}", load_average()?));
    Ok(())
}

fn said(what: &str, figure: std::fmt::Arguments<'_>) {
    println!("| {what} | {figure} |");
}

fn rate(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64()
}

/// What the log takes on disk, by table: the events with their indexes, the vault, and the views apart.
fn sizes(instance: &Instance, history: &History) -> Result<()> {
    let log = rusqlite::Connection::open(instance.data().join("log.db"))?;
    let mut tables = log.prepare("SELECT m.tbl_name, sum(s.pgsize) FROM dbstat s JOIN sqlite_schema m ON m.name = s.name GROUP BY 1 ORDER BY 2 DESC")?;
    let tables = tables.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))?;
    let entries = history.entry_bytes as f64;
    for table in tables {
        let (name, bytes) = table?;
        said(
            &format!("`{name}` with its indexes"),
            format_args!(
                "{} MiB, {:.2} of the entries' {} MiB",
                bytes >> 20,
                bytes as f64 / entries,
                history.entry_bytes >> 20
            ),
        );
    }
    Ok(())
}

/// The CPU seconds it takes to decode every event and throw it away.
fn typed_scan(data: &Path) -> Result<f64> {
    let log = SqliteLog::open(&DataDirectory::open(data)?, Arc::new(SystemClock))?;
    let before = thread_seconds()?;
    decode_all(&log)?;
    Ok(thread_seconds()? - before)
}

/// Microseconds to read a typical client's stream, and to fold it, once it was read before.
async fn loads(data: &Path, clients: u64) -> Result<(f64, f64)> {
    let log = SqliteLog::open(&DataDirectory::open(data)?, Arc::new(SystemClock))?;
    let (mut reading, mut folding, mut loaded) = (Duration::ZERO, Duration::ZERO, 0);
    for number in 0..LOADS {
        let number = history::mixed(number) % clients;
        if number.is_multiple_of(100) {
            continue;
        }
        let stream = history::stream(number)?;
        log.read_stream(&stream, Revision::NONE, 100).await?;
        let began = Instant::now();
        let events = log.read_stream(&stream, Revision::NONE, 100).await?;
        reading += began.elapsed();
        let began = Instant::now();
        let mut client = Client::default();
        for event in &events {
            let envelope = event.envelope()?;
            let decoded = Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get())?;
            if let Event::Client(event) = decoded {
                client.apply(&event, envelope.at);
            }
        }
        black_box(client);
        folding += began.elapsed();
        loaded += 1;
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(loaded);
    Ok((micros(reading), micros(folding)))
}

/// The time this thread was on a processor so far, in seconds.
fn thread_seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}
