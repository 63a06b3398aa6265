//! Activity: dense, found by what it says, closed day by day.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::Fixture;
use crate::activity::{
    Activity, ActivityCommit, ActivityFilter, ActivityLog, ActivityPage, ClosedSegment, SealedSource,
    SegmentNumber, VerifiedDigest,
};
use crate::clock::Clock as _;
use crate::commit::Outcome;
use crate::position::Position;

/// A use of a credential.
#[must_use]
pub fn used(client: &str, credential: &str) -> Activity {
    Activity {
        kind: "authentication".to_owned(),
        outcome: Outcome::Done,
        reason: None,
        environment: Some("sandbox".to_owned()),
        client: Some(client.to_owned()),
        credential: Some(credential.to_owned()),
        request_id: Some("r-1".to_owned()),
        count: 1,
        since: None,
        source: Some(SealedSource { token: vec![7; 16], sealed: vec![1, 2, 3] }),
    }
}

/// A refusal.
#[must_use]
pub fn refused(client: &str, reason: &str) -> Activity {
    Activity {
        outcome: Outcome::Refused,
        reason: Some(reason.to_owned()),
        credential: None,
        ..used(client, "")
    }
}

/// A commit of records.
#[must_use]
pub fn commit(records: &[Activity]) -> ActivityCommit {
    ActivityCommit { records: records.to_vec(), digests: Vec::new() }
}

/// All records, oldest first.
pub const ALL: ActivityPage =
    ActivityPage { ascending: true, after: Position::ORIGIN, before: None, limit: 1_000 };

async fn positions(log: &dyn ActivityLog, filter: ActivityFilter) -> Vec<u64> {
    log.read(&filter, ALL).await.unwrap().iter().map(|record| record.position.get()).collect()
}

fn hours(fixture: &dyn Fixture<dyn ActivityLog>, hours: i64) {
    fixture.clock().advance(SignedDuration::from_hours(hours));
}

/// Many at once, closed and opened again.
pub async fn positions_are_dense_and_records_survive_reopening(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    let mut appending = tokio::task::JoinSet::new();
    for number in 0..500 {
        let log = Arc::clone(&log);
        let record = commit(&[used("c", &number.to_string())]);
        appending.spawn(async move { log.append(record).await.unwrap().get() });
    }
    let mut found = appending.join_all().await;
    found.sort_unstable();
    assert_eq!(found, (1..=500).collect::<Vec<_>>());
    let before = log.read(&ActivityFilter::default(), ALL).await.unwrap();
    log.close().await;
    assert!(log.append(commit(&[used("c", "s")])).await.is_err(), "it is closed");
    drop(log);
    let log = fixture.open().await;
    assert_eq!(log.read(&ActivityFilter::default(), ALL).await.unwrap(), before);
    assert_eq!(log.head().await.unwrap(), Position::new(500));
    assert_eq!(log.append(commit(&[used("c", "s")])).await.unwrap(), Position::new(501));
}

/// Each filter alone, some together, and a page of them.
pub async fn a4_each_filter_finds_its_records(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    let start = fixture.clock().now();
    log.append(commit(&[used("a", "s1"), refused("a", "wrong")])).await.unwrap();
    hours(fixture, 1);
    log.append(commit(&[used("b", "s2"), refused("b", "revoked")])).await.unwrap();
    hours(fixture, 1);
    log.append(commit(&[Activity { environment: None, source: None, ..used("a", "s1") }])).await.unwrap();
    let text = |text: &str| Some(text.to_owned());
    let later = start + SignedDuration::from_hours(1);
    let none = ActivityFilter::default;
    for (filter, expected) in [
        (none(), vec![1, 2, 3, 4, 5]),
        (ActivityFilter { client: text("a"), ..none() }, vec![1, 2, 5]),
        (ActivityFilter { credential: text("s1"), ..none() }, vec![1, 5]),
        (ActivityFilter { outcome: Some(Outcome::Refused), ..none() }, vec![2, 4]),
        (ActivityFilter { outcome: Some(Outcome::Done), client: text("a"), ..none() }, vec![1, 5]),
        (ActivityFilter { reason: text("revoked"), ..none() }, vec![4]),
        (ActivityFilter { environment: text("sandbox"), ..none() }, vec![1, 2, 3, 4]),
        (ActivityFilter { kind: text("other"), ..none() }, vec![]),
        (ActivityFilter { source_tokens: Some(vec![vec![7; 16], vec![8; 16]]), ..none() }, vec![1, 2, 3, 4]),
        (ActivityFilter { from: Some(later), ..none() }, vec![3, 4, 5]),
        (ActivityFilter { to: Some(later), ..none() }, vec![1, 2]),
        (ActivityFilter { from: Some(later), to: Some(later), ..none() }, vec![]),
    ] {
        assert_eq!(positions(log.as_ref(), filter.clone()).await, expected, "{filter:?}");
    }
    let page =
        ActivityPage { ascending: false, after: Position::ORIGIN, before: Some(Position::new(4)), limit: 2 };
    let newest = log.read(&none(), page).await.unwrap();
    assert_eq!(newest.iter().map(|record| record.position.get()).collect::<Vec<_>>(), [3, 2]);
}

