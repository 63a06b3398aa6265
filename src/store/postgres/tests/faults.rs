//! What servers and networks do.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::*;
use crate::conformance::sample::command_id;
use crate::testing::Proxy;

/// Stands in every entry, and in no other message of a writer.
const ENTRY: &[u8] = b"\"correlation_id\"";

/// A node behind a network.
async fn node_behind(proxy: &Proxy, fixture: &PostgresFixture) -> Arc<PostgresLog> {
    let database = PostgresDatabase::open(&fixture.test.url_through(proxy.port())).unwrap();
    Arc::new(PostgresLog::open(&database, Arc::clone(&fixture.clock) as _).unwrap())
}

/// Waits until the log says where it ends again.
async fn settled(log: &PostgresLog) -> Position {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match log.head().await {
            Ok(head) => return head,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_found_and_happens_once() {
    let fixture = PostgresFixture::new().await;
    let proxy = Proxy::start(PostgresServer::shared().port());
    let node = node_behind(&proxy, &fixture).await;
    node.append(one(1, "a")).await.unwrap();
    proxy.lose_answer_to(ENTRY);
    let lost = node.append(one(2, "a")).await.unwrap_err();
    assert!(matches!(lost, AppendError::Unavailable { outcome_unknown: true, .. }), "{lost:?}");
    assert_eq!(settled(&node).await, Position::new(2));
    let recorded = RecordedCommand { first_position: Position::new(2), position: Position::new(2) };
    assert_eq!(node.find_command(command_id(2)).await.unwrap(), Some(recorded));
    let again = node.append(one(2, "a")).await.unwrap_err();
    assert!(matches!(again, AppendError::DuplicateCommand(found) if found == recorded), "{again}");
    check_log(node.as_ref(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_was_given_up_never_arrives_later() {
    let fixture = PostgresFixture::new().await;
    let proxy = Proxy::start(PostgresServer::shared().port());
    let node = node_behind(&proxy, &fixture).await;
    node.append(one(1, "a")).await.unwrap();
    let held_back = proxy.hold_back(ENTRY);
    let lost = node.append(one(2, "a")).await.unwrap_err();
    assert!(matches!(lost, AppendError::Unavailable { outcome_unknown: true, .. }), "{lost:?}");
    assert_eq!(settled(&node).await, Position::new(1));
    assert_eq!(node.find_command(command_id(2)).await.unwrap(), None);
    // The server reads it now, and the head is where it was expected; but that it never happened was said already.
    let answer = held_back.release();
    assert!(answer.starts_with(b"2"), "the statement is executed: {answer:?}");
    assert_eq!(node.head().await.unwrap(), Position::new(1));
    assert_eq!(node.append(one(2, "a")).await.unwrap().position, Position::new(2));
    check_log(node.as_ref(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_does_not_answer_nobody_is_told_an_old_head() {
    let fixture = PostgresFixture::new().await;
    let proxy = Proxy::start(PostgresServer::shared().port());
    let (cut_off, other) = (node_behind(&proxy, &fixture).await, fixture.node());
    cut_off.append(one(1, "a")).await.unwrap();
    proxy.pause();
    other.append(one(2, "a")).await.unwrap();
    let (begun, stream) = (Instant::now(), crate::conformance::sample::stream("a"));
    let (head, revision, command) =
        tokio::join!(cut_off.head(), cut_off.stream_revision(&stream), cut_off.find_command(command_id(2)),);
    assert!(matches!(head, Err(ReadError::Unavailable(_))), "{head:?}");
    assert!(matches!(revision, Err(ReadError::Unavailable(_))), "{revision:?}");
    assert!(matches!(command, Err(ReadError::Unavailable(_))), "{command:?}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    proxy.resume();
    assert_eq!(settled(&cut_off).await, Position::new(2));
    assert_eq!(cut_off.stream_revision(&stream).await.unwrap(), Revision::new(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_refused() {
    let fixture = PostgresFixture::new().await;
    let node = fixture.node();
    node.append(one(1, "a")).await.unwrap();
    let database = fixture.test.psql("SELECT current_database()");
    fixture.test.psql(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    let refused = PostgresDatabase::open(&fixture.test.url()).err().unwrap();
    assert!(matches!(refused, PostgresError::ReadOnly), "{refused}");

    let server = PostgresServer::start();
    let test = server.database().await;
    let standby = server.follow();
    let refused = PostgresDatabase::open(&test.url_through(standby.port())).err().unwrap();
    assert!(matches!(refused, PostgresError::ReadOnly), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_dies_under_load_loses_nothing_that_was_answered() {
    let server = PostgresServer::start();
    let test = server.database().await;
    let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
    let open = || {
        let database = PostgresDatabase::open(&test.url()).unwrap();
        Arc::new(PostgresLog::open(&database, Arc::clone(&clock) as _).unwrap())
    };
    let nodes = [open(), open()];
    let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8_u64 {
        let (node, ended) = (Arc::clone(&nodes[writer as usize % 2]), Arc::clone(&ended));
        writers.spawn(async move {
            let (mut answered, mut unknown) = (HashMap::new(), Vec::new());
            for round in 0.. {
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let command = writer * 1_000_000 + round;
                match node.append(one(command, &format!("s{writer}"))).await {
                    Ok(receipt) => {
                        answered.insert(command, receipt.position);
                    }
                    Err(AppendError::Unavailable { outcome_unknown: true, .. }) => unknown.push(command),
                    Err(AppendError::Unavailable { outcome_unknown: false, .. }) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            (answered, unknown)
        });
    }
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        tokio::task::block_in_place(|| {
            if round % 2 == 0 {
                server.kill();
            } else {
                server.stop();
            }
            server.resume();
        });
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    ended.store(true, std::sync::atomic::Ordering::Relaxed);
    let (mut answered, mut unknown) = (HashMap::new(), Vec::new());
    while let Some(written) = writers.join_next().await {
        let written = written.unwrap();
        answered.extend(written.0);
        unknown.extend(written.1);
    }
    let head = settled(&nodes[0]).await;
    settled(&nodes[1]).await;
    for (command, position) in &answered {
        let found = nodes[0].find_command(command_id(*command)).await.unwrap();
        assert_eq!(found.map(|found| found.position), Some(*position));
    }
    let mut happened = 0;
    for command in &unknown {
        happened += u64::from(nodes[1].find_command(command_id(*command)).await.unwrap().is_some());
    }
    assert_eq!(head.get(), answered.len() as u64 + happened, "{} unknown", unknown.len());
    assert!(answered.len() > 100, "{}", answered.len());
    check_log(nodes[0].as_ref(), head.get());
}
