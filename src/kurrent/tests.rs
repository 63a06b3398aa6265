//! The engine, and the log on it, against the server in this process; and against a real one where
//! `MUNIMENT_TEST_KURRENTDB` names it.
#![cfg(all(feature = "testing", any(feature = "eventstore", feature = "kurrentdb")))]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use store::conformance::Fixture;
use store::conformance::sample::{command_id, one};
use store::{DataDirectory, Engine, EngineError, EngineEvent, EventLog, ManualClock, Position, RemoteLog};
use tempfile::TempDir;
use uuid::Uuid;

use crate::testing::{Fault, KurrentServer};
use crate::{Check, KurrentEngine, LOG_STREAM, Outcome, check_server};

/// A real server, if there is one.
const REAL_SERVER: &str = "MUNIMENT_TEST_KURRENTDB";

struct KurrentFixture {
    _directory: TempDir,
    data: DataDirectory,
    clock: Arc<ManualClock>,
    url: String,
    stream: String,
    _server: Option<KurrentServer>,
    opened: Option<Arc<RemoteLog>>,
}

impl KurrentFixture {
    fn new() -> Self {
        let (server, url) = match std::env::var(REAL_SERVER) {
            Ok(url) => (None, url),
            Err(_) => {
                let server = KurrentServer::start().unwrap();
                let url = server.url();
                (Some(server), url)
            }
        };
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open_companion(&directory.path().join("data")).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        let stream = format!("muniment_test-{}", unique(directory.path()));
        Self { _directory: directory, data, clock, url, stream, _server: server, opened: None }
    }
}

/// A name that nobody has used: temporary directories have such.
fn unique(path: &std::path::Path) -> Uuid {
    let started = std::fs::metadata(path).unwrap().modified().unwrap();
    let since = started.duration_since(std::time::UNIX_EPOCH).unwrap();
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{}{since:?}", path.display()).as_bytes())
}

