//! A crash, a lost message, a failing disk at each step of a commit: everything of it is there, or nothing, and who was
//! told something finds it so.

use super::*;
use crate::conformance::check_log;
use crate::conformance::sample::{commit, event, to};
use crate::position::ExpectedRevision;
use crate::sqlite::fault::Fault as FileFault;
use crate::testing::Fault;

impl RemoteLog {
    fn fault(&self, fault: FileFault) {
        self.faults.put(fault);
    }
}

/// The node dies after staging, before the server has the batch or after it: the next start completes the commit.
#[tokio::test]
async fn a_crash_between_staging_and_settling_loses_nothing() {
    for fault in [Fault::LoseRequestAndSleep, Fault::LoseAnswerAndSleep] {
        let fixture = RemoteFixture::new();
        let log = fixture.open_remote();
        log.append(one(1, "a")).await.unwrap();
        fixture.engine.put(fault);
        let lost = log.append(whole(2)).await.unwrap_err();
        assert!(is_unknown(&lost), "{lost:?}");
        drop(log);
        assert_eq!(fixture.staged(), 1);
        assert!(fixture.try_open().is_err(), "the server does not answer");

        fixture.engine.wake();
        let log = fixture.open_remote();
        expect_whole(&log, 2, 2).await;
        assert_eq!(fixture.staged(), 0);
        let again = log.append(whole(2)).await.unwrap_err();
        assert!(matches!(again, AppendError::DuplicateCommand(_)), "{again:?}");
        check_log(log.as_ref(), 2);
    }
}

/// Whoever hears of an unknown outcome finds nothing certain until it is settled, which needs nobody's help.
#[tokio::test]
async fn nothing_is_certain_while_an_answer_is_missing() {
    for fault in [Fault::LoseRequestAndSleep, Fault::LoseAnswerAndSleep] {
        let fixture = RemoteFixture::new();
        let log = fixture.open_remote();
        log.append(one(1, "a")).await.unwrap();
        fixture.engine.put(fault);
        assert!(is_unknown(&log.append(whole(2)).await.unwrap_err()));
        for _ in 0..3 {
            assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))));
            assert!(matches!(log.find_command(command_id(2)).await, Err(ReadError::Unavailable(_))));
            assert!(log.find_command(command_id(1)).await.unwrap().is_some(), "that is settled");
            assert!(is_unknown(&log.append(whole(2)).await.unwrap_err()));
        }
        fixture.engine.wake();
        settled(&log).await;
        expect_whole(&log, 2, 2).await;
        assert_eq!(log.append(one(3, "a")).await.unwrap().position, Position::new(3));
        check_log(log.as_ref(), 3);
    }
}

/// The server does what it was asked for long after everybody gave up waiting: it finds it done.
#[tokio::test]
async fn a_late_append_finds_itself_done() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    fixture.engine.put(Fault::Delay);
    assert!(is_unknown(&log.append(whole(1)).await.unwrap_err()));
    settled(&log).await;
    log.append(one(2, "a")).await.unwrap();
    let late = fixture.engine.deliver_late();
    assert!(matches!(late[..], [Ok(())]), "{late:?}");
    expect_whole(&log, 1, 1).await;
    check_log(log.as_ref(), 2);
}

/// A node dies with an append under way, and another one takes the position: the late append is refused, and of its
/// commit there is nothing.
#[tokio::test]
async fn a_late_append_of_a_dead_node_is_refused_where_somebody_else_was_faster() {
    let fixture = RemoteFixture::new();
    let (dead, living) = (fixture.open_remote(), fixture.open_remote());
    dead.append(one(1, "a")).await.unwrap();
    assert_eq!(living.head().await.unwrap(), Position::new(1));
    fixture.engine.put(Fault::Delay);
    fixture.engine.put(Fault::LoseRequestAndSleep);
    assert!(is_unknown(&dead.append(whole(2)).await.unwrap_err()));
    drop(dead);
    fixture.engine.wake();
    assert_eq!(fixture.staged(), 1);
    // The living one has not noticed that anybody died, and has something to append itself.
    living.append(whole(3)).await.unwrap();
    expect_whole(&living, 3, 2).await;
    assert_eq!(fixture.staged(), 0, "something stands at the position");
    let late = fixture.engine.deliver_late();
    assert!(matches!(late[..], [Err(_)]), "{late:?}");
    expect_nothing(&living, 2).await;
    assert_eq!(living.append(whole(2)).await.unwrap().position, Position::new(3));
    check_log(living.as_ref(), 3);
}

