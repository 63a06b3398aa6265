//! Activity: dense, found by what it says, closed day by day.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::Fixture;
use crate::activity::{
    Activity, ActivityCommit, ActivityError, ActivityFilter, ActivityLog, ActivityPage, ClosedSegment, Count,
    SealedSource, SegmentNumber, VerifiedDigest, Voucher, VoucherChange,
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
        token: None,
        grant: None,
        scope: None,
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
    ActivityCommit { records: records.to_vec(), ..ActivityCommit::default() }
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
    let of_token = Activity { token: Some("t1".to_owned()), grant: Some("g1".to_owned()), ..used("a", "s1") };
    log.append(commit(&[Activity { environment: None, source: None, ..of_token }])).await.unwrap();
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
        (ActivityFilter { token: text("t1"), ..none() }, vec![5]),
        (ActivityFilter { grant: text("g1"), ..none() }, vec![5]),
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
    let commit = ActivityCommit {
        records: vec![used("a", "s2")],
        digests: vec![digest("s2")],
        ..ActivityCommit::default()
    };
    log.append(commit).await.unwrap();
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

fn with(vouchers: Vec<VoucherChange>) -> ActivityCommit {
    ActivityCommit { vouchers, ..commit(&[used("a", "s1")]) }
}

fn issue(fixture: &dyn Fixture<dyn ActivityLog>, id: &str) -> VoucherChange {
    let expires_at = fixture.clock().now() + SignedDuration::from_hours(1);
    VoucherChange::Issue(Voucher { kind: "code", id: id.to_owned(), data: b"{}".to_vec(), expires_at })
}

fn spend(id: &str) -> VoucherChange {
    VoucherChange::Spend { kind: "code", id: id.to_owned() }
}

fn is_spent(outcome: &Result<Position, ActivityError>) -> bool {
    matches!(outcome, Err(ActivityError::VoucherNotLive { kind: "code", .. }))
}

/// By many at once, and after reopening.
pub async fn oauth_26_a_voucher_is_spent_once(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    log.append(with(vec![issue(fixture, "c1"), issue(fixture, "c2")])).await.unwrap();
    let taken = log.append(with(vec![issue(fixture, "c1")])).await;
    assert!(matches!(taken, Err(ActivityError::VoucherTaken { kind: "code", .. })), "{taken:?}");
    let mut spending = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let log = Arc::clone(&log);
        spending.spawn(async move { log.append(with(vec![spend("c1")])).await });
    }
    let outcomes = spending.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|outcome| is_spent(outcome)).count(), 49);
    assert_eq!(log.head().await.unwrap(), Position::new(2), "what is refused is not recorded");
    log.close().await;
    drop(log);
    let log = fixture.open().await;
    assert!(is_spent(&log.append(with(vec![spend("c1")])).await));
    let kept = log.voucher("code", "c1").await.unwrap().unwrap();
    assert_eq!((kept.spent_at, kept.data), (Some(fixture.clock().now()), b"{}".to_vec()));
    assert_eq!(log.voucher("other", "c1").await.unwrap(), None);
    let has = async |kind, id: &str| log.has_voucher(kind, id).await.unwrap();
    assert_eq!(
        (has("code", "c1").await, has("code", "c3").await, has("other", "c1").await),
        (true, false, false)
    );
    log.append(with(vec![issue(fixture, "c3")])).await.unwrap();
    assert!(has("code", "c3").await, "it was known not to be there");
    log.append(with(vec![spend("c2")])).await.unwrap();
}

/// None of its changes is made, and nothing is recorded.
pub async fn a_commit_that_is_refused_leaves_nothing(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    let outcome = log.append(with(vec![issue(fixture, "c1"), spend("c2")])).await;
    assert!(is_spent(&outcome), "{outcome:?}");
    assert_eq!(log.voucher("code", "c1").await.unwrap(), None);
    assert_eq!(log.head().await.unwrap(), Position::ORIGIN);
    log.append(with(vec![issue(fixture, "c1"), spend("c1")])).await.unwrap();
    assert!(is_spent(&log.append(with(vec![spend("c1")])).await), "issued and spent in one commit");
}

