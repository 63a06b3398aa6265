//! Right secrets at a fixed pace, alone and beside ten times as many guesses; and what such a flood leaves on the disk.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use crypto::{Binding, DataKey, ExposeSecret, SecretKind, SystemEntropy, TagKeys};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    asking::{Asked, asking},
    measure::{Caller, Result, Round, Sample, Subject, load_average},
};

/// How many guesses come for each right secret.
const TIMES: u32 = 10;

/// What is asked, of which service.
pub struct Flood<'a> {
    pub address: &'a str,
    /// A request with a right secret for each connection.
    pub right: &'a [Asked],
    /// A request with a guess for each connection.
    pub guesses: &'a [Asked],
    /// Right secrets a second.
    pub pace: u32,
    pub time: Duration,
    pub process: &'a str,
    /// The service's directory.
    pub data: &'a Path,
}

impl Flood<'_> {
    pub async fn measure(&self) -> Result<()> {
        let Self { address, guesses, pace, time, .. } = *self;
        println!("{}", Subject::heading());
        let mut alone = Subject::new(format!("right secrets at {pace} a second, alone"));
        alone.samples.push(self.paced().await?);
        println!("{alone}");
        let guessing = at_pace(address, guesses, pace * TIMES, time).await?;
        let mut beside = Subject::new(format!("beside {} guesses a second", pace * TIMES));
        beside.samples.push(self.paced().await?);
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
        let before = bytes(self.data)?;
        let guessed = latencies(at_pace(address, guesses, pace * TIMES, time).await?).await?.len();
        let megabytes = (bytes(self.data)? - before) / 1e6;
        println!(
            "a flood alone, {guessed} guesses: {megabytes:.3} MB on the disk, {:.2} MB a minute, at most 1; load {:.2}",
            megabytes * 60.0 / time.as_secs_f64(),
            load_average()?,
        );
        Ok(())
    }

    /// Requests at a fixed pace, over all connections together. A latency begins when a request was due: one that had to
    /// wait for the one before has waited.
    async fn paced(&self) -> Result<Sample> {
        let round = Round::begin(self.process)?;
        let latencies = latencies(at_pace(self.address, self.right, self.pace, self.time).await?).await?;
        let operations = latencies.len();
        round.end(latencies, operations)
    }
}

fn ratio(beside: &Sample, alone: &Sample, share: f64) -> f64 {
    beside.latency(share).as_secs_f64() / alone.latency(share).as_secs_f64()
}

/// A secret of the sandbox in the form of ours, that this service did not make.
pub fn guess(client_id: &str) -> Result<String> {
    let tags = TagKeys::new(1, &DataKey::random(&SystemEntropy)?);
    let binding = Binding { environment: "sandbox", owner: client_id };
    let minted = crypto::mint(SecretKind::ClientSecret, &binding, &tags, &SystemEntropy)?;
    Ok(minted.secret.expose_secret().to_owned())
}

/// The latencies of each connection.
type Paced = JoinSet<Result<Vec<Duration>>>;

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
