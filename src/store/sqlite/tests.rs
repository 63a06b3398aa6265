//! The suite on SQLite, and what only SQLite can get wrong: its files, its limits, its raw connections.

#[cfg(target_os = "linux")]
mod failing_disk;

use std::path::PathBuf;
use std::sync::mpsc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::fault::Fault;
use super::*;
use crate::canonical::CanonicalJson;
use crate::clock::ManualClock;
use crate::conformance::sample::{command_id, commit, credential, one, stream, to};
use crate::conformance::{Fixture, check_log};
use crate::position::ExpectedRevision;

struct SqliteFixture {
    directory: TempDir,
    data: DataDirectory,
    clock: Arc<ManualClock>,
    opened: Option<Arc<SqliteLog>>,
}

impl SqliteFixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&directory.path().join("data")).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        Self { directory, data, clock, opened: None }
    }

    fn open_sqlite(&self) -> Arc<SqliteLog> {
        Arc::new(SqliteLog::open(&self.data, Arc::clone(&self.clock) as _).unwrap())
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("data/log.db")
    }
}

#[async_trait]
impl Fixture for SqliteFixture {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
        let log = self.open_sqlite();
        self.opened = Some(Arc::clone(&log));
        log
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

crate::conformance_suite!(SqliteFixture::new());

#[tokio::test]
async fn a_raw_connection_cannot_change_or_remove_what_is_recorded() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    log.append(Commit { credentials: vec![credential("s")], ..one(1, "a") }).await.unwrap();
    let raw = Connection::open(fixture.file()).unwrap();
    for (statement, refusal) in [
        ("UPDATE events SET entry = x'00'", "events are never changed"),
        ("DELETE FROM events", "events are never removed"),
        ("UPDATE streams SET name = 'client-b'", "streams are never changed"),
        ("DELETE FROM streams", "streams are never removed"),
        ("UPDATE commands SET last_position = 9", "commands are never changed"),
        ("DELETE FROM commands", "commands are never removed"),
        ("UPDATE credentials SET sealed = x'00'", "credentials are never changed"),
        ("UPDATE log SET id = randomblob(16)", "the identity of a log is never changed"),
        ("INSERT INTO events VALUES (0, 1, 1, x'00')", "position_counts_from_1"),
        ("INSERT INTO events VALUES (2, 1, 1, x'00')", "UNIQUE constraint failed"),
        ("INSERT INTO events VALUES (2, 1, 2, zeroblob(65536))", "entry_fits_a_ledger_tile"),
    ] {
        let error = raw.execute(statement, []).unwrap_err().to_string();
        assert!(error.contains(refusal), "{statement}: {error}");
    }
    check_log(log.as_ref(), 1);
}

#[tokio::test]
async fn tampering_behind_the_triggers_is_found() {
    for (tamper, found) in [
        (
            "UPDATE events SET entry = CAST(replace(CAST(entry AS TEXT), 'Zo', 'Xo') AS BLOB) WHERE position = 2",
            None,
        ),
        ("UPDATE events SET entry = CAST(entry || ' ' AS BLOB) WHERE position = 2", Some("not canonical")),
        ("DELETE FROM events WHERE position = 2", Some("position 2 is missing")),
        ("UPDATE events SET revision = 9 WHERE position = 3", Some("revision 9, not 3")),
        ("UPDATE streams SET name = 'client-b'", Some("stream is not that of its row")),
        ("UPDATE commands SET last_position = 3 WHERE first_position = 2", Some("index of commands")),
        ("INSERT INTO commands VALUES (randomblob(16), 1, 1)", Some("`commands` has 4 rows")),
        ("INSERT INTO claims VALUES ('name', 'k', 77)", Some("1 claims are held")),
    ] {
        let fixture = SqliteFixture::new();
        let log = fixture.open_sqlite();
        for number in 1..=3 {
            log.append(one(number, "a")).await.unwrap();
        }
        let raw = Connection::open(fixture.file()).unwrap();
        let triggers: Vec<String> = raw
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        for trigger in triggers {
            raw.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
        }
        assert_eq!(raw.execute(tamper, []).unwrap(), 1, "{tamper}");
        let mut defects = Vec::new();
        log.verify(&mut |_| (), &mut |defect| defects.push(defect.to_string())).unwrap();
        match found {
            Some(found) => {
                assert!(defects.iter().any(|defect| defect.contains(found)), "{tamper}: {defects:?}");
            }
            // A canonical change agrees with its row: only the leaf hashes of the ledger give it away.
            None => assert_eq!(defects, [""; 0], "{tamper}"),
        }
    }
}