/// And where the late append is the faster one, the living node rolls it forward before its own.
#[tokio::test]
async fn a_late_append_of_a_dead_node_that_was_faster_is_rolled_forward() {
    let fixture = RemoteFixture::new();
    let (dead, living) = (fixture.open_remote(), fixture.open_remote());
    dead.append(one(1, "a")).await.unwrap();
    assert_eq!(living.head().await.unwrap(), Position::new(1));
    fixture.engine.put(Fault::Delay);
    fixture.engine.put(Fault::LoseRequestAndSleep);
    assert!(is_unknown(&dead.append(whole(2)).await.unwrap_err()));
    drop(dead);
    fixture.engine.wake();
    let late = fixture.engine.deliver_late();
    assert!(matches!(late[..], [Ok(())]), "{late:?}");
    // The same claim and the same credential as what was rolled forward.
    let refused = living.append(Commit { command_id: command_id(9), ..whole(2) }).await.unwrap_err();
    assert!(matches!(refused, AppendError::Invalid(_)), "{refused:?}");
    expect_whole(&living, 2, 2).await;
    check_log(living.as_ref(), 2);
}

#[tokio::test]
async fn what_the_server_refuses_leaves_no_trace() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    fixture.engine.put(Fault::Refuse);
    let refused = log.append(whole(1)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { outcome_unknown: false, .. }), "{refused:?}");
    assert_eq!(fixture.staged(), 0);
    expect_nothing(&log, 1).await;
    assert_eq!(log.append(whole(1)).await.unwrap().position, Position::new(1));
    check_log(log.as_ref(), 1);
}

/// The disk fails before the server heard of the batch, and after.
#[tokio::test]
async fn a_failing_disk_leaves_all_or_nothing() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    log.append(one(1, "a")).await.unwrap();
    log.fault(FileFault::Commit);
    assert!(
        is_unknown(&log.append(whole(2)).await.unwrap_err()),
        "what is staged may come back after a crash"
    );
    settled(&log).await;
    expect_nothing(&log, 2).await;

    let faults = Arc::clone(&log.faults);
    fixture.engine.put(Fault::Meanwhile(Box::new(move || faults.put(FileFault::Commit))));
    assert!(is_unknown(&log.append(whole(3)).await.unwrap_err()), "the server has it, the companion not yet");
    settled(&log).await;
    expect_whole(&log, 3, 2).await;
    check_log(log.as_ref(), 2);
}

#[tokio::test]
async fn a_panic_of_the_writer_is_an_unknown_outcome_and_not_the_end() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    let faults = Arc::clone(&log.faults);
    fixture.engine.put(Fault::Meanwhile(Box::new(move || faults.put(FileFault::Panic))));
    assert!(is_unknown(&log.append(whole(1)).await.unwrap_err()));
    settled(&log).await;
    expect_whole(&log, 1, 1).await;
    log.append(one(2, "a")).await.unwrap();
    check_log(log.as_ref(), 2);
}

/// Much at once is cut into appends that the server takes; what is too much alone is refused before it is staged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_is_never_larger_than_the_server_takes() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    let large = |command: u64, events: u64| {
        let mut large = commit(command, vec![to(stream("a"), ExpectedRevision::Any, &[])]);
        large.ticket = Some("x".repeat(60_000));
        large.streams[0].events.extend((0..events).map(|number| event(command * 100 + number)));
        large
    };
    let refused = log.append(large(1, 18)).await.unwrap_err();
    assert!(
        matches!(refused, AppendError::Invalid(crate::error::InvalidCommit::TooLarge { .. })),
        "{refused:?}"
    );
    assert_eq!(fixture.engine.asked().0, 0);
    let mut appends = tokio::task::JoinSet::new();
    for command in 2..22 {
        let (log, large) = (Arc::clone(&log), large(command, 4));
        appends.spawn(async move { log.append(large).await.unwrap() });
    }
    while let Some(joined) = appends.join_next().await {
        joined.unwrap();
    }
    assert!(fixture.engine.asked().0 >= 5, "{:?}", fixture.engine.asked());
    check_log(log.as_ref(), 80);
}