#[async_trait]
impl Fixture for KurrentFixture {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
        let engine = Arc::new(KurrentEngine::new(&self.url, &self.stream).unwrap());
        let log = Arc::new(RemoteLog::open(&self.data, engine, Arc::clone(&self.clock) as _).unwrap());
        self.opened = Some(Arc::clone(&log));
        log
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

store::conformance_suite!(KurrentFixture::new());

fn engine(server: &KurrentServer) -> KurrentEngine {
    KurrentEngine::new(&server.url(), LOG_STREAM).unwrap()
}

/// Entries as the log makes them, at the first positions.
async fn entries(count: u64) -> Vec<EngineEvent> {
    let memory = Arc::new(store::testing::MemoryEngine::default());
    let directory = tempfile::tempdir().unwrap();
    let data = DataDirectory::open_companion(&directory.path().join("data")).unwrap();
    let log = RemoteLog::open(&data, Arc::clone(&memory) as _, Arc::new(store::SystemClock)).unwrap();
    for number in 1..=count {
        log.append(one(number, "a")).await.unwrap();
    }
    memory.events()
}

#[tokio::test]
async fn whatever_becomes_of_an_answer_the_append_is_done_once() {
    let events = entries(2).await;
    for fault in
        [Fault::Unavailable, Fault::AppendThenUnavailable, Fault::AppendThenSilence, Fault::NotLeader]
    {
        let server = KurrentServer::start().unwrap();
        let engine = engine(&server);
        server.put(fault);
        engine.append(Position::ORIGIN, &events).unwrap();
        assert_eq!(engine.head().unwrap(), Position::new(2), "{fault:?}");
        assert_eq!(engine.read(Position::ORIGIN, 9).unwrap(), events);
    }
}

#[tokio::test]
async fn a_refusal_is_final_unless_an_answer_was_lost_before_it() {
    let events = entries(1).await;
    let server = KurrentServer::start().unwrap();
    let engine = engine(&server);
    server.put(Fault::Denied);
    assert!(matches!(engine.append(Position::ORIGIN, &events), Err(EngineError::Refused(_))));
    server.put(Fault::AppendThenUnavailable);
    server.put(Fault::Denied);
    assert!(matches!(engine.append(Position::ORIGIN, &events), Err(EngineError::Unavailable(_))));
    assert_eq!(engine.head().unwrap(), Position::new(1));
    let other = entries(1).await;
    assert!(matches!(engine.append(Position::ORIGIN, &other), Err(EngineError::Moved)));
}

#[tokio::test]
async fn a_read_that_is_cut_is_not_an_end() {
    let events = entries(3).await;
    let server = KurrentServer::start().unwrap();
    let engine = engine(&server);
    engine.append(Position::ORIGIN, &events).unwrap();
    for fault in [Fault::ReadFailsAfter(1), Fault::ReadFailsAfter(0)] {
        server.put(fault);
        assert_eq!(engine.read(Position::ORIGIN, 9).unwrap(), events, "{fault:?} is tried again");
    }
    // Three events and the end.
    for count in 0..=3 {
        server.put(Fault::ReadEndsAfter(count));
        assert!(matches!(engine.read(Position::ORIGIN, 9), Err(EngineError::Unavailable(_))), "{count}");
    }
    server.put(Fault::ReadEndsAfter(0));
    assert!(matches!(engine.head(), Err(EngineError::Unavailable(_))));
    assert_eq!(engine.head().unwrap(), Position::new(3));
    assert_eq!(engine.read(Position::new(1), 1).unwrap(), events[1..2]);
}

#[tokio::test]
async fn who_asks_for_the_head_does_not_wait_for_long() {
    let server = KurrentServer::start().unwrap();
    let engine = engine(&server);
    engine.append(Position::ORIGIN, &entries(1).await).unwrap();
    server.put(Fault::ReadInSilence);
    let asked = Instant::now();
    assert!(matches!(engine.head(), Err(EngineError::Unavailable(_))));
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(engine.head().unwrap(), Position::new(1));
}

/// Longer than the client itself is willing to look for its server.
#[tokio::test]
async fn a_server_that_was_gone_is_found_again() {
    let events = entries(2).await;
    let mut server = KurrentServer::start().unwrap();
    let engine = engine(&server);
    engine.append(Position::ORIGIN, &events[..1]).unwrap();
    server.stop();
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(5) {
        assert!(matches!(engine.head(), Err(EngineError::Unavailable(_))));
    }
    server.serve_again().unwrap();
    while engine.head().is_err() {
        assert!(since.elapsed() < Duration::from_secs(30));
    }
    engine.append(Position::new(1), &events[1..]).unwrap();
    assert_eq!(engine.read(Position::ORIGIN, 9).unwrap(), events);
}

/// The server's own tools follow a request by these.
#[tokio::test]
async fn metadata_tell_what_belongs_together() {
    let server = KurrentServer::start().unwrap();
    engine(&server).append(Position::ORIGIN, &entries(1).await).unwrap();
    let metadata: serde_json::Value =
        serde_json::from_slice(&server.metadata(LOG_STREAM, 0).unwrap()).unwrap();
    let correlation_id = Uuid::from_u128(1 | 0xb << 120);
    assert_eq!(
        metadata,
        serde_json::json!({ "$causationId": command_id(1), "$correlationId": correlation_id })
    );
}

/// The server has the batch, and the node dies before it hears of that: the next start finds it there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_has_is_rolled_forward() {
    let mut fixture = KurrentFixture::new();
    let Some(mut server) = fixture._server.take() else { return };
    let log = fixture.open().await;
    log.append(one(1, "a")).await.unwrap();
    server.put(Fault::AppendThenSilence);
    let mut appends = tokio::task::JoinSet::new();
    let appending = Arc::clone(&log);
    appends.spawn(async move { appending.append(one(2, "a")).await });
    let looking = KurrentEngine::new(&server.url(), &fixture.stream).unwrap();
    while looking.head().unwrap() < Position::new(2) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.stop();
    let lost = appends.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(matches!(lost, store::AppendError::Unavailable { outcome_unknown: true, .. }), "{lost:?}");
    fixture.opened = None;
    drop(log);
    // Its connections may be closing yet.
    while server.serve_again().is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let log = fixture.open().await;
    let found = log.find_command(command_id(2)).await.unwrap().unwrap();
    assert_eq!(found.position, Position::new(2));
    let again = log.append(one(2, "a")).await.unwrap_err();
    assert!(matches!(again, store::AppendError::DuplicateCommand(_)), "{again:?}");
    store::conformance::check_log(log.as_ref(), 2);
}

/// Everything that can be asked of a real server, asked of this one: the check list itself has to be right.
#[test]
fn the_check_list_is_met() {
    let server = KurrentServer::start().unwrap();
    let url = std::env::var(REAL_SERVER).unwrap_or_else(|_| server.url());
    let directory = tempfile::tempdir().unwrap();
    let mut checks = Vec::new();
    check_server(&url, unique(directory.path()), &mut |check| checks.push(check)).unwrap();
    let failed: Vec<&Check> =
        checks.iter().filter(|check| matches!(check.outcome, Outcome::Otherwise(_))).collect();
    assert!(checks.len() == 11 && failed.is_empty(), "{failed:#?}");
}
