//! Commands over HTTP: the real binary, keep-alive connections, and a client that does as little as it can.
//!
//! - `cargo run --release -p tests --features peers --example http -- [SECONDS] [ROUNDS]`: 64 connections, interleaved
//!   with the peer in process, and how the two rates compare.
//! - `… --example http -- --slow-disk MILLISECONDS [SECONDS]`: how long commands take, at 1 and 64 connections, when each
//!   fsync of the service takes so much longer.
//!
//! The binary is `MUNIMENT_TEST_BINARY`, or what cargo builds from this tree with optimisation.
#![expect(clippy::print_stdout, reason = "a script that prints its figures")]

mod connection;
#[path = "../benches/commands/measure.rs"]
mod measure;
#[cfg_attr(feature = "peers", path = "../benches/commands/peer.rs")]
#[cfg_attr(not(feature = "peers"), path = "../benches/commands/no_peer.rs")]
mod peer;
mod switching;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tests::Service;

use crate::{
    connection::optimised_binary,
    measure::{Result, Sample, Subject, compare, drive, load_average},
    peer::Durability::{Full, Normal},
    switching::{Switched, connect, create_clients},
};

const CONNECTIONS: usize = 64;
/// Set for the process that measures; see [`measure_in_child`].
const MEASURES: &str = "LOAD_MEASURES";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let slow_disk = arguments.first().is_some_and(|first| first == "--slow-disk");
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let milliseconds =
        if slow_disk { Some(numbers.next().ok_or("how slow, in milliseconds?")?) } else { None };
    let time = Duration::from_secs(numbers.next().unwrap_or(5));
    if std::env::var_os(MEASURES).is_none() {
        return measure_in_child(&arguments, milliseconds);
    }
    let service = Service::start().await;
    let measured = match milliseconds {
        Some(milliseconds) => on_slow_disk(&service, milliseconds, time).await,
        None => beside_peer(&service, time, numbers.next().unwrap_or(3)).await,
    };
    service.finish().await;
    measured
}

/// Runs this program again, with the environment that the service is to inherit: which binary it is, and the slow disk.
fn measure_in_child(arguments: &[String], slow_disk: Option<u64>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut child = Command::new(std::env::current_exe()?);
    child.args(arguments).env(MEASURES, "1").env("MUNIMENT_TEST_BINARY", optimised_binary()?);
    if let Some(milliseconds) = slow_disk {
        child.env("LD_PRELOAD", slow_disk_library(folder.path())?);
        child.env("SLOW_DISK_MILLISECONDS", milliseconds.to_string());
    }
    if child.status()?.success() { Ok(()) } else { Err("the measurement failed".into()) }
}

fn slow_disk_library(folder: &Path) -> Result<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/load/slow_disk.c");
    let library = folder.join("slow_disk.so");
    let compiled =
        Command::new("cc").args(["-O2", "-shared", "-fPIC", source, "-ldl", "-o"]).arg(&library).status()?;
    if compiled.success() { Ok(library) } else { Err("cc does not compile the slow disk".into()) }
}

async fn beside_peer(service: &Service, time: Duration, rounds: u64) -> Result<()> {
    let mut clients = create_clients(service, CONNECTIONS).await;
    let mut ours = Subject::new("our commands over HTTP, 64 connections");
    let mut durable =
        Subject::new("cqrs-es + sqlite-es `execute` in process, synchronous=FULL, 32 in flight");
    let mut not_durable = Subject::new("the same, synchronous=NORMAL (not durable)");
    for round in 1..=rounds {
        let folder = tempfile::tempdir()?;
        durable.samples.extend(peer::round(folder.path(), Full, 32, time).await?);
        not_durable.samples.extend(peer::round(folder.path(), Normal, 32, time).await?);
        let sample;
        (sample, clients) = command(service, clients, time).await?;
        ours.samples.push(sample);
        println!("round {round}: load {:.2}", load_average()?);
    }
    println!("\n{}", Subject::heading());
    for subject in [&durable, &not_durable, &ours] {
        println!("{subject}");
    }
    println!(
        "\nCPU seconds of the service alone; those of its clients, on the same processors, are not counted"
    );
    println!("{}", compare("commands over HTTP / durable peer in process, at least 5", 5.0, &ours, &durable));
    println!(
        "{}",
        compare("commands over HTTP / its default in process, at least 5", 5.0, &ours, &not_durable)
    );
    Ok(())
}

async fn on_slow_disk(service: &Service, milliseconds: u64, time: Duration) -> Result<()> {
    println!(
        "each fsync takes {milliseconds} ms longer; load {:.2}\n\n{}",
        load_average()?,
        Subject::heading()
    );
    for connections in [1, CONNECTIONS] {
        let clients = create_clients(service, connections).await;
        let mut subject = Subject::new(format!("our commands over HTTP, {connections} connections"));
        subject.samples.push(command(service, clients, time).await?.0);
        println!("{subject}");
    }
    Ok(())
}

/// A round over new connections, one for each of these groups of clients: the service closes those that were idle.
async fn command(
    service: &Service,
    clients: Vec<Vec<Switched>>,
    time: Duration,
) -> Result<(Sample, Vec<Vec<Switched>>)> {
    let connections = connect(service, clients).await?;
    // Whoever holds the data directory has written its process id into the lock.
    let process = fs::read_to_string(service.data().join("muniment.lock"))?;
    let (sample, connections) = drive(connections, time, process.trim()).await?;
    Ok((sample, connections.into_iter().map(|connection| connection.clients).collect()))
}
