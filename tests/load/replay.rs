//! What a log on Postgres costs to replay:
//! `cargo run --release -p tests --features peers --example replay -- [EVENTS] [ROUNDS]`.
//!
//! A history is written into files and moved into a database of its own server by `muniment migrate-log`. Then, in interleaved
//! rounds: every event decoded and thrown away; the views of states folded, and all views, as a rebuild does; the events of
//! clients replayed by cqrs-es over postgres-es, from a table of its own, to a query that counts them; and the same rows copied to
//! nowhere. One run; the ratios and the CPU of this process are what to trust.
#![expect(clippy::print_stdout, reason = "a script that prints its figures")]

mod decode;
#[path = "scale/history.rs"]
#[expect(dead_code, reason = "the other script asks for what it wrote")]
mod history;
#[path = "../benches/commands/measure.rs"]
#[expect(dead_code, reason = "the other scripts use the rest")]
mod measure;

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cqrs_es::{EventEnvelope, Query, persist::QueryReplay};
use domain::{Client, Event};
use postgres_es::PostgresEventRepository;
use projections::Projection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use store::{
    PostgresDatabase, PostgresLog, SystemClock,
    testing::{PostgresServer, TestDatabase},
};
use tests::muniment;

use crate::decode::decode_all;
use crate::measure::{Result, Round, Sample, Subject, compare, load_average};

/// Each typical client has ten events.
const EVENTS_OF_CLIENT: u64 = 10;
/// What is no state: the audit's index and full text.
const AUDIT: &str = "audit_trail";

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let events = numbers.next().unwrap_or(200_000);
    let rounds = numbers.next().unwrap_or(3);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let server = PostgresServer::start();
    let database = runtime.block_on(server.database());
    let folder = tempfile::tempdir()?;
    run(folder.path(), &["init", "--data-dir", "data", "--bootstrap-token-file", "token"])?;
    runtime.block_on(history::write(&folder.path().join("data"), events, events / EVENTS_OF_CLIENT))?;
    run(folder.path(), &["migrate-log", "--from", "embedded:data", "--to", &database.owner_url()])?;
    database.psql("ANALYZE");
    let peer = Peer::open(&runtime, &database)?;
    let log = PostgresLog::open(&PostgresDatabase::open(&database.url())?, Arc::new(SystemClock))?;

    let mut scan = Subject::new("every event decoded, and thrown away");
    let mut states = Subject::new("the views of states folded");
    let mut all = Subject::new("all views folded");
    let mut replayed = Subject::new("cqrs-es + postgres-es, its own replay, of clients");
    let mut copied = Subject::new("`\\copy` of the same rows to nowhere");
    for round in 1..=rounds {
        scan.samples.push(sample(|| decode_all(&log))?);
        replayed.samples.push(sample(|| peer.replay(&runtime))?);
        states.samples.push(sample(|| fold(folder.path(), &log, |name| name != AUDIT))?);
        all.samples.push(sample(|| fold(folder.path(), &log, |_| true))?);
        copied.samples.push(sample(|| copy(&server, &database, &log, &runtime))?);
        println!("round {round}: load {:.2}", load_average()?);
    }
    runtime.block_on(log.close());
    println!("\n{}", Subject::heading());
    for subject in [&scan, &states, &all, &replayed, &copied] {
        println!("{subject}");
    }
    println!("\nCPU of this process; that of the server, and of psql, is not counted");
    println!("{}", compare("states / decoded, by rate, at least 0.6", 0.6, &states, &scan));
    println!("{}", compare("states / postgres-es, by rate, at least 6", 6.0, &states, &replayed));
    println!("{}", compare("decoded / `\\copy`, by rate", 0.0, &scan, &copied));
    let per_cpu = |subject: &Subject| {
        let mut rates: Vec<_> = subject.samples.iter().map(Sample::per_cpu_second).collect();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    println!("states / decoded, a CPU second: {:.2}", per_cpu(&states) / per_cpu(&scan));
    println!("states / postgres-es, a CPU second: {:.2}", per_cpu(&states) / per_cpu(&replayed));
    println!("all views, events a CPU second, at least 150,000: {:.0}", per_cpu(&all));
    Ok(())
}

fn run(folder: &std::path::Path, arguments: &[&str]) -> Result<()> {
    let done = muniment(folder, arguments);
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned().into())
    }
}

/// One round of what answers how many events it went through.
fn sample(work: impl FnOnce() -> Result<u64>) -> Result<Sample> {
    let round = Round::begin("self")?;
    let events = work()?;
    round.end(Vec::new(), usize::try_from(events)?)
}

fn fold(folder: &std::path::Path, log: &PostgresLog, wanted: impl Fn(&str) -> bool) -> Result<u64> {
    let views: Vec<Box<dyn Projection>> =
        projections::all().into_iter().filter(|view| wanted(view.name())).collect();
    Ok(projections::rehearse(folder, log, views)?)
}

fn copy(
    server: &PostgresServer,
    database: &TestDatabase<'_>,
    log: &PostgresLog,
    runtime: &tokio::runtime::Runtime,
) -> Result<u64> {
    let copy = "\\copy (SELECT position, revision, entry FROM muniment.log_events ORDER BY position) TO '/dev/null' (FORMAT binary)";
    let status = server
        .program("psql")
        .args(["--quiet", "--username", "postgres", "--dbname", database.name(), "--command", copy])
        .status()?;
    if status.success() { Ok(runtime.block_on(log.head())?.get()) } else { Err("psql cannot copy".into()) }
}

/// cqrs-es over postgres-es, with the events of all clients in a table as its documentation has it.
struct Peer {
    pool: PgPool,
    seen: Arc<AtomicU64>,
}

struct Counting(Arc<AtomicU64>);

#[async_trait::async_trait]
impl Query<Client> for Counting {
    async fn dispatch(&self, _aggregate_id: &str, events: &[EventEnvelope<Client>]) {
        self.0.fetch_add(events.len() as u64, Ordering::Relaxed);
        black_box(events);
    }
}

impl Peer {
    fn open(runtime: &tokio::runtime::Runtime, database: &TestDatabase<'_>) -> Result<Self> {
        database.psql(
            "CREATE TABLE public.events (
               aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL,
               event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
               PRIMARY KEY (aggregate_type, aggregate_id, sequence)
             );
             INSERT INTO public.events SELECT * FROM muniment.events WHERE aggregate_type = 'client';
             GRANT ALL ON public.events TO PUBLIC;
             ANALYZE public.events",
        );
        let pool = runtime.block_on(PgPoolOptions::new().connect(&database.url_of("postgres")))?;
        Ok(Self { pool, seen: Arc::default() })
    }

    fn replay(&self, runtime: &tokio::runtime::Runtime) -> Result<u64> {
        let before = self.seen.load(Ordering::Relaxed);
        let query = Counting(Arc::clone(&self.seen));
        let replay = QueryReplay::new(PostgresEventRepository::new(self.pool.clone()), query)
            .with_upcasters(domain::upcast::upcasters());
        runtime.block_on(replay.replay_all())?;
        Ok(self.seen.load(Ordering::Relaxed) - before)
    }
}
