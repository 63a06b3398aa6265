//! Several nodes with files of their own and a companion that they share, in a real PostgreSQL.

use super::*;
use crate::conformance::check_log;
use crate::conformance::sample::{commit, to};
use crate::position::ExpectedRevision;
use crate::postgres::{PostgresDatabase, PostgresError, PostgresLog};
use crate::testing::{Fault, PostgresServer, TestDatabase};

struct SharedFixture {
    test: TestDatabase<'static>,
    database: PostgresDatabase,
    directory: TempDir,
    clock: Arc<ManualClock>,
    engine: Arc<MemoryEngine>,
    home: Option<NodeDirectory>,
    opened: Option<Arc<RemoteLog>>,
}

impl SharedFixture {
    async fn new() -> Self {
        let test = PostgresServer::shared().database().await;
        let database = PostgresDatabase::open(&test.url()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        Self { test, database, directory, clock, engine: Arc::default(), home: None, opened: None }
    }

    fn try_node(&self, name: &str) -> Result<Arc<RemoteLog>, OpenError> {
        self.open_in(&NodeDirectory::open(&self.directory.path().join(name))?)
    }

    fn open_in(&self, node: &NodeDirectory) -> Result<Arc<RemoteLog>, OpenError> {
        let companion = PostgresCompanion::open(&self.database).unwrap();
        let (engine, clock) = (Arc::clone(&self.engine) as _, Arc::clone(&self.clock) as _);
        RemoteLog::open_shared(node, companion, engine, clock).map(Arc::new)
    }

    fn node(&self, name: &str) -> Arc<RemoteLog> {
        self.try_node(name).unwrap()
    }

    fn count(&self, table: &str) -> String {
        self.test.psql(&format!("SELECT count(*) FROM muniment.{table}")).trim().to_owned()
    }
}

#[async_trait]
impl Fixture for SharedFixture {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
        let node = match &self.home {
            Some(node) => node.clone(),
            None => {
                self.home.insert(NodeDirectory::open(&self.directory.path().join("node")).unwrap()).clone()
            }
        };
        let log = self.open_in(&node).unwrap();
        self.opened = Some(Arc::clone(&log));
        log
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

crate::conformance_suite!(SharedFixture::new().await);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_record_everything_once_and_see_the_same() {
    let fixture = SharedFixture::new().await;
    let nodes = ["a", "b", "c"].map(|name| fixture.node(name));
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..150_u64 {
        let log = Arc::clone(&nodes[usize::try_from(number % 3).unwrap()]);
        appends.spawn(async move {
            let receipt = log.append(whole(number)).await.unwrap();
            assert!(log.head().await.unwrap() >= receipt.position);
            receipt.position
        });
    }
    let mut positions: Vec<_> = appends.join_all().await.into_iter().map(Position::get).collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=150).collect::<Vec<_>>());
    for log in &nodes {
        assert_eq!(log.head().await.unwrap(), Position::new(150));
        check_log(log.as_ref(), 150);
        assert_eq!(log.credential_ids().await.unwrap().len(), 150);
    }
    // Who joins now finds the same.
    let joined = fixture.node("d");
    check_log(joined.as_ref(), 150);
    assert_eq!(joined.credential_ids().await.unwrap().len(), 150);
    assert_eq!(joined.claim_holder(&key("s77")).await.unwrap(), Some(stream("a")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_that_exclude_each_other_one_wins() {
    let fixture = SharedFixture::new().await;
    let nodes = [fixture.node("a"), fixture.node("b")];
    for round in 0..20 {
        let name = format!("s{round}");
        let attempt = |node: u64| {
            let mut attempt = commit(round * 2 + node, vec![to(stream(&name), ExpectedRevision::Any, &[1])]);
            attempt.claims = vec![ClaimChange::Take { key: key("one"), stream: stream(&name) }];
            attempt.credentials = vec![credential(&name)];
            if round > 0 {
                let before = stream(&format!("s{}", round - 1));
                attempt.claims.insert(0, ClaimChange::Release { key: key("one"), stream: before });
            }
            attempt
        };
        let (first, second) = tokio::join!(nodes[0].append(attempt(0)), nodes[1].append(attempt(1)));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        for log in &nodes {
            assert_eq!(log.claim_holder(&key("one")).await.unwrap(), Some(stream(&name)));
        }
    }
    check_log(nodes[1].as_ref(), 20);
    assert_eq!(fixture.count("companion_batches"), "20", "what lost is gone");
}

/// A node dies between two steps of a commit. Whoever is there, or comes, finishes it: the dead one is not needed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_node_began_another_one_finishes() {
    for fault in [Fault::LoseRequestAndSleep, Fault::LoseAnswerAndSleep] {
        let fixture = SharedFixture::new().await;
        let (dying, living) = (fixture.node("a"), fixture.node("b"));
        dying.append(whole(1)).await.unwrap();
        assert_eq!(living.head().await.unwrap(), Position::new(1));
        let appended = matches!(fault, Fault::LoseAnswerAndSleep);
        fixture.engine.put(fault);
        assert!(is_unknown(&dying.append(whole(2)).await.unwrap_err()));
        drop(dying);
        fixture.engine.wake();
        if appended {
            assert_eq!(living.head().await.unwrap(), Position::new(2));
            expect_whole(&living, 2, 2).await;
        } else {
            let unknown = living.find_command(command_id(2)).await;
            assert!(matches!(unknown, Err(ReadError::Unavailable(_))), "{unknown:?}");
        }
        let joined = fixture.node("c");
        for log in [&living, &joined] {
            assert_eq!(log.head().await.unwrap(), Position::new(2));
            expect_whole(log, 2, 2).await;
            let again = log.append(whole(2)).await.unwrap_err();
            assert!(matches!(again, AppendError::DuplicateCommand(_)), "{again:?}");
        }
        check_log(living.as_ref(), 2);
    }
}

/// What one node records is known to the next question to any other: that a command happened, who holds a key, a secret.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_commit_is_known_to_all_nodes() {
    let fixture = SharedFixture::new().await;
    let (one_node, other) = (fixture.node("a"), fixture.node("b"));
    for number in 1..=20 {
        one_node.append(whole(number)).await.unwrap();
        expect_whole(&other, number, number).await;
    }
    let both = (one_node.leads().await, other.leads().await);
    assert_eq!(both, (true, false));
    one_node.close().await;
    assert!(other.leads().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_destroyed_is_kept_nowhere() {
    let fixture = SharedFixture::new().await;
    let (one_node, other) = (fixture.node("a"), fixture.node("b"));
    one_node.append(whole(1)).await.unwrap();
    one_node.append(whole(2)).await.unwrap();
    assert_eq!(
        (fixture.count("companion_credentials"), fixture.count("companion_tokens")),
        ("2".into(), "2".into())
    );
    // Destroyed, and issued anew under the same id: only the older one goes.
    let renewed = Commit {
        destroyed_credentials: vec!["s1".to_owned()],
        forgotten_persons: vec![Uuid::from_u128(7)],
        ..one(3, "a")
    };
    other.append(renewed).await.unwrap();
    other.append(Commit { credentials: vec![credential("s1")], ..one(4, "a") }).await.unwrap();
    assert_eq!(
        (fixture.count("companion_credentials"), fixture.count("companion_tokens")),
        ("2".into(), "0".into())
    );
    for log in [one_node, other, fixture.node("c")] {
        assert_eq!(log.head().await.unwrap(), Position::new(4));
        assert_eq!(log.credential_ids().await.unwrap(), ["s1", "s2"]);
        check_log(log.as_ref(), 4);
    }
}

/// All files of a node may be lost, but not what the nodes share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_makes_its_files_anew() {
    let fixture = SharedFixture::new().await;
    let log = fixture.node("a");
    for number in 1..=10 {
        log.append(whole(number)).await.unwrap();
    }
    drop(log);
    for file in ["rows.db", "replica.db"] {
        std::fs::remove_file(fixture.directory.path().join("a").join(file)).unwrap();
        let log = fixture.node("a");
        expect_whole(&log, 10, 10).await;
        check_log(log.as_ref(), 10);
    }
    let other = SharedFixture { engine: Arc::clone(&fixture.engine), ..SharedFixture::new().await };
    assert!(other.try_node("a").is_err(), "a companion of nothing does not take over a log");
    let events = fixture.engine.events();
    fixture.engine.replace(events[..5].to_vec());
    assert!(fixture.try_node("a").is_err(), "the server has lost its end");
}

/// One address for another by mistake: neither begins an empty log beside a full one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_a_log_or_a_companion() {
    let fixture = SharedFixture::new().await;
    fixture.node("a").append(one(1, "a")).await.unwrap();
    let refused = PostgresLog::open(&fixture.database, Arc::clone(&fixture.clock) as _).err().unwrap();
    assert!(matches!(refused, PostgresError::AnotherUse { .. }), "{refused:?}");

    let other = SharedFixture::new().await;
    let log = PostgresLog::open(&other.database, Arc::clone(&other.clock) as _).unwrap();
    log.append(one(1, "a")).await.unwrap();
    let refused = PostgresCompanion::open(&other.database).err().unwrap();
    assert!(matches!(refused, PostgresError::AnotherUse { .. }), "{refused:?}");
}
