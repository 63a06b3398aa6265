//! Appending: order, conflict, atomicity, happening once.

use std::sync::Arc;

use super::sample::{command_id, commit, complete, credential, event, key, one, stream, to};
use super::{Fixture, check_log};
use crate::canonical::{CanonicalError, CanonicalJson};
use crate::clock::Clock as _;
use crate::commit::{ClaimChange, RecordedCommand};
use crate::error::{AppendError, InvalidCommit};
use crate::position::{ExpectedRevision, Position, Revision};

/// Two streams in turn, several events at a time.
pub async fn positions_and_revisions_are_dense(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.head().await.unwrap(), Position::ORIGIN);
    let both = vec![
        to(stream("a"), ExpectedRevision::NoStream, &[1, 2]),
        to(stream("b"), ExpectedRevision::Any, &[3]),
    ];
    let first = log.append(commit(1, both)).await.unwrap();
    assert_eq!((first.first_position, first.position), (Position::new(1), Position::new(3)));
    assert_eq!(first.revisions, [(stream("a"), Revision::new(2)), (stream("b"), Revision::new(1))]);
    assert_eq!(first.at, fixture.clock().now());
    let second = log.append(one(2, "a")).await.unwrap();
    assert_eq!((second.first_position, second.position), (Position::new(4), Position::new(4)));
    assert_eq!(log.head().await.unwrap(), Position::new(4));
    assert_eq!(log.stream_revision(&stream("a")).await.unwrap(), Revision::new(3));
    assert_eq!(log.stream_revision(&stream("c")).await.unwrap(), Revision::NONE);
    let places: Vec<_> = log
        .read_all(Position::ORIGIN, 9)
        .await
        .unwrap()
        .into_iter()
        .map(|event| (event.stream, event.revision.get()))
        .collect();
    assert_eq!(places, [(stream("a"), 1), (stream("a"), 2), (stream("b"), 1), (stream("a"), 3)]);
    check_log(log.as_ref(), 4);
}

/// Each kind of expectation, met and missed, also without an event of its own.
pub async fn expected_revisions_are_demanded(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    log.append(commit(1, vec![to(stream("a"), ExpectedRevision::Exact(Revision::NONE), &[1])]))
        .await
        .unwrap();
    let exact = |revision| ExpectedRevision::Exact(Revision::new(revision));
    for (command, name, expected, events) in [
        (10, "a", ExpectedRevision::NoStream, vec![10]),
        (11, "a", exact(0), vec![11]),
        (12, "a", exact(2), vec![12]),
        (13, "b", exact(1), vec![13]),
        (14, "a", exact(2), vec![]),
    ] {
        let streams =
            vec![to(stream("other"), ExpectedRevision::Any, &[command]), to(stream(name), expected, &events)];
        let refused = log.append(commit(command, streams)).await.unwrap_err();
        let AppendError::WrongExpectedRevision { stream: at, expected: demanded, actual } = refused else {
            panic!("{refused}");
        };
        assert_eq!((at, demanded), (stream(name), expected));
        assert_eq!(actual, Revision::new(u64::from(name == "a")));
        assert_eq!(log.find_command(command_id(command)).await.unwrap(), None);
    }
    let met = vec![to(stream("a"), exact(1), &[]), to(stream("b"), ExpectedRevision::NoStream, &[2])];
    let receipt = log.append(commit(2, met)).await.unwrap();
    assert_eq!(receipt.revisions, [(stream("a"), Revision::new(1)), (stream("b"), Revision::new(1))]);
    check_log(log.as_ref(), 2);
}

/// Streams, a claim and the vault: one missed expectation leaves no trace of any.
pub async fn a_commit_is_all_or_nothing(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let mut whole = commit(
        1,
        vec![
            to(stream("a"), ExpectedRevision::NoStream, &[1]),
            to(stream("b"), ExpectedRevision::Exact(Revision::new(7)), &[2]),
        ],
    );
    whole.claims = vec![ClaimChange::Take { key: key("k"), stream: stream("a") }];
    whole.credentials = vec![credential("s")];
    log.append(whole.clone()).await.unwrap_err();
    assert_eq!(log.head().await.unwrap(), Position::ORIGIN);
    assert_eq!(log.stream_revision(&stream("a")).await.unwrap(), Revision::NONE);
    assert_eq!(log.claim_holder(&key("k")).await.unwrap(), None);
    assert_eq!(log.credential("s").await.unwrap(), None);
    assert_eq!(log.find_command(command_id(1)).await.unwrap(), None);

    whole.streams[1].expected = ExpectedRevision::NoStream;
    log.append(whole).await.unwrap();
    assert_eq!(log.claim_holder(&key("k")).await.unwrap(), Some(stream("a")));
    assert!(log.credential("s").await.unwrap().is_some());
    check_log(log.as_ref(), 2);
}

