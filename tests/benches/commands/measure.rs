//! Rounds, and what they show: a rate, and beside it what it cost and how busy the machine was.

use std::{
    error::Error,
    fmt, fs,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The kernel counts a process's CPU time in these, whatever its own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// One who asks again as soon as it was answered.
pub trait Caller: Send + 'static {
    /// Asks once and waits for the answer; `Break` when there is nothing more to ask.
    fn call(&mut self) -> impl Future<Output = Result<ControlFlow<()>>> + Send;
}

/// What one round showed.
pub struct Sample {
    pub per_second: f64,
    /// Of the process that did the work.
    pub cpu_seconds: f64,
    pub operations: usize,
    /// In order.
    latencies: Vec<Duration>,
    /// The load average of the last minute.
    load: f64,
}

/// A round under way.
pub struct Round {
    processes: String,
    cpu_before: f64,
    began: Instant,
}

impl Round {
    /// Begins a round in which the processes with these ids, apart by spaces, do the work; `self` is this one.
    pub fn begin(processes: impl fmt::Display) -> Result<Self> {
        let processes = processes.to_string();
        Ok(Self { cpu_before: cpu_seconds(&processes)?, processes, began: Instant::now() })
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Ends it. `operations` for each latency.
    pub fn end(self, mut latencies: Vec<Duration>, operations: usize) -> Result<Sample> {
        let elapsed = self.elapsed();
        let cpu_seconds = cpu_seconds(&self.processes)? - self.cpu_before;
        latencies.sort_unstable();
        let per_second = operations as f64 / elapsed.as_secs_f64();
        Ok(Sample { per_second, cpu_seconds, operations, latencies, load: load_average()? })
    }
}

impl Sample {
    pub fn per_cpu_second(&self) -> f64 {
        self.operations as f64 / self.cpu_seconds.max(1.0 / TICKS_PER_SECOND)
    }

    /// The latency that this share of all answers had at most.
    pub fn latency(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get((last as f64 * share) as usize).copied().unwrap_or_default()
    }
}

/// Lets all callers ask until the time is over; one call of each is in flight at any moment.
pub async fn drive<C: Caller>(
    callers: Vec<C>,
    time: Duration,
    processes: impl fmt::Display,
) -> Result<(Sample, Vec<C>)> {
    let round = Round::begin(processes)?;
    let deadline = Instant::now() + time;
    let mut tasks = JoinSet::new();
    for mut caller in callers {
        tasks.spawn(async move {
            let mut latencies = Vec::with_capacity(1 << 12);
            loop {
                let began = Instant::now();
                if began >= deadline || caller.call().await?.is_break() {
                    return Result::Ok((latencies, caller));
                }
                latencies.push(began.elapsed());
            }
        });
    }
    let (mut latencies, mut callers) = (Vec::new(), Vec::new());
    while let Some(finished) = tasks.join_next().await {
        let (of_caller, caller) = finished??;
        latencies.extend(of_caller);
        callers.push(caller);
    }
    let operations = latencies.len();
    Ok((round.end(latencies, operations)?, callers))
}

/// The samples of one subject over all rounds; each line of the table is the median round.
pub struct Subject {
    name: String,
    pub samples: Vec<Sample>,
}

impl Subject {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), samples: Vec::new() }
    }

    pub fn heading() -> &'static str {
        "| what | a second (median; least to most) | a CPU second | CPU s of a round | p50 | p99 | load |\n\
         | --- | --- | --- | --- | --- | --- | --- |"
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut samples: Vec<&Sample> = self.samples.iter().collect();
        samples.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
        let (Some(least), Some(most)) = (samples.first(), samples.last()) else {
            return write!(f, "| {} | not measured | | | | | |", self.name);
        };
        let median = samples[samples.len() / 2];
        write!(
            f,
            "| {} | {:.0}; {:.0} to {:.0} | {:.0} | {:.2} | {} | {} | {:.2} |",
            self.name,
            median.per_second,
            least.per_second,
            most.per_second,
            median.per_cpu_second(),
            median.cpu_seconds,
            shown(median.latency(0.5)),
            shown(median.latency(0.99)),
            median.load,
        )
    }
}

fn shown(latency: Duration) -> String {
    match latency.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros => format!("{:.1} ms", micros as f64 / 1_000.0),
    }
}

/// The rate of `ours` as a multiple of that of `theirs`, round by round, and whether the median reaches the target.
pub fn compare(target: &str, least: f64, ours: &Subject, theirs: &Subject) -> String {
    let pairs = ours.samples.iter().zip(&theirs.samples);
    let mut ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours.per_second / theirs.per_second).collect();
    ratios.sort_by(f64::total_cmp);
    match ratios.get(ratios.len() / 2) {
        Some(median) if *median >= least => format!("PASS  {target}: {median:.2} (rounds: {ratios:.2?})"),
        Some(median) => format!("short {target}: {median:.2} (rounds: {ratios:.2?})"),
        None => format!("      {target}: not measured"),
    }
}

/// User and system time so far, in seconds.
fn cpu_seconds(processes: &str) -> Result<f64> {
    let mut ticks = 0.0;
    for process in processes.split_ascii_whitespace() {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name of the process, in brackets, may hold anything; what follows it are numbers.
        let (_, numbers) = stat.rsplit_once(')').ok_or("a process without a name in /proc")?;
        for number in numbers.split_ascii_whitespace().skip(11).take(2) {
            ticks += number.parse::<f64>()?;
        }
    }
    Ok(ticks / TICKS_PER_SECOND)
}

pub fn load_average() -> Result<f64> {
    let averages = fs::read_to_string("/proc/loadavg")?;
    Ok(averages.split(' ').next().unwrap_or_default().parse()?)
}
