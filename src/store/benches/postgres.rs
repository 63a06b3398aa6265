//! What an append to Postgres costs, beside what the peers make of the same server.
//!
//! Interleaved rounds with as many in flight: `EventLog::append`; `execute` of cqrs-es with postgres-es, on a table as its
//! documentation has it; and pgbench inserting rows of the same size, one a transaction. Then the whole log is walked, and copied
//! with `COPY`. Ratios of one run mean something on a busy machine, rates do not.
//! `cargo bench -p store --bench postgres [-- <seconds a round> <rounds> <in flight>]`
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "support/commits.rs"]
mod commits;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use commits::{ENTRY_BYTES, EVENTS_PER_STREAM, Measured, Result, Tasks, report};
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, CqrsFramework, DomainEvent};
use postgres_es::PostgresEventRepository;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use store::testing::{PostgresServer, TestDatabase};
use store::{EventLog, Position, PostgresDatabase, PostgresLog, SystemClock};

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u64>().ok());
    let round = Duration::from_secs(numbers.next().unwrap_or(2));
    let rounds = numbers.next().unwrap_or(3);
    let only = numbers.next();
    let server = PostgresServer::start();
    for in_flight in
        [1, 8, 32, 256].into_iter().filter(|in_flight| only.is_none_or(|only| only == *in_flight))
    {
        compare(&server, in_flight, round, rounds)?;
    }
    Ok(())
}

fn compare(server: &PostgresServer, in_flight: u64, round: Duration, rounds: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let database = runtime.block_on(server.database());
    let log = Arc::new(PostgresLog::open(&PostgresDatabase::open(&database.url())?, Arc::new(SystemClock))?);
    let tasks = Tasks::new(Arc::clone(&log) as _);
    let peer_database = server.empty_database();
    let peer = runtime.block_on(Peer::open(&peer_database, in_flight))?;
    let bench_database = server.empty_database();
    let pgbench = Pgbench::new(server, &bench_database);

    let (mut ours, mut executed, mut inserted) = (Vec::new(), Vec::new(), Vec::new());
    let (mut to_peer, mut to_pgbench) = (Vec::new(), Vec::new());
    // Rows and CPU of the server: of append, execute and pgbench.
    let mut costs = [(0.0, 0.0); 3];
    let mut cost = |of: usize, rate: f64, before: f64| -> Result<()> {
        costs[of].0 += rate * round.as_secs_f64();
        costs[of].1 += server_cpu(server)? - before;
        Ok(())
    };
    for _ in 0..rounds {
        let before = server_cpu(server)?;
        let execute = runtime.block_on(peer.run(in_flight, round))?;
        cost(1, execute.per_second, before)?;
        let before = server_cpu(server)?;
        let insert = pgbench.run(in_flight, round)?;
        cost(2, insert, before)?;
        let before = server_cpu(server)?;
        let append = runtime.block_on(tasks.run(in_flight, round))?;
        cost(0, append.per_second, before)?;
        to_peer.push(append.per_second / execute.per_second);
        to_pgbench.push(append.per_second / insert);
        ours.push(append);
        executed.push(execute);
        inserted.push(insert);
    }
    runtime.block_on(log.close());
    report(in_flight, "append ", &mut ours);
    report(in_flight, "execute", &mut executed);
    println!("in flight {in_flight}: pgbench {inserted:>8.0?} rows/s");
    println!(
        "in flight {in_flight}: append/execute median {:.2}, append/pgbench median {:.2}; load {}",
        median(&mut to_peer),
        median(&mut to_pgbench),
        std::fs::read_to_string("/proc/loadavg")?.trim(),
    );
    let [append, execute, insert] = costs.map(|(rows, seconds)| rows / seconds);
    println!(
        "in flight {in_flight}: rows a CPU-second of the server: append {append:.0}, execute {execute:.0}, pgbench {insert:.0}; \
         append/execute {:.2}, append/pgbench {:.2}",
        append / execute,
        append / insert,
    );
    walk(server, &database, log.as_ref(), in_flight)
}

/// CPU seconds of the server so far, of all its processes, those that ended among them.
fn server_cpu(server: &PostgresServer) -> Result<f64> {
    let postmaster = std::fs::read_to_string(server.directory().join("data/postmaster.pid"))?;
    let postmaster = postmaster.lines().next().unwrap_or_default().to_owned();
    let mut ticks = 0;
    for process in std::fs::read_dir("/proc")? {
        // A process may end while it is looked at.
        let Ok(stat) = std::fs::read_to_string(process?.path().join("stat")) else { continue };
        let Some((pid, rest)) = stat.split_once(' ') else { continue };
        let fields: Vec<&str> = rest.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let number =
            |field: usize| fields.get(field).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        // utime, stime, and of the children that ended; a process that ends adds itself to its parent's.
        if pid == postmaster {
            ticks += (11..15).map(number).sum::<u64>();
        } else if fields.get(1) == Some(&postmaster.as_str()) {
            ticks += number(11) + number(12);
        }
    }
    Ok(ticks as f64 / 100.0)
}