/// Of credentials, and of clients.
pub async fn the_last_use_stands_in_the_commit_of_the_use(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    log.append(commit(&[used("a", "s1")])).await.unwrap();
    hours(fixture, 1);
    log.append(commit(&[used("a", "s2"), refused("a", "wrong"), used("b", "s3")])).await.unwrap();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let now = fixture.clock().now();
    let used = log.last_used(&ids(&["s1", "s2", "never"])).await.unwrap();
    assert_eq!(used, HashMap::from([("s1".into(), now - SignedDuration::from_hours(1)), ("s2".into(), now)]));
    let by = log.last_used_by(&ids(&["a", "c"])).await.unwrap();
    assert_eq!(by, HashMap::from([("a".into(), now)]));
}

/// And a digest alone is no record.
pub async fn a_digest_is_kept_without_waiting_and_with_a_record(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    let digest = |credential: &str| VerifiedDigest { credential: credential.to_owned(), digest: vec![9; 32] };
    log.keep_digest(digest("s1"));
    log.append(ActivityCommit { records: vec![used("a", "s2")], digests: vec![digest("s2")] }).await.unwrap();
    for credential in ["s1", "s2"] {
        assert_eq!(log.digest(credential).await.unwrap(), Some(vec![9; 32]), "{credential}");
    }
    assert_eq!(log.digest("s3").await.unwrap(), None);
    assert_eq!(log.head().await.unwrap(), Position::new(1), "a digest alone is no record");
}

/// Whatever the clock does.
pub async fn time_never_goes_back(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    log.append(commit(&[used("a", "s1")])).await.unwrap();
    hours(fixture, -48);
    log.append(commit(&[used("a", "s2")])).await.unwrap();
    let records = log.read(&ActivityFilter::default(), ALL).await.unwrap();
    assert_eq!(records[0].at, records[1].at);
}

/// Once for all, and not before the day is over.
pub async fn a11_a_segment_is_closed_once_its_day_is_over_and_gets_no_more_records(
    fixture: &mut dyn Fixture<dyn ActivityLog>,
) {
    let log = fixture.open().await;
    assert_eq!(log.segment_to_close(fixture.clock().now()).await.unwrap(), None);
    log.append(commit(&[used("a", "s1"), used("a", "s2")])).await.unwrap();
    assert_eq!(log.segment_to_close(fixture.clock().now()).await.unwrap(), None, "the day goes on");
    let number = SegmentNumber::at(fixture.clock().now());
    hours(fixture, 24);
    log.append(commit(&[used("a", "s3")])).await.unwrap();
    let (first, last) = (Position::new(1), Position::new(2));
    assert_eq!(log.segment_to_close(fixture.clock().now()).await.unwrap(), Some((number, first, last)));
    let closed = ClosedSegment { number, first, last, root: [5; 32] };
    log.close_segment(closed).await.unwrap();
    log.close_segment(closed).await.unwrap();
    assert_eq!(log.segment_to_close(fixture.clock().now()).await.unwrap(), None);
    assert_eq!(log.closed_segments(None, 10).await.unwrap(), [closed]);
    assert_eq!(log.closed_segments(Some(number), 10).await.unwrap(), []);
}
