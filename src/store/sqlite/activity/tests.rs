//! The activity log on SQLite: what it promises, and what its file and its disk can do to it.

use jiff::SignedDuration;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::activity::{Activity, SealedSource};
use crate::clock::ManualClock;
use crate::commit::Outcome;
use crate::sqlite::fault::Fault;

struct Fixture {
    directory: TempDir,
    data: DataDirectory,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&directory.path().join("data")).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        Self { directory, data, clock }
    }

    fn open(&self) -> SqliteActivity {
        SqliteActivity::open(&self.data, Arc::clone(&self.clock) as _).unwrap()
    }

    fn hours(&self, hours: i64) {
        self.clock.advance(SignedDuration::from_hours(hours));
    }
}

fn used(client: &str, credential: &str) -> Activity {
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

fn refused(client: &str, reason: &str) -> Activity {
    Activity {
        outcome: Outcome::Refused,
        reason: Some(reason.to_owned()),
        credential: None,
        ..used(client, "")
    }
}

fn commit(records: &[Activity]) -> ActivityCommit {
    ActivityCommit { records: records.to_vec(), digests: Vec::new() }
}

const ALL: ActivityPage =
    ActivityPage { ascending: true, after: Position::ORIGIN, before: None, limit: 1_000 };

async fn positions(log: &SqliteActivity, filter: ActivityFilter) -> Vec<u64> {
    log.read(&filter, ALL).await.unwrap().iter().map(|record| record.position.get()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_are_dense_and_records_survive_reopening() {
    let fixture = Fixture::new();
    let log = Arc::new(fixture.open());
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
    let log = fixture.open();
    assert_eq!(log.read(&ActivityFilter::default(), ALL).await.unwrap(), before);
    assert_eq!(log.head().await.unwrap(), Position::new(500));
    assert_eq!(log.append(commit(&[used("c", "s")])).await.unwrap(), Position::new(501));
}

#[tokio::test]
async fn a4_each_filter_finds_its_records() {
    let fixture = Fixture::new();
    let log = fixture.open();
    let start = fixture.clock.now();
    log.append(commit(&[used("a", "s1"), refused("a", "wrong")])).await.unwrap();
    fixture.hours(1);
    log.append(commit(&[used("b", "s2"), refused("b", "revoked")])).await.unwrap();
    fixture.hours(1);
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
        assert_eq!(positions(&log, filter.clone()).await, expected, "{filter:?}");
    }
    let page =
        ActivityPage { ascending: false, after: Position::ORIGIN, before: Some(Position::new(4)), limit: 2 };
    let newest = log.read(&none(), page).await.unwrap();
    assert_eq!(newest.iter().map(|record| record.position.get()).collect::<Vec<_>>(), [3, 2]);
}

#[tokio::test]
async fn the_last_use_stands_in_the_commit_of_the_use() {
    let fixture = Fixture::new();
    let log = fixture.open();
    log.append(commit(&[used("a", "s1")])).await.unwrap();
    fixture.hours(1);
    log.append(commit(&[used("a", "s2"), refused("a", "wrong"), used("b", "s3")])).await.unwrap();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let now = fixture.clock.now();
    let used = log.last_used(&ids(&["s1", "s2", "never"])).await.unwrap();
    assert_eq!(used, HashMap::from([("s1".into(), now - SignedDuration::from_hours(1)), ("s2".into(), now)]));
    let by = log.last_used_by(&ids(&["a", "c"])).await.unwrap();
    assert_eq!(by, HashMap::from([("a".into(), now)]));
}

#[tokio::test]
async fn a_digest_is_kept_without_waiting_and_with_a_record() {
    let fixture = Fixture::new();
    let log = fixture.open();
    let digest = |credential: &str| VerifiedDigest { credential: credential.to_owned(), digest: vec![9; 32] };
    log.keep_digest(digest("s1"));
    log.append(ActivityCommit { records: vec![used("a", "s2")], digests: vec![digest("s2")] }).await.unwrap();
    for credential in ["s1", "s2"] {
        assert_eq!(log.digest(credential).await.unwrap(), Some(vec![9; 32]), "{credential}");
    }
    assert_eq!(log.digest("s3").await.unwrap(), None);
    assert_eq!(log.head().await.unwrap(), Position::new(1), "a digest alone is no record");
}

#[tokio::test]
async fn what_did_not_become_durable_is_not_acknowledged() {
    for fault in [Fault::Full, Fault::Commit, Fault::Panic] {
        let fixture = Fixture::new();
        let log = fixture.open();
        log.append(commit(&[used("a", "s1")])).await.unwrap();
        log.shared.faults.put(fault);
        // More than a page has room for, so that a file that cannot grow is noticed.
        let many = vec![used("a", "s2"); 500];
        assert!(log.append(commit(&many)).await.is_err());
        assert_eq!(log.head().await.unwrap(), Position::new(1));
        assert!(log.last_used(&["s2".to_owned()]).await.unwrap().is_empty());
        assert_eq!(log.append(commit(&[used("a", "s3")])).await.unwrap(), Position::new(2), "it goes on");
    }
}

#[tokio::test]
async fn time_never_goes_back() {
    let fixture = Fixture::new();
    let log = fixture.open();
    log.append(commit(&[used("a", "s1")])).await.unwrap();
    fixture.hours(-48);
    log.append(commit(&[used("a", "s2")])).await.unwrap();
    let records = log.read(&ActivityFilter::default(), ALL).await.unwrap();
    assert_eq!(records[0].at, records[1].at);
}

#[tokio::test]
async fn a11_a_segment_is_closed_once_its_day_is_over_and_gets_no_more_records() {
    let fixture = Fixture::new();
    let log = fixture.open();
    assert_eq!(log.segment_to_close(fixture.clock.now()).await.unwrap(), None);
    log.append(commit(&[used("a", "s1"), used("a", "s2")])).await.unwrap();
    assert_eq!(log.segment_to_close(fixture.clock.now()).await.unwrap(), None, "the day goes on");
    let number = SegmentNumber::at(fixture.clock.now());
    fixture.hours(24);
    log.append(commit(&[used("a", "s3")])).await.unwrap();
    let (first, last) = (Position::new(1), Position::new(2));
    assert_eq!(log.segment_to_close(fixture.clock.now()).await.unwrap(), Some((number, first, last)));
    let closed = ClosedSegment { number, first, last, root: [5; 32] };
    log.close_segment(closed).await.unwrap();
    log.close_segment(closed).await.unwrap();
    assert_eq!(log.segment_to_close(fixture.clock.now()).await.unwrap(), None);
    assert_eq!(log.closed_segments(None, 10).await.unwrap(), [closed]);
    assert_eq!(log.closed_segments(Some(number), 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_raw_connection_cannot_change_or_remove_what_is_recorded() {
    let fixture = Fixture::new();
    let log = fixture.open();
    log.append(commit(&[used("a", "s1")])).await.unwrap();
    let root = ClosedSegment {
        number: SegmentNumber::new(1),
        first: Position::new(1),
        last: Position::new(1),
        root: [5; 32],
    };
    log.close_segment(root).await.unwrap();
    let raw = Connection::open(fixture.directory.path().join("data/activity.db")).unwrap();
    for (statement, refusal) in [
        ("UPDATE activity SET reason = 'x'", "activity is never changed"),
        ("DELETE FROM activity", "activity is never removed"),
        ("UPDATE segments SET root = zeroblob(32)", "closed segments are never changed"),
        ("DELETE FROM segments", "closed segments are never removed"),
    ] {
        let error = raw.execute(statement, []).unwrap_err().to_string();
        assert!(error.contains(refusal), "{statement}: {error}");
    }
}

#[test]
fn a11_a_leaf_is_golden() {
    let record = RecordedActivity {
        position: Position::new(7),
        at: "2026-11-20T22:13:25.123456Z".parse().unwrap(),
        activity: refused("0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e", "wrong"),
    };
    assert_eq!(
        record.leaf().unwrap().as_str(),
        r#"{"at":"2026-11-20T22:13:25.123456Z","client":"0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e","count":1,"environment":"sandbox","kind":"authentication","outcome":"refused","position":7,"reason":"wrong","request_id":"r-1","source":"AQID"}"#
    );
}

#[test]
fn every_search_uses_an_index() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let raw = Connection::open(fixture.directory.path().join("data/activity.db")).unwrap();
    for (search, index) in [
        ("client = 'a'", "activity_of_clients"),
        ("credential = 'a'", "activity_of_credentials"),
        ("source_token IN ('a', 'b')", "activity_of_sources"),
        ("outcome = 'refused'", "activity_refused"),
        ("outcome = 'done'", "INTEGER PRIMARY KEY"),
    ] {
        let explain = format!(
            "EXPLAIN QUERY PLAN SELECT * FROM activity WHERE position > 1 AND position < 9 AND {search}
             ORDER BY position DESC LIMIT 5"
        );
        let plan: String = raw.query_row(&explain, [], |row| row.get(3)).unwrap();
        assert!(plan.contains(index), "{search}: {plan}");
    }
}
