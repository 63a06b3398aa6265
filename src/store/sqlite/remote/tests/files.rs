//! The files beside the server: which of them may be lost, and what does not belong together.

use std::fs;

use super::*;
use crate::conformance::check_log;
use crate::engine::EngineEvent;
use crate::testing::Fault;

/// All that is read, of the replica and by way of it.
async fn everything(log: &RemoteLog) -> (Vec<RecordedEvent>, Vec<(ClaimKey, StreamName)>, Vec<StreamName>) {
    let mut claims = Vec::new();
    log.claims(&mut |key, holder| claims.push((key, holder))).unwrap();
    let streams = log.streams("client", None, 100).await.unwrap();
    (log.read_all(Position::ORIGIN, 100).await.unwrap(), claims, streams)
}

async fn filled(fixture: &RemoteFixture) -> Arc<RemoteLog> {
    let log = fixture.open_remote();
    for number in 1..=20 {
        log.append(one(number, &format!("s{}", 20 - number / 2))).await.unwrap();
    }
    log.append(whole(21)).await.unwrap();
    log
}

#[tokio::test]
async fn the_replica_can_be_lost_at_any_time() {
    let fixture = RemoteFixture::new();
    let log = filled(&fixture).await;
    let before = everything(&log).await;
    drop(log);
    for spoil in [
        |replica: &PathBuf| fs::remove_file(replica).unwrap(),
        |replica: &PathBuf| {
            fs::write(replica, "no database at all, and long enough to be looked at").unwrap();
        },
        |replica: &PathBuf| {
            let spoilt = rusqlite::Connection::open(replica).unwrap();
            spoilt.execute_batch("DROP TRIGGER events_are_not_changed").unwrap();
            spoilt
                .execute("UPDATE events SET entry = CAST(entry || ' ' AS BLOB) WHERE position = 21", [])
                .unwrap();
        },
    ] {
        let data = copied(&fixture, spoil);
        let log = RemoteLog::open(&data, Arc::clone(&fixture.engine) as _, Arc::clone(&fixture.clock) as _)
            .unwrap();
        assert_eq!(everything(&log).await, before);
        check_log(&log, 21);
        drop(log);
    }
}