/// It expires, can be kept longer, can be revoked, and is forgotten in the end.
pub async fn oauth_27_a_voucher_is_good_for_its_time(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    log.append(with(vec![issue(fixture, "c1"), issue(fixture, "c2"), issue(fixture, "c3")])).await.unwrap();
    let later = fixture.clock().now() + SignedDuration::from_hours(3);
    let extend = |id: &str| VoucherChange::Extend { kind: "code", id: id.to_owned(), expires_at: later };
    let revoke = |id: &str| VoucherChange::Revoke { kind: "code", id: id.to_owned() };
    log.append(with(vec![extend("c2"), revoke("c3"), revoke("never")])).await.unwrap();
    assert!(is_spent(&log.append(with(vec![spend("c3")])).await), "revoked");
    assert_eq!(log.voucher("code", "never").await.unwrap(), None);
    hours(fixture, 2);
    assert!(is_spent(&log.append(with(vec![spend("c1")])).await), "expired");
    assert!(is_spent(&log.append(with(vec![extend("c1")])).await), "nor does it come back");
    log.append(with(vec![spend("c2")])).await.unwrap();
    log.forget_vouchers(fixture.clock().now()).await.unwrap();
    assert_eq!(log.voucher("code", "c1").await.unwrap(), None);
    assert!(!log.has_voucher("code", "c1").await.unwrap());
    assert!(
        log.voucher("code", "c2").await.unwrap().is_some(),
        "spent, but of use against who presents it again"
    );
}

/// What it is good for changes only as seen.
pub async fn l1_a_voucher_is_replaced_as_it_was_seen(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    let replace = |seen: &[u8], data: &[u8]| VoucherChange::Replace {
        kind: "code",
        id: "c1".to_owned(),
        seen: seen.to_vec(),
        data: data.to_vec(),
    };
    assert!(is_spent(&log.append(with(vec![replace(b"", b"2")])).await), "there is none");
    log.append(with(vec![issue(fixture, "c1")])).await.unwrap();
    let seen = log.voucher("code", "c1").await.unwrap().unwrap();
    log.append(with(vec![replace(&seen.data, b"2")])).await.unwrap();
    assert!(is_spent(&log.append(with(vec![replace(&seen.data, b"3")])).await), "not as seen");
    let kept = log.voucher("code", "c1").await.unwrap().unwrap();
    assert_eq!((&kept.data[..], kept.expires_at), (&b"2"[..], seen.expires_at));
    log.append(with(vec![spend("c1")])).await.unwrap();
    assert!(is_spent(&log.append(with(vec![replace(b"2", b"3")])).await), "spent");
}

/// To the limit, and not beyond, by however many at once.
pub async fn o2_what_is_counted_keeps_to_its_limit(fixture: &mut dyn Fixture<dyn ActivityLog>) {
    let log = fixture.open().await;
    let expires_at = fixture.clock().now() + SignedDuration::from_hours(1);
    let count = move |key: &str, limit| Count { key: key.to_owned(), limit, expires_at };
    let mut counting = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let log = Arc::clone(&log);
        let counts = vec![count("a", Some(7)), count("b", None)];
        counting
            .spawn(async move { log.append(ActivityCommit { counts, ..commit(&[used("a", "s1")]) }).await });
    }
    let outcomes = counting.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 7);
    let over =
        |outcome: &&Result<_, _>| matches!(outcome, Err(ActivityError::OverLimit { key }) if key == "a");
    assert_eq!(outcomes.iter().filter(over).count(), 13, "{outcomes:?}");
    assert_eq!((log.counted("a").await.unwrap(), log.counted("b").await.unwrap()), (7, 7));
    assert_eq!(log.counted("c").await.unwrap(), 0);
    hours(fixture, 2);
    log.forget_vouchers(fixture.clock().now()).await.unwrap();
    assert_eq!(log.counted("a").await.unwrap(), 0);
}
