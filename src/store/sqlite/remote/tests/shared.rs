//! Several nodes with files of their own and a companion that they share, in a real PostgreSQL.

use super::*;
use crate::conformance::check_log;
use crate::conformance::sample::{commit, to};
use crate::position::ExpectedRevision;
use crate::postgres::{PostgresDatabase, PostgresError, PostgresLog, PostgresSide};
use crate::testing::{Fault, PostgresServer, Proxy, TestDatabase};

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

/// A restored companion is older than the log: what a node has of its end may be the only copy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_companion_costs_a_node_nothing() {
    let fixture = SharedFixture::new().await;
    let log = fixture.node("a");
    for number in 1..=5 {
        log.append(whole(number)).await.unwrap();
    }
    drop(log);
    let file = fixture.directory.path().join("a").join("rows.db");
    let claims = || -> u64 {
        let rows = COMPANION.open_to_read(&file).unwrap();
        rows.query_row("SELECT count(*) FROM claims", [], |row| row.get(0)).unwrap()
    };
    let third = fixture.engine.events()[2].id;
    fixture.test.psql(&format!(
        "UPDATE muniment.companion_head SET position = 3, event_id = '{third}';
         DELETE FROM muniment.companion_batches WHERE first_position > 3"
    ));
    for _ in 0..2 {
        let refused = fixture.try_node("a").err().unwrap();
        let refused = format!("{refused:?}");
        assert!(refused.contains("older copy"), "{refused}");
        assert_eq!(claims(), 5);
    }
}

/// Staging was given up, and arrives after somebody was told that it had not happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_not_staged_later() {
    let fixture = SharedFixture::new().await;
    let network = Proxy::start(PostgresServer::shared().port());
    let far = format!("127.0.0.1:{}/", network.port());
    let near = format!("127.0.0.1:{}/", PostgresServer::shared().port());
    let database = PostgresDatabase::open(&fixture.test.url().replace(&near, &far)).unwrap();
    let node = NodeDirectory::open(&fixture.directory.path().join("a")).unwrap();
    let companion = PostgresCompanion::open(&database).unwrap();
    let (engine, clock) = (Arc::clone(&fixture.engine) as _, Arc::clone(&fixture.clock) as _);
    let log = Arc::new(RemoteLog::open_shared(&node, companion, engine, clock).unwrap());
    log.append(whole(1)).await.unwrap();

    let late = network.hold_back(b"sealed s2");
    let lost = log.append(whole(2)).await.unwrap_err();
    assert!(is_unknown(&lost), "{lost:?}");
    settled(&log).await;
    expect_nothing(&log, 2).await;
    let _ = late.release();
    let other = fixture.node("b");
    assert_eq!(other.head().await.unwrap(), Position::new(1));
    assert_eq!(fixture.count("companion_batches"), "1", "nothing was staged late");
    for log in [&log, &other] {
        expect_nothing(log, 2).await;
    }
    log.append(whole(2)).await.unwrap();
    expect_whole(&other, 2, 2).await;
    check_log(log.as_ref(), 2);
}

/// The right to append was taken away: what is refused stays staged, but it does not pile up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_refuses_does_not_pile_up() {
    let fixture = SharedFixture::new().await;
    let log = fixture.node("a");
    log.append(one(1, "a")).await.unwrap();
    fixture.engine.refuse_appends(true);
    for number in 2..=60 {
        let refused = log.append(one(number, "a")).await.unwrap_err();
        assert!(matches!(refused, AppendError::Unavailable { .. }), "{refused:?}");
    }
    let staged: usize = fixture.count("companion_batches WHERE entries IS NOT NULL").parse().unwrap();
    assert!((1..=16).contains(&staged), "{staged}");
    fixture.engine.refuse_appends(false);
    settled(&log).await;
    // Somebody is first; whatever was staged behind it at the same position is gone then.
    while log.append(one(100, "a")).await.is_err_and(|error| is_unknown(&error)) {}
    assert_eq!(fixture.count("companion_batches WHERE entries IS NOT NULL"), "0");
    check_log(log.as_ref(), log.head().await.unwrap().get());
}

/// A process that only reads finds what the node has, and no node where there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_has_can_be_read_beside_it() {
    let fixture = SharedFixture::new().await;
    let open = |name: &str| {
        let companion = PostgresCompanion::open(&fixture.database).unwrap();
        let (engine, clock) = (Arc::clone(&fixture.engine) as _, Arc::clone(&fixture.clock) as _);
        RemoteLog::open_shared_to_read(&fixture.directory.path().join(name), companion, engine, clock)
    };
    assert!(matches!(open("a"), Err(OpenError::Missing(_))));
    let log = fixture.node("a");
    let beside = open("a").unwrap();
    log.append(whole(1)).await.unwrap();
    expect_whole(&beside, 1, 1).await;
    check_log(&beside, 1);
    let refused = beside.append(whole(2)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { outcome_unknown: false, .. }), "{refused:?}");
    // What a node that was stopped has is not the log's end.
    drop(log);
    fixture.node("c").append(whole(2)).await.unwrap();
    let behind = format!("{:?}", open("a").err().unwrap());
    assert!(behind.contains("Unavailable") && behind.contains("Behind"), "{behind}");
    drop(fixture.node("a"));
    expect_whole(&open("a").unwrap(), 2, 2).await;
    let first = fixture.engine.events()[0].id;
    fixture.test.psql(&format!(
        "UPDATE muniment.companion_head SET position = 1, event_id = '{first}';
         DELETE FROM muniment.companion_batches WHERE first_position > 1"
    ));
    let older = format!("{:?}", open("a").err().unwrap());
    assert!(older.contains("older copy"), "{older}");
    let kept_otherwise = DataDirectory::open(&fixture.directory.path().join("b")).unwrap();
    drop(kept_otherwise);
    assert!(matches!(fixture.try_node("b"), Err(OpenError::LogElsewhere { file: "log.db", .. })));
}

/// One address for another by mistake: neither begins an empty log beside a full one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_is_a_log_or_a_companion() {
    let fixture = SharedFixture::new().await;
    fixture.node("a").append(one(1, "a")).await.unwrap();
    let refused = PostgresLog::open(&fixture.database, Arc::clone(&fixture.clock) as _).err().unwrap();
    assert!(matches!(refused, PostgresError::AnotherUse { .. }), "{refused:?}");
    let refused = PostgresSide::source(&fixture.test.url()).await.err().unwrap();
    assert!(refused.to_string().contains("companion"), "{refused}");

    let other = SharedFixture::new().await;
    let log = PostgresLog::open(&other.database, Arc::clone(&other.clock) as _).unwrap();
    log.append(one(1, "a")).await.unwrap();
    let refused = PostgresCompanion::open(&other.database).err().unwrap();
    assert!(matches!(refused, PostgresError::AnotherUse { .. }), "{refused:?}");
}
