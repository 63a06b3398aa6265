//! How many events a second of CPU a rebuild folds, next to a bare scan that decodes every event and keeps nothing.
//!
//! `cargo bench -p projections --bench rebuild [-- <events>]`, 200,000 events unless told otherwise. The log is written
//! once a run; scan and folds alternate, and the best of three rounds counts, because the machine is not ours alone.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends when something is wrong"
)]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::Arc;

use domain::member::{MemberCreated, TokenRevoked};
use domain::{BuiltInRole, ClientEvent, Event, MemberEvent, SecretId};
use projections::rebuild;
use store::{Envelope, EventLog, Position};
use testing::{Happening, TestLog, client, created, deleted, happens, member, stream};
use tokio::task::JoinSet;

#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../testing.rs"]
mod testing;

const ROUNDS: usize = 3;
const MEMBERS: u64 = 50;

fn main() {
    let events = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(200_000);
    let log = Arc::new(TestLog::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(write_history(&log, events));

    let (mut scan, mut all) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        scan = scan.min(cpu_seconds(|| typed_scan(&log)));
        all = all.min(cpu_seconds(|| {
            let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
            assert!(rebuilt.views.iter().all(|view| view.halt.is_none() && view.position.get() == events));
        }));
        std::fs::remove_dir_all(log.path().join("views")).unwrap();
    }
    let per_second = |seconds: f64| events as f64 / seconds;
    println!("events                     {events:>12}");
    println!("typed scan, events/CPU-s   {:>12.0}", per_second(scan));
    println!("all views, events/CPU-s    {:>12.0}", per_second(all));
    println!("all views / typed scan     {:>12.2}", scan / all);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average               {:>12}", load.split(' ').next().unwrap_or("?"));
}

/// Decodes every event of the log and throws it away.
fn typed_scan(log: &TestLog) {
    log.log
        .scan(Position::ORIGIN, &mut |event| {
            let envelope = Envelope::parse(event.entry).unwrap();
            black_box(
                Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get()).unwrap(),
            );
            ControlFlow::Continue(())
        })
        .unwrap();
}

/// The time this thread was on a processor while `work` ran.
fn cpu_seconds(work: impl FnOnce()) -> f64 {
    let nanoseconds = || -> u64 {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    let before = nanoseconds();
    work();
    (nanoseconds() - before) as f64 / 1e9
}

/// One event in ten creates a client, one in fifty deletes one; the rest happen to clients, most of them to young
/// ones, and one in twenty to something else.
async fn write_history(log: &Arc<TestLog>, events: u64) {
    let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut clients = 0;
    let mut commits = JoinSet::new();
    for number in 0..MEMBERS.min(events) {
        let created = MemberCreated { roles: [BuiltInRole::Auditor.into()].into(), token: None };
        let stream = format!("member-{}", member(number));
        log.record(Happening::new(stream, MemberEvent::Created(created))).await;
    }
    for _ in MEMBERS..events {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let mut happening = if clients == 0 || random.is_multiple_of(10) {
            clients += 1;
            Happening::new(
                stream(client(clients)),
                ClientEvent::Created(created(&format!("Client number {clients}"))),
            )
        } else if random % 20 == 1 {
            Happening::new(
                format!("member-{}", member(random % MEMBERS)),
                MemberEvent::TokenRevoked(TokenRevoked {
                    token_id: SecretId("token1".into()),
                    descendants: Vec::new(),
                }),
            )
        } else {
            let age = (random >> 20) % (1 << ((random >> 8) % 16));
            let id = client(clients - age.min(clients - 1));
            Happening::new(stream(id), if random % 50 == 2 { deleted() } else { happens(random >> 32) })
        };
        happening.actor = member(random % 40).to_string();
        let log = Arc::clone(log);
        commits.spawn(async move { log.record(happening).await });
        if commits.len() == 512 {
            while commits.join_next().await.is_some() {}
        }
    }
    while commits.join_next().await.is_some() {}
}
