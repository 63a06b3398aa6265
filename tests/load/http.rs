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

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tests::{Service, http::CLIENTS};

use crate::{
    connection::{Connection, optimised_binary},
    measure::{Caller, Result, Sample, Subject, compare, drive, load_average},
    peer::Durability::{Full, Normal},
};

const CONNECTIONS: usize = 64;
/// Clients that each connection switches off and on in turn.
const CLIENTS_OF_CONNECTION: usize = 4;
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
    let address = service.base.trim_start_matches("http://");
    let mut connections = Vec::with_capacity(clients.len());
    for clients in clients {
        connections.push(Switching { connection: Connection::open(address).await?, clients, turn: 0 });
    }
    // Whoever holds the data directory has written its process id into the lock.
    let process = fs::read_to_string(service.data().join("muniment.lock"))?;
    let (sample, connections) = drive(connections, time, process.trim()).await?;
    Ok((sample, connections.into_iter().map(|connection| connection.clients).collect()))
}

/// Clients of its own for each of so many connections.
async fn create_clients(service: &Service, connections: usize) -> Vec<Vec<Switched>> {
    let host = service.base.trim_start_matches("http://");
    let mut clients = Vec::with_capacity(connections);
    for connection in 0..connections {
        let mut of_connection = Vec::with_capacity(CLIENTS_OF_CONNECTION);
        for client in 0..CLIENTS_OF_CONNECTION {
            let (id, _) = service.create_client(&format!("Load {connections} {connection} {client}")).await;
            let request = |action| post(host, &service.token, &format!("{CLIENTS}/{id}/{action}"));
            of_connection.push(Switched {
                active: true,
                deactivate: request("deactivate"),
                enable: request("enable"),
            });
        }
        clients.push(of_connection);
    }
    clients
}

fn post(host: &str, token: &str, path: &str) -> Vec<u8> {
    let body = r#"{"reason":"the old one was seen in a build log"}"#;
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nuser-agent: muniment-load\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection, and what it asks for.
struct Switching {
    connection: Connection,
    clients: Vec<Switched>,
    turn: usize,
}

/// A client, and the requests that switch it.
struct Switched {
    active: bool,
    deactivate: Vec<u8>,
    enable: Vec<u8>,
}

impl Caller for Switching {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        let turn = self.turn % self.clients.len();
        let client = &mut self.clients[turn];
        self.turn += 1;
        let request = if client.active { &client.deactivate } else { &client.enable };
        client.active = !client.active;
        self.connection.ask(request, b"HTTP/1.1 200 ").await?;
        Ok(ControlFlow::Continue(()))
    }
}
