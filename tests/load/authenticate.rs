//! Clients that authenticate over HTTP, each use durable before its answer, and strangers who guess:
//! `cargo run --release -p tests --example authenticate -- [SECONDS] [GOOD A SECOND]`.
//!
//! First as fast as 8 connections can: a bare answer, right secrets, guesses. Then right secrets at a fixed pace, alone and
//! beside ten times as many guesses; and what such a flood leaves on the disk. The binary is `MUNIMENT_TEST_BINARY`, or
//! what cargo builds from this tree with optimisation.
#![expect(clippy::print_stdout, reason = "a script that prints its figures")]

mod asking;
mod connection;
#[path = "../benches/commands/measure.rs"]
#[expect(dead_code, reason = "the other scripts use the rest")]
mod measure;
mod measuring;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crypto::{Binding, DataKey, ExposeSecret, SecretKind, SystemEntropy, TagKeys};
use tests::Service;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    asking::{Asked, asking, own},
    measure::{Caller, Result, Round, Sample, Subject, drive, load_average},
    measuring::is_measuring,
};

const CONNECTIONS: usize = 8;
/// How many guesses come for each right secret.
const FLOOD: u32 = 10;
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

    println!("\nright secrets at {pace} a second\n\n{}", Subject::heading());
    let mut alone = Subject::new("alone");
    alone.samples.push(paced(address, &right, pace, time, process).await?);
    println!("{alone}");
    let guessing = at_pace(address, &guesses, pace * FLOOD, time).await?;
    let mut beside = Subject::new(format!("beside {} guesses a second", pace * FLOOD));
    beside.samples.push(paced(address, &right, pace, time, process).await?);
    println!("{beside}");
    let guessed = latencies(guessing).await?.len();
    let (alone, beside) = (&alone.samples[0], &beside.samples[0]);
    println!(
        "\nanswered beside the flood / alone, at least 0.8: {:.2}; p50 {:.2} times, p99 {:.2} times; {:.0} guesses a second",
        beside.per_second / alone.per_second,
        ratio(beside, alone, 0.5),
        ratio(beside, alone, 0.99),
        guessed as f64 / time.as_secs_f64(),
    );

    let before = bytes(&service.data())?;
    let guessed = latencies(at_pace(address, &guesses, pace * FLOOD, time).await?).await?.len();
    let megabytes = (bytes(&service.data())? - before) / 1e6;
    println!(
        "a flood alone, {guessed} guesses: {megabytes:.3} MB on the disk, {:.2} MB a minute, at most 1; load {:.2}",
        megabytes * 60.0 / time.as_secs_f64(),
        load_average()?,
    );
    Ok(())
}

fn ratio(beside: &Sample, alone: &Sample, share: f64) -> f64 {
    beside.latency(share).as_secs_f64() / alone.latency(share).as_secs_f64()
}

/// A secret in the form of ours, that this service did not make.
fn guess(client_id: &str) -> Result<String> {
    let tags = TagKeys::new(1, &DataKey::random(&SystemEntropy)?);
    let binding = Binding { environment: "sandbox", owner: client_id };
    let minted = crypto::mint(SecretKind::ClientSecret, &binding, &tags, &SystemEntropy)?;
    Ok(minted.secret.expose_secret().to_owned())
}

/// The latencies of each connection.
type Paced = JoinSet<Result<Vec<Duration>>>;

/// Requests at a fixed pace, over all connections together. A latency begins when a request was due: one that had to wait
/// for the one before has waited.
async fn paced(address: &str, asked: &[Asked], pace: u32, time: Duration, process: &str) -> Result<Sample> {
    let round = Round::begin(process)?;
    let latencies = latencies(at_pace(address, asked, pace, time).await?).await?;
    let operations = latencies.len();
    round.end(latencies, operations)
}

async fn at_pace(address: &str, asked: &[Asked], pace: u32, time: Duration) -> Result<Paced> {
    let every = Duration::from_secs(asked.len() as u64) / pace;
    let mut tasks = JoinSet::new();
    for mut asking in asking(address, asked).await? {
        tasks.spawn(async move {
            let mut due = interval(every);
            due.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let (end, mut latencies) = (Instant::now() + time, Vec::new());
            while Instant::now() < end {
                let due = due.tick().await;
                let _ = asking.call().await?;
                latencies.push(due.elapsed());
            }
            Ok(latencies)
        });
    }
    Ok(tasks)
}

async fn latencies(mut tasks: Paced) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while let Some(finished) = tasks.join_next().await {
        latencies.extend(finished??);
    }
    Ok(latencies)
}

/// What the activity log takes up.
fn bytes(data: &Path) -> Result<f64> {
    let mut bytes = 0;
    for file in fs::read_dir(data)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with("activity") {
            bytes += file.metadata()?.len();
        }
    }
    Ok(bytes as f64)
}
