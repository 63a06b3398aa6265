//! The activity log on SQLite: what it promises, and what its file and its disk can do to it.

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::conformance::Fixture;
use crate::conformance::activity::{commit, refused, used};
use crate::sqlite::fault::Fault;

struct SqliteFixture {
    directory: TempDir,
    data: DataDirectory,
    clock: Arc<ManualClock>,
    opened: Option<Arc<SqliteActivity>>,
}

impl SqliteFixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&directory.path().join("data")).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        Self { directory, data, clock, opened: None }
    }

    fn open(&self) -> SqliteActivity {
        SqliteActivity::open(&self.data, Arc::clone(&self.clock) as _).unwrap()
    }
}

#[async_trait]
impl Fixture<dyn ActivityLog> for SqliteFixture {
    async fn open(&mut self) -> Arc<dyn ActivityLog> {
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
        let log = Arc::new(Self::open(self));
        self.opened = Some(Arc::clone(&log));
        log
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

crate::activity_suite!(SqliteFixture::new());

#[tokio::test]
async fn what_did_not_become_durable_is_not_acknowledged() {
    for fault in [Fault::Full, Fault::Commit, Fault::Panic] {
        let fixture = SqliteFixture::new();
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
async fn a_raw_connection_cannot_change_or_remove_what_is_recorded() {
    let fixture = SqliteFixture::new();
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
    let fixture = SqliteFixture::new();
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