/// The files as a new process finds them after something happened to the replica.
fn copied(fixture: &RemoteFixture, spoil: fn(&PathBuf)) -> DataDirectory {
    let copy = fixture.directory.path().join("copy");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(fixture.data.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    spoil(&copy.join("replica.db"));
    DataDirectory::open_companion(&copy).unwrap()
}

/// A changed entry in the middle is no concern of who opens the log, but whoever verifies it is told.
#[tokio::test]
async fn verifying_compares_the_replica_with_the_server() {
    let fixture = RemoteFixture::new();
    let log = filled(&fixture).await;
    let raw = rusqlite::Connection::open(fixture.file("replica.db")).unwrap();
    raw.execute_batch("DROP TRIGGER events_are_not_changed").unwrap();
    let tamper =
        "UPDATE events SET entry = CAST(replace(CAST(entry AS TEXT), 'Zo', 'Xo') AS BLOB) WHERE position = 7";
    assert_eq!(raw.execute(tamper, []).unwrap(), 1);
    let mut defects = Vec::new();
    let verified = log.verify(&mut |_| (), &mut |defect| defects.push(defect)).unwrap();
    assert_eq!(defects, [Defect::NotOnServer { position: Position::new(7) }]);
    assert_eq!((verified.head, verified.defects), (Position::new(21), 1));
}

#[tokio::test]
async fn a_companion_of_another_log_is_refused() {
    let fixture = RemoteFixture::new();
    drop(filled(&fixture).await);
    let events = fixture.engine.events();
    for (found, spoilt) in [
        ("another log", events[..20].to_vec()),
        ("another log", Vec::new()),
        ("another log", {
            let other = RemoteFixture::new();
            drop(filled(&other).await);
            let changed = whole(22);
            let log = other.open_remote();
            log.append(changed).await.unwrap();
            let mut changed = events.clone();
            changed[20] = other.engine.events()[21].clone();
            changed
        }),
        ("the companion does not know", {
            let mut longer = events.clone();
            longer.push(EngineEvent::new(Position::new(22), events[20].entry.clone()));
            longer
        }),
        ("was not written there by us", {
            let mut longer = events.clone();
            longer.push(events[20].clone());
            longer
        }),
    ] {
        fixture.engine.replace(spoilt);
        let refused = fixture.try_open().err().unwrap();
        let OpenError::Read(ReadError::Corrupt { detail, .. }) = &refused else { panic!("{refused:?}") };
        assert!(detail.contains(found), "{detail}");
    }
    fixture.engine.replace(events);
    check_log(&fixture.try_open().unwrap(), 21);
}

/// A log without its companion has lost its secrets: it is not begun anew.
#[tokio::test]
async fn a_fresh_companion_does_not_take_over_a_log() {
    let fixture = RemoteFixture::new();
    drop(filled(&fixture).await);
    let fresh = RemoteFixture { engine: Arc::clone(&fixture.engine), ..RemoteFixture::new() };
    let refused = fresh.try_open().err().unwrap().to_string();
    assert!(fresh.engine.events().len() == 21 && !refused.is_empty());
}

#[tokio::test]
async fn a_directory_is_of_one_kind_of_log() {
    let fixture = RemoteFixture::new();
    let path = fixture.data.path().to_owned();
    let clock = || Arc::clone(&fixture.clock) as _;
    let refused = crate::sqlite::SqliteLog::open(&fixture.data, clock()).err().unwrap();
    assert!(matches!(refused, OpenError::LogElsewhere { file: "companion.db", .. }), "{refused}");
    let read_only = DataDirectory::open_read_only(&path).unwrap();
    assert!(crate::sqlite::SqliteLog::open(&read_only, clock()).is_err());

    let other = tempfile::tempdir().unwrap();
    let embedded = DataDirectory::open(&other.path().join("data")).unwrap();
    assert!(RemoteLog::open(&embedded, Arc::clone(&fixture.engine) as _, clock()).is_err());
    let path = embedded.path().to_owned();
    drop(embedded);
    let refused = DataDirectory::open_companion(&path).unwrap_err();
    assert!(matches!(refused, OpenError::LogElsewhere { file: "log.db", .. }), "{refused}");
}

#[tokio::test]
async fn a_reader_follows_what_the_service_has_read() {
    let fixture = RemoteFixture::new();
    let log = filled(&fixture).await;
    let read_only = DataDirectory::open_read_only(fixture.data.path()).unwrap();
    let engine = Arc::clone(&fixture.engine) as Arc<dyn Engine>;
    let reader = RemoteLog::open(&read_only, engine, Arc::clone(&fixture.clock) as _).unwrap();
    log.append(one(22, "a")).await.unwrap();
    assert_eq!(reader.head().await.unwrap(), Position::new(22));
    assert!(reader.append(one(23, "a")).await.is_err());
    check_log(&reader, 22);
}

/// Who only reads must not take the end of an older copy for the end of the log.
#[tokio::test]
async fn an_older_copy_is_not_read_as_the_whole_log() {
    let fixture = RemoteFixture::new();
    let log = fixture.open_remote();
    log.append(whole(1)).await.unwrap();
    log.close().await;
    drop(log);
    let copy = fixture.directory.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in ["companion.db", "replica.db", "keys.db", "activity.db"] {
        std::fs::copy(fixture.file(file), copy.join(file)).unwrap();
    }
    let log = fixture.open_remote();
    log.append(whole(2)).await.unwrap();
    let read = |path: &std::path::Path| {
        let directory = DataDirectory::open_read_only(path)?;
        let (engine, clock) = (Arc::clone(&fixture.engine) as _, Arc::clone(&fixture.clock) as _);
        RemoteLog::open(&directory, engine, clock)
    };
    let whole_log = read(&fixture.directory.path().join("data")).unwrap();
    expect_whole(&whole_log, 2, 2).await;
    let older = read(&copy).err().unwrap();
    assert!(matches!(older, OpenError::Read(ReadError::Corrupt { .. })), "{older:?}");
    // Killed after the server had the batch: the node finishes that.
    fixture.engine.put(Fault::LoseAnswerAndSleep);
    assert!(is_unknown(&log.append(whole(3)).await.unwrap_err()));
    drop(log);
    fixture.engine.wake();
    let unsettled = read(&fixture.directory.path().join("data")).err().unwrap();
    assert!(matches!(unsettled, OpenError::Read(ReadError::Unavailable(_))), "{unsettled:?}");
    std::fs::remove_file(copy.join("replica.db")).unwrap();
    assert!(matches!(read(&copy).err().unwrap(), OpenError::NoReplica(_)));
}