#[tokio::test]
async fn a_hole_is_an_error_and_not_an_end() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    for number in 1..=3 {
        log.append(one(number, "a")).await.unwrap();
    }
    let raw = Connection::open(fixture.file()).unwrap();
    raw.execute_batch("DROP TRIGGER events_are_not_removed; DELETE FROM events WHERE position = 2").unwrap();
    assert!(matches!(log.read_all(Position::ORIGIN, 9).await, Err(ReadError::Corrupt { .. })));
    assert!(matches!(log.read_stream(&stream("a"), Revision::NONE, 9).await, Err(ReadError::Corrupt { .. })));
    let mut visited = 0;
    let scanned = log.scan(Position::ORIGIN, &mut |_| {
        visited += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(scanned, Err(ReadError::Corrupt { .. })));
    assert_eq!(visited, 1);
    assert!(matches!(log.subscribe(Position::new(1)).next_page(9).await, Err(ReadError::Corrupt { .. })));
}

/// The disk is full for one session of the writer: a limit on pages does what a full disk does.
#[tokio::test]
async fn a_full_disk_refuses_and_leaves_nothing_half_there() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    log.append(one(1, "a")).await.unwrap();
    let big = |command| {
        let mut big = one(command, "a");
        big.ticket = Some("x".repeat(60_000));
        Commit { credentials: vec![credential("s")], ..big }
    };
    log.fault(Fault::Full);
    let refused = log.append(big(2)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { outcome_unknown: false, .. }), "{refused:?}");
    assert_eq!(log.find_command(command_id(2)).await.unwrap(), None);
    assert_eq!(log.credential("s").await.unwrap(), None);
    // The next session has room again.
    assert_eq!(log.append(big(2)).await.unwrap().position, Position::new(2));
    check_log(log.as_ref(), 2);
}

#[tokio::test]
async fn a_panic_of_the_writer_is_an_unknown_outcome_and_not_the_end() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    log.append(one(1, "a")).await.unwrap();
    log.fault(Fault::Panic);
    log.make_faults_last(true);
    let lost = log.append(one(2, "a")).await.unwrap_err();
    assert!(matches!(lost, AppendError::Unavailable { outcome_unknown: true, .. }), "{lost:?}");
    assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))));
    log.make_faults_last(false);
    settled(&log).await;
    assert_eq!(log.append(one(3, "a")).await.unwrap().position, Position::new(2));
    check_log(log.as_ref(), 2);
}

/// Asks for what has to be refused until it is: each commit has a writer in doubt try once more.
async fn settled(log: &SqliteLog) {
    let refused = || log.append(commit(999, vec![to(stream("a"), ExpectedRevision::NoStream, &[1])]));
    while !matches!(refused().await, Err(AppendError::WrongExpectedRevision { .. })) {}
}

#[tokio::test]
async fn a_failed_commit_is_an_unknown_outcome_for_who_was_accepted() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    log.append(one(1, "a")).await.unwrap();
    log.fault(Fault::Commit);
    let lost = log.append(one(2, "a")).await.unwrap_err();
    assert!(matches!(lost, AppendError::Unavailable { outcome_unknown: true, .. }), "{lost:?}");
    settled(&log).await;
    assert_eq!(log.find_command(command_id(2)).await.unwrap(), None);
    log.append(one(3, "a")).await.unwrap();
    assert_eq!(log.head().await.unwrap(), Position::new(2));
    check_log(log.as_ref(), 2);
}

/// Until a transaction of the writer's own has taken the place of the failed one.
#[tokio::test]
async fn nothing_is_certain_while_a_transaction_is_in_doubt() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    log.append(one(1, "a")).await.unwrap();
    log.fault(Fault::Commit);
    log.make_faults_last(true);
    log.append(one(2, "a")).await.unwrap_err();
    for _ in 0..3 {
        assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))));
        assert!(matches!(log.find_command(command_id(2)).await, Err(ReadError::Unavailable(_))));
        assert!(log.find_command(command_id(1)).await.unwrap().is_some(), "that is durable");
        let retried = log.append(one(2, "a")).await.unwrap_err();
        assert!(matches!(retried, AppendError::Unavailable { outcome_unknown: true, .. }), "{retried:?}");
    }
    log.make_faults_last(false);
    settled(&log).await;
    assert_eq!(log.head().await.unwrap(), Position::new(1));
    assert_eq!(log.find_command(command_id(2)).await.unwrap(), None);
    let epoch = "SELECT epoch FROM writer_epoch";
    let epoch: u64 =
        Connection::open(fixture.file()).unwrap().query_row(epoch, [], |row| row.get(0)).unwrap();
    assert_eq!(epoch, 1);
    assert_eq!(log.append(one(2, "a")).await.unwrap().position, Position::new(2));
    check_log(log.as_ref(), 2);
}