/// The second attempt is told where the first one stands, though its expectation is out of date by now.
pub async fn a_command_happens_once(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    log.append(one(1, "a")).await.unwrap();
    let again = commit(2, vec![to(stream("a"), ExpectedRevision::Exact(Revision::new(1)), &[2, 3])]);
    log.append(again.clone()).await.unwrap();
    let log = fixture.open().await;
    let recorded = RecordedCommand { first_position: Position::new(2), position: Position::new(3) };
    for attempt in [again, one(2, "b")] {
        let refused = log.append(attempt).await.unwrap_err();
        assert!(matches!(refused, AppendError::DuplicateCommand(found) if found == recorded), "{refused}");
    }
    assert_eq!(log.find_command(command_id(2)).await.unwrap(), Some(recorded));
    check_log(log.as_ref(), 3);
}

/// Every receipt names positions of its own, and the entries there are those of its command.
pub async fn a_thousand_concurrent_appends_are_dense(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..1_000 {
        let log = Arc::clone(&log);
        tasks.spawn(
            async move { (number, log.append(one(number, &format!("s{}", number % 7))).await.unwrap()) },
        );
    }
    while let Some(joined) = tasks.join_next().await {
        let (number, receipt) = joined.unwrap();
        let before = Position::new(receipt.position.get() - 1);
        let event = log.read_all(before, 1).await.unwrap().remove(0);
        assert_eq!(event.envelope().unwrap().command_id, command_id(number));
        assert_eq!(receipt.revisions, [(event.stream.clone(), event.revision)]);
    }
    check_log(log.as_ref(), 1_000);
}

/// Whoever hangs up half way does not know the outcome, but there is one.
pub async fn a_dropped_future_does_not_cancel_the_commit(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    for number in 1..=50 {
        let mut append = log.append(one(number, "a"));
        // One poll hands the commit over; then the future is dropped.
        let _ = poll_once(&mut append).await;
    }
    // Commits are recorded in the order of their coming, so this one comes after all of them.
    let last = log.append(one(51, "a")).await.unwrap();
    assert_eq!(last.position, Position::new(51));
    check_log(log.as_ref(), 51);
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    use std::task::Poll;
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Too long, NUL, no event, a stream twice; and numbers that canonical JSON does not have.
pub async fn what_is_invalid_is_refused_and_loses_nothing(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    log.append(one(1, "a")).await.unwrap();

    let mut long = one(2, "a");
    long.streams[0].events[0].data =
        CanonicalJson::from_value(&serde_json::json!({"x": "y".repeat(65_000)})).unwrap();
    log.append(long.clone()).await.unwrap();
    long.command_id = command_id(3);
    long.ticket = Some("z".repeat(200));
    let mut nul = one(3, "a");
    nul.request_id = "\0".to_owned();
    let mut twice = one(3, "a");
    twice.streams.push(to(stream("a"), ExpectedRevision::Any, &[]));
    let nothing = commit(3, vec![to(stream("a"), ExpectedRevision::Any, &[])]);
    for (invalid, expected) in [
        (nul, InvalidCommit::Nul { field: "request_id" }),
        (twice, InvalidCommit::RepeatedStream(stream("a"))),
        (nothing, InvalidCommit::NoEvents),
    ] {
        let refused = log.append(invalid).await.unwrap_err();
        assert!(matches!(&refused, AppendError::Invalid(reason) if *reason == expected), "{refused:?}");
    }
    let refused = log.append(long).await.unwrap_err();
    assert!(matches!(refused, AppendError::Invalid(InvalidCommit::EntryTooLong { .. })), "{refused:?}");
    for value in
        [serde_json::json!({"a": 1.5}), serde_json::json!({"a": 1_u64 << 53}), serde_json::json!({"a": "\0"})]
    {
        let refused = CanonicalJson::from_value(&value).unwrap_err();
        assert!(!matches!(refused, CanonicalError::NotAnObject | CanonicalError::Serialize(_)), "{refused}");
    }
    assert_eq!(log.append(one(3, "a")).await.unwrap().position, Position::new(3));
    check_log(log.as_ref(), 3);
}

/// The fullest entry and the least, byte for byte: the shape is frozen with these files.
pub async fn an_entry_is_golden(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    log.append(complete()).await.unwrap();
    let mut plain = commit(0x43, vec![to(stream("0193a"), ExpectedRevision::Any, &[])]);
    plain.streams[0].environment = None;
    plain.streams[0].events.push(event(2));
    log.append(plain).await.unwrap();
    let events = log.read_all(Position::ORIGIN, 2).await.unwrap();
    let golden = [
        include_str!("../../../tests/golden/entry.v1.json"),
        include_str!("../../../tests/golden/entry_minimal.v1.json"),
    ];
    for (event, golden) in events.iter().zip(golden) {
        assert_eq!(std::str::from_utf8(&event.entry).unwrap(), golden.trim_end());
    }
    check_log(log.as_ref(), 2);
}
