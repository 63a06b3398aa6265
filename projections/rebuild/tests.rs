use super::*;
use crate::file::inspect;
use crate::testing::{IntoEvent as _, TestLog, client, created, happens};

#[tokio::test]
async fn an_empty_log_is_rebuilt_too() {
    let log = TestLog::new();
    let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    assert_eq!(rebuilt.events, 0);
    assert!(rebuilt.views.iter().all(|view| view.comparison.is_none() && view.position == Position::ORIGIN));
}

#[tokio::test]
async fn a8_a_rebuild_replaces_the_file_and_removes_the_old_one() {
    let log = TestLog::new();
    log.client(client(1), created("Matter sync").into_event()).await;
    let first = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    log.client(client(1), happens(0)).await;
    let second = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    assert_eq!((first.events, second.events), (1, 2));
    assert!(second.views.iter().all(|view| view.comparison.as_ref().unwrap().is_equal()));
    assert!(!first.file.exists());
    let live = inspect(log.path()).unwrap();
    assert_eq!(live.file, second.file);
    assert!(live.checkpoints.iter().all(|view| view.position == Position::new(2)));
}

#[tokio::test]
async fn what_an_unfinished_rebuild_left_over_is_in_nobodys_way() {
    let log = TestLog::new();
    log.client(client(1), created("Matter sync").into_event()).await;
    rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    std::fs::write(log.path().join("views/views-7.db"), b"half a file").unwrap();
    let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    assert_eq!(rebuilt.file, log.path().join("views/views-8.db"));
    assert!(!log.path().join("views/views-7.db").exists());
}

#[tokio::test]
async fn what_was_rebuilt_has_its_indexes() {
    let log = TestLog::new();
    let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    let file = Connection::open(rebuilt.file).unwrap();
    let indexes: i64 = file
        .query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL", [], |row| {
            row.get(0)
        })
        .unwrap();
    let declared: usize =
        crate::all().iter().map(|view| view.indexes().matches("CREATE INDEX").count()).sum();
    assert_eq!(indexes, i64::try_from(declared).unwrap());
    assert!(declared > 0);
}