/// One batch fails that holds a commit, its retry, the retry of an older one, and one that expects too much.
#[tokio::test]
async fn of_a_failed_batch_everybody_hears_what_is_known() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    let older = log.append(one(1, "a")).await.unwrap();
    let (entered, has_entered) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    log.fault(Fault::Look(Box::new(move |_| {
        entered.send(()).unwrap();
        may_go_on.recv().unwrap();
    })));
    let meanwhile = async {
        has_entered.recv().unwrap();
        log.fault(Fault::Commit);
    };
    let (before, (), first, again, known, late, ()) = tokio::join!(
        log.append(one(2, "a")),
        meanwhile,
        log.append(one(3, "a")),
        log.append(one(3, "a")),
        log.append(one(1, "a")),
        log.append(commit(4, vec![to(stream("a"), ExpectedRevision::NoStream, &[4])])),
        async { go_on.send(()).unwrap() },
    );
    before.unwrap();
    for lost in [first, again] {
        assert!(matches!(lost, Err(AppendError::Unavailable { outcome_unknown: true, .. })), "{lost:?}");
    }
    let Err(AppendError::DuplicateCommand(known)) = known else { panic!("{known:?}") };
    assert_eq!(known.position, older.position);
    assert!(matches!(late, Err(AppendError::Unavailable { outcome_unknown: false, .. })), "{late:?}");
    settled(&log).await;
    check_log(log.as_ref(), 2);
}

/// What no kill can show: a kill leaves the system's cache alone.
#[tokio::test]
async fn the_writer_waits_for_the_disk() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    let (found, pragmas) = mpsc::channel();
    log.fault(Fault::Look(Box::new(move |connection| {
        let pragma = |name: &str| {
            connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
        };
        found.send((pragma("synchronous").unwrap(), pragma("journal_mode").unwrap())).unwrap();
    })));
    log.append(one(1, "a")).await.unwrap();
    const FULL: i64 = 2;
    assert_eq!(pragmas.recv().unwrap(), (FULL.into(), "wal".to_owned().into()));
}

#[tokio::test]
async fn a_closed_log_finishes_what_is_queued_and_refuses_the_rest() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    let queued = log.append(one(1, "a"));
    let (queued, ()) = tokio::join!(queued, log.close());
    queued.unwrap();
    let refused = log.append(one(2, "a")).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { outcome_unknown: false, .. }), "{refused:?}");
    let wal = fixture.file().with_file_name("log.db-wal");
    assert_eq!(std::fs::metadata(wal).map_or(0, |file| file.len()), 0);
    check_log(log.as_ref(), 1);
}

#[tokio::test]
async fn a_reader_follows_the_log_of_another_process() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    log.append(one(1, "a")).await.unwrap();
    let read_only = DataDirectory::open_read_only(fixture.data.path()).unwrap();
    let reader = SqliteLog::open(&read_only, Arc::clone(&fixture.clock) as _).unwrap();
    assert_eq!(reader.head().await.unwrap(), Position::new(1));
    log.append(one(2, "a")).await.unwrap();
    assert_eq!(reader.head().await.unwrap(), Position::new(2));
    let refused = reader.append(one(3, "a")).await.unwrap_err();
    assert!(matches!(refused, AppendError::Unavailable { outcome_unknown: false, .. }), "{refused:?}");
    check_log(&reader, 2);
}

/// Sixteen MiB and more through the write-ahead log: it is copied and begins anew instead of growing with the log.
#[tokio::test]
async fn the_write_ahead_log_does_not_grow_with_the_log() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    let events: Vec<u64> = (0..2_000).collect();
    for number in 0..60 {
        log.append(commit(number, vec![to(stream("a"), ExpectedRevision::Any, &events)])).await.unwrap();
    }
    let length = |name: &str| std::fs::metadata(fixture.file().with_file_name(name)).unwrap().len();
    assert!(length("log.db-wal") < 40 << 20, "{} of {}", length("log.db-wal"), length("log.db"));
    log.close().await;
    assert!(length("log.db") > 40 << 20, "{}", length("log.db"));
}

#[tokio::test]
async fn secrets_that_were_issued_before_they_had_claims_get_theirs() {
    let fixture = SqliteFixture::new();
    let log = fixture.open_sqlite();
    let issued = |number: u64, event_type: &str, data: serde_json::Value| {
        let mut issued = one(number, "a");
        issued.streams[0].events[0].event_type = event_type.to_owned();
        issued.streams[0].events[0].data = CanonicalJson::from_value(&data).unwrap();
        issued
    };
    let secret = |id: &str| serde_json::json!({ "secret": { "id": id } });
    for commit in [
        issued(1, "client.created", secret("s1")),
        issued(2, "client.created", serde_json::json!({})),
        issued(3, "client.secret_rotated", secret("s3")),
        issued(4, "client.secret_issued", secret("s4")),
        issued(5, "member.token_issued", secret("t5")),
    ] {
        log.append(commit).await.unwrap();
    }
    let raw = Connection::open(fixture.file()).unwrap();
    raw.execute_batch("DROP INDEX claims_by_stream; DELETE FROM claims").unwrap();
    raw.execute_batch(include_str!("../../../migrations/sqlite/0008_find_claims_by_stream.sql")).unwrap();
    let mut claims = Vec::new();
    log.claims(&mut |key, holder| claims.push((key.to_string(), holder))).unwrap();
    let told = ["client_secret/s1", "client_secret/s3", "client_secret/s4"];
    assert_eq!(claims, told.map(|claim| (claim.to_owned(), stream("a"))));
}