fn median(ratios: &mut [f64]) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// How fast all events are scanned, and how fast the server copies the same rows to a file.
fn walk(
    server: &PostgresServer,
    database: &TestDatabase<'_>,
    log: &PostgresLog,
    in_flight: u64,
) -> Result<()> {
    let mut events = 0_u64;
    let begun = Instant::now();
    log.scan(Position::ORIGIN, &mut |_| {
        events += 1;
        ControlFlow::Continue(())
    })?;
    let scanned = events as f64 / begun.elapsed().as_secs_f64();
    let copy = "\\copy (SELECT position, revision, entry FROM muniment.log_events ORDER BY position) TO '/dev/null' (FORMAT binary)";
    let begun = Instant::now();
    let status = server
        .program("psql")
        .args(["--quiet", "--username", "postgres", "--dbname", database.name(), "--command", copy])
        .status()?;
    let copied = events as f64 / begun.elapsed().as_secs_f64();
    println!(
        "in flight {in_flight}: {events} events; scan {scanned:.0}/s, COPY {copied:.0}/s ({}), scan/COPY {:.2}",
        if status.success() { "done" } else { "failed" },
        scanned / copied,
    );
    Ok(())
}

/// One row a transaction, as many clients as are in flight.
struct Pgbench<'s> {
    server: &'s PostgresServer,
    database: &'s TestDatabase<'s>,
}

impl<'s> Pgbench<'s> {
    fn new(server: &'s PostgresServer, database: &'s TestDatabase<'s>) -> Self {
        database.psql(
            "CREATE TABLE public.rows (position bigserial PRIMARY KEY, stream bigint NOT NULL, revision bigint NOT NULL, entry bytea NOT NULL);
             GRANT ALL ON public.rows TO PUBLIC",
        );
        Self { server, database }
    }

    fn run(&self, clients: u64, round: Duration) -> Result<f64> {
        let script = self.server.directory().join("insert.sql");
        let entry = "78".repeat(ENTRY_BYTES);
        std::fs::write(
            &script,
            format!("INSERT INTO rows (stream, revision, entry) VALUES (1, 2, '\\x{entry}'::bytea);\n"),
        )?;
        let output = self
            .server
            .program("pgbench")
            .args(["--no-vacuum", "--protocol", "prepared", "--jobs", "2", "--username", "postgres"])
            .args(["--client", &clients.to_string(), "--time", &round.as_secs().to_string(), "--file"])
            .arg(&script)
            .arg(self.database.name())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        rate.ok_or_else(|| format!("{said}{}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

/// cqrs-es over postgres-es, as its documentation sets it up.
struct Peer {
    framework: Arc<CqrsFramework<Client, PersistedEventStore<PostgresEventRepository, Client>>>,
    next_aggregate: Arc<AtomicU64>,
}

#[derive(Default, Serialize, Deserialize)]
struct Client;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Issued {
    text: String,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl DomainEvent for Issued {
    fn event_type(&self) -> String {
        "client.secret_issued".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Client {
    const TYPE: &'static str = "client";
    type Command = Issued;
    type Event = Issued;
    type Error = Never;
    type Services = ();

    async fn handle(
        &mut self,
        command: Issued,
        (): &(),
        sink: &EventSink<Self>,
    ) -> std::result::Result<(), Never> {
        sink.write(command, self).await;
        Ok(())
    }

    fn apply(&mut self, _event: Issued) {}
}

impl Peer {
    async fn open(database: &TestDatabase<'_>, in_flight: u64) -> Result<Self> {
        database.psql(
            "CREATE TABLE public.events (
               aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence bigint CHECK (sequence >= 0) NOT NULL,
               event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, metadata json NOT NULL,
               PRIMARY KEY (aggregate_type, aggregate_id, sequence)
             );
             GRANT ALL ON public.events TO PUBLIC",
        );
        let connections = u32::try_from(in_flight)?.min(64);
        let pool =
            PgPoolOptions::new().max_connections(connections).connect(&database.url_of("postgres")).await?;
        let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool));
        Ok(Self {
            framework: Arc::new(CqrsFramework::new(store, Vec::new(), ())),
            next_aggregate: Arc::default(),
        })
    }

    async fn run(&self, in_flight: u64, round: Duration) -> Result<Measured> {
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..in_flight {
            let (framework, next) = (Arc::clone(&self.framework), Arc::clone(&self.next_aggregate));
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while begun.elapsed() < round {
                    let id = next.fetch_add(1, Ordering::Relaxed).to_string();
                    for _ in 0..EVENTS_PER_STREAM {
                        let began = Instant::now();
                        if began.duration_since(begun) >= round {
                            break;
                        }
                        let command = Issued { text: "x".repeat(ENTRY_BYTES - 40) };
                        framework.execute(&id, command).await?;
                        latencies.push(began.elapsed());
                    }
                }
                Result::Ok(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(finished) = tasks.join_next().await {
            latencies.extend(finished??);
        }
        let per_second = latencies.len() as f64 / begun.elapsed().as_secs_f64();
        Ok(Measured { per_second, cpu: (0.0, 0.0), latencies })
    }
}
