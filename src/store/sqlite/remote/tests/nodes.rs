//! More than one writer on the server: who is first is decided there, and nobody reads less than was acknowledged to anyone.

use super::*;
use crate::conformance::check_log;
use crate::conformance::sample::{commit, to};
use crate::engine::EngineEvent;
use crate::position::ExpectedRevision;
use crate::testing::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_writers_record_everything_once() {
    let fixture = RemoteFixture::new();
    let writers = [fixture.open_remote(), fixture.open_remote()];
    let mut appends = tokio::task::JoinSet::new();
    for number in 0..200_u64 {
        let log = Arc::clone(&writers[usize::try_from(number % 2).unwrap()]);
        appends.spawn(async move {
            let receipt = log.append(one(number, &format!("s{}", number % 5))).await.unwrap();
            assert!(log.head().await.unwrap() >= receipt.position);
            receipt.position
        });
    }
    let mut positions: Vec<_> = appends.join_all().await.into_iter().map(Position::get).collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=200).collect::<Vec<_>>());
    for log in &writers {
        assert_eq!(log.head().await.unwrap(), Position::new(200));
        check_log(log.as_ref(), 200);
    }
}

/// Both expect the same revision, or take the same claim: one of them is told so, and has written nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_racing_commits_that_exclude_each_other_one_wins() {
    let fixture = RemoteFixture::new();
    let writers = [fixture.open_remote(), fixture.open_remote()];
    for round in 0..20 {
        let name = format!("s{round}");
        let attempt = |node: u64| {
            let mut attempt =
                commit(round * 2 + node, vec![to(stream(&name), ExpectedRevision::NoStream, &[1])]);
            attempt.claims = vec![ClaimChange::Take { key: key(&name), stream: stream(&name) }];
            attempt
        };
        let (first, second) = tokio::join!(writers[0].append(attempt(0)), writers[1].append(attempt(1)));
        let refused = match (first, second) {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
            both => panic!("{both:?}"),
        };
        assert!(matches!(refused, AppendError::WrongExpectedRevision { .. }), "{refused:?}");
    }
    check_log(writers[0].as_ref(), 20);
}

/// What one was told is recorded, the next question to any other finds.
#[tokio::test]
async fn an_acknowledged_commit_is_seen_by_the_next_question_to_any_node() {
    let fixture = RemoteFixture::new();
    let (one_node, other) = (fixture.open_remote(), fixture.open_remote());
    for number in 1..=30 {
        let receipt = one_node.append(one(number, "a")).await.unwrap();
        assert_eq!(other.stream_revision(&stream("a")).await.unwrap(), Revision::new(number));
        assert_eq!(other.head().await.unwrap(), receipt.position);
        let event = other.read_stream(&stream("a"), Revision::new(number - 1), 9).await.unwrap().remove(0);
        assert_eq!(event.position, receipt.position);
    }
}

/// Nobody asks for the head; who follows is told nevertheless.
#[tokio::test]
async fn who_follows_hears_of_what_other_nodes_append() {
    let fixture = RemoteFixture::new();
    let (one_node, other) = (fixture.open_remote(), fixture.open_remote());
    let mut feed = other.subscribe(Position::ORIGIN);
    let (page, receipt) = tokio::join!(feed.next_page(9), one_node.append(one(1, "a")));
    assert_eq!(page.unwrap()[0].position, receipt.unwrap().position);
}

#[tokio::test]
async fn an_unknown_head_is_no_old_head() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    log.append(one(1, "a")).await.unwrap();
    fixture.engine.sleep();
    assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))));
    assert!(matches!(log.stream_revision(&stream("a")).await, Err(ReadError::Unavailable(_))));
    assert_eq!(log.read_all(Position::ORIGIN, 9).await.unwrap().len(), 1, "what was read stays readable");
    assert!(log.write_probe()().is_err());
    fixture.engine.wake();
    settled(&log).await;
    assert!(log.write_probe()().is_ok());

    let events = fixture.engine.events();
    fixture.engine.replace(Vec::new());
    assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))), "a server that fell behind");
    fixture.engine.replace(events);
    assert_eq!(log.head().await.unwrap(), Position::new(1));
}

/// The server says that there is more than it hands out.
#[tokio::test]
async fn a_read_that_ends_early_is_not_the_end() {
    let fixture = RemoteFixture::new();
    let (one_node, other) = (fixture.open_remote(), fixture.open_remote());
    one_node.append(one(1, "a")).await.unwrap();
    drop(one_node);
    assert_eq!(other.head().await.unwrap(), Position::new(1));
    drop(other);
    std::fs::remove_file(fixture.file("replica.db")).unwrap();
    COMPANION.migrate(&fixture.file("companion.db")).unwrap();
    fixture.engine.hide_newest(1);
    assert!(fixture.try_open().is_err());
    fixture.engine.hide_newest(0);
    check_log(&fixture.try_open().unwrap(), 1);
}

/// As many ask as like to: those who ask at one moment share an answer.
#[tokio::test]
async fn many_questions_for_the_head_are_one() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    log.append(one(1, "a")).await.unwrap();
    let (_, before) = fixture.engine.asked();
    fixture.engine.slow_down(Duration::from_millis(20));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let log = Arc::clone(&log);
        asking.spawn(async move { log.head().await.unwrap() });
    }
    assert!(asking.join_all().await.into_iter().all(|head| head == Position::new(1)));
    let (_, after) = fixture.engine.asked();
    assert!(after - before < 50, "{}", after - before);
}

/// Somebody else writes into the stream of the log: that is no log any more, and nobody goes on as if it were.
#[tokio::test]
async fn a_foreign_event_stops_the_log() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    log.append(one(1, "a")).await.unwrap();
    let foreign = EngineEvent { id: Uuid::from_u128(1), entry: b"{}".to_vec() };
    fixture.engine.put(Fault::Overtake(vec![foreign]));
    assert!(log.append(one(2, "a")).await.is_err());
    assert!(log.head().await.is_err());
    assert!(log.append(one(3, "a")).await.is_err());
    drop(log);
    let refused = fixture.try_open().err().unwrap();
    assert!(matches!(refused, OpenError::Read(ReadError::Corrupt { .. })), "{refused:?}");
}

/// Companion and replica are two files, which a transaction changes one after the other: readers do not see it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_see_the_files_apart() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    let newest = Arc::new(std::sync::atomic::AtomicU64::new(1));
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = {
        let (log, newest, done) = (Arc::clone(&log), Arc::clone(&newest), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut read = 0_u64;
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                let number = newest.load(std::sync::atomic::Ordering::Acquire);
                let name = format!("t{number}");
                let holder = log.reader.with(|connection| claims::holder(connection, &key(&name))).unwrap();
                assert!(holder.is_none_or(|holder| holder == stream(&name)));
                if let Some(found) = log.reader.find_command(command_id(number)).unwrap() {
                    let before = Position::new(found.first_position.get() - 1);
                    assert_eq!(log.reader.read_all(before, 1).unwrap().len(), 1);
                }
                read += 1;
            }
            read
        })
    };
    for number in 1..=400 {
        newest.store(number, std::sync::atomic::Ordering::Release);
        let name = format!("t{number}");
        let taken = ClaimChange::Take { key: key(&name), stream: stream(&name) };
        log.append(Commit { claims: vec![taken], ..one(number, &name) }).await.unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::Release);
    assert!(reader.join().unwrap() > 0);
}
