//! Clients that authenticate over HTTP, each use durable before its answer, and strangers who guess:
//! `cargo run --release -p tests --example authenticate -- [SECONDS] [GOOD A SECOND]`.
//!
//! First as fast as 8 connections can: a bare answer, right secrets, guesses. Then right secrets at a fixed pace, alone and
//! beside ten times as many guesses; and what such a flood leaves on the disk. The binary is `MUNIMENT_TEST_BINARY`, or
//! what cargo builds from this tree with optimisation.
#![expect(clippy::print_stdout, reason = "a script that prints its figures")]

mod asking;
mod connection;
mod flood;
#[path = "../benches/commands/measure.rs"]
#[expect(dead_code, reason = "the other scripts use the rest")]
mod measure;
mod measuring;

use std::{fs, time::Duration};

use tests::Service;

use crate::{
    asking::{Asked, asking, own},
    flood::{Flood, guess},
    measure::{Result, Subject, drive},
    measuring::is_measuring,
};

const CONNECTIONS: usize = 8;
/// So that one address may ask as often as it likes.
const SETTINGS: &str = "[limits]\nreads_per_minute = 0\ncommands_per_minute = 0\nanonymous_per_minute = 0\n";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !is_measuring(&arguments)? {
        return Ok(());
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u32>().ok());
    let time = Duration::from_secs(numbers.next().unwrap_or(10).into());
    let pace = numbers.next().unwrap_or(300);
    let service = Service::start_with_settings(SETTINGS).await;
    let measured = measure(&service, time, pace).await;
    service.finish().await;
    measured
}

async fn measure(service: &Service, time: Duration, pace: u32) -> Result<()> {
    let address = service.base.trim_start_matches("http://");
    let (mut right, mut guesses) = (Vec::new(), Vec::new());
    for place in 0..CONNECTIONS {
        let (id, created) = service.create_client(&format!("Load {place}")).await;
        let secret = created.text_of("/client_secret");
        right.push(Asked { request: own(address, &id, secret), expected: b"HTTP/1.1 200 " });
        guesses.push(Asked { request: own(address, &id, &guess(&id)?), expected: b"HTTP/1.1 401 " });
    }
    let bare = format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
    let bare = vec![Asked { request: bare, expected: b"HTTP/1.1 200 " }; CONNECTIONS];
    let process = fs::read_to_string(service.data().join("muniment.lock"))?;
    let process = process.trim();

    println!("as fast as {CONNECTIONS} connections can\n\n{}", Subject::heading());
    let mut costs = Vec::new();
    for (name, asked) in [
        ("`GET /healthz`, nothing checked or recorded", &bare),
        ("right secrets", &right),
        ("guesses: well-formed, made with other keys", &guesses),
    ] {
        let mut subject = Subject::new(name);
        let (sample, _) = drive(asking(address, asked).await?, time, process).await?;
        costs.push(1e6 / sample.per_cpu_second());
        subject.samples.push(sample);
        println!("{subject}");
    }
    println!(
        "\nµs of CPU of the service an answer: bare {:.0}, right secret {:.0}, guess {:.0}",
        costs[0], costs[1], costs[2]
    );

    println!("\nright secrets at {pace} a second\n");
    Flood { address, right: &right, guesses: &guesses, pace, time, process, data: &service.data() }
        .measure()
        .await
}
