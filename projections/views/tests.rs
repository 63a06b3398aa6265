use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use store::Position;

use super::*;
use crate::clients::{self, ListFilter};
use crate::file::{ViewsDirectory, inspect};
use crate::testing::{Happening, IntoEvent as _, TestLog, client, created, happens, sandbox, stream};
use crate::verify::verify;
use crate::{RebuiltView, audit_trail, rebuild};

const LONG: Duration = Duration::from_secs(20);

/// Ten clients to which three things happened each.
async fn some_history(log: &TestLog) -> Position {
    for number in 0..10 {
        log.client(client(number), created(&format!("Client {number}")).into_event()).await;
        for choice in 0..3 {
            log.client(client(number), happens(number * 7 + choice)).await;
        }
    }
    log.head().await
}

async fn followed(log: &TestLog, head: Position) -> Views {
    let views = Views::open(log.path(), log.shared()).unwrap();
    views.start().unwrap();
    assert!(views.wait_for(head, LONG).await, "the views do not arrive: {:?}", views.checkpoints());
    views
}

/// The digests of the live views, as a rebuild reports them.
fn rebuilt(log: &TestLog) -> Vec<(&'static str, bool, String)> {
    let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    let compared = |view: RebuiltView| {
        let comparison = view.comparison.unwrap();
        (view.name, comparison.is_equal(), comparison.before)
    };
    rebuilt.views.into_iter().map(compared).collect()
}

fn folder(log: &TestLog) -> PathBuf {
    log.path().join("views")
}

#[tokio::test]
async fn a_view_shows_what_was_committed_once_waited_for() {
    let log = TestLog::new();
    let views = followed(&log, Position::ORIGIN).await;
    let position = log.client(client(1), created("Matter sync").into_event()).await;
    assert!(views.wait_for(position, LONG).await);
    let row = views.read_point(|reader| clients::get(reader, client(1))).unwrap().unwrap();
    assert_eq!((row.position, row.revision.get()), (position, 1));
    assert_eq!(row.client.client_name, "Matter sync");
    assert_eq!(views.read(crate::Reader::position).await.unwrap(), position);
}

#[tokio::test]
async fn waiting_for_a_position_that_does_not_come_ends() {
    let log = TestLog::new();
    let views = followed(&log, Position::ORIGIN).await;
    assert!(!views.wait_for(Position::new(1), Duration::from_millis(1)).await);
}

#[tokio::test]
async fn a8_views_that_were_deleted_are_folded_again_to_the_same_digest() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    drop(followed(&log, head).await);
    let before = rebuilt(&log);
    assert!(before.iter().all(|(_, equal, _)| *equal), "{before:?}");

    fs::remove_dir_all(folder(&log)).unwrap();
    drop(followed(&log, head).await);
    assert_eq!(rebuilt(&log), before);
}

#[tokio::test]
async fn a8_a_damaged_file_is_folded_again() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    drop(followed(&log, head).await);
    let live = inspect(log.path()).unwrap().file;
    fs::write(&live, b"this is no database, however long one looks at it").unwrap();
    let views = followed(&log, head).await;
    assert_ne!(inspect(log.path()).unwrap().file, live);
    assert!(!live.exists());
    drop(views);
    assert!(rebuilt(&log).iter().all(|(_, equal, _)| *equal));
}

#[tokio::test]
async fn a8_a_pointer_to_nothing_is_no_error() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    fs::create_dir_all(folder(&log)).unwrap();
    for pointer in ["views-7.db", "", "../log.db", "views-x.db"] {
        fs::write(folder(&log).join("live"), pointer).unwrap();
        drop(followed(&log, head).await);
    }
}

#[tokio::test]
async fn views_of_another_schema_are_replaced() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    drop(followed(&log, head).await);
    let live = inspect(log.path()).unwrap().file;
    let file = rusqlite::Connection::open(&live).unwrap();
    file.execute("UPDATE meta SET schema_digest = 'of another binary'", []).unwrap();
    file.close().unwrap();
    assert_eq!(inspect(log.path()), None);
    drop(followed(&log, head).await);
    assert_ne!(inspect(log.path()).unwrap().file, live);
}

#[tokio::test]
async fn views_of_another_log_are_replaced() {
    let (log, other) = (TestLog::new(), TestLog::new());
    let head = some_history(&log).await;
    other.client(client(99), created("Elsewhere").into_event()).await;
    drop(followed(&other, other.head().await).await);
    fs::rename(folder(&other), folder(&log)).unwrap();
    drop(followed(&log, head).await);
    assert!(rebuilt(&log).iter().all(|(_, equal, _)| *equal));
}

#[tokio::test]
async fn views_ahead_of_a_restored_log_are_replaced() {
    let (log, restored) = (TestLog::new(), TestLog::new());
    let head = some_history(&log).await;
    drop(followed(&log, head).await);
    restored.client(client(0), created("Client 0").into_event()).await;
    fs::rename(folder(&log), folder(&restored)).unwrap();
    let views = followed(&restored, Position::new(1)).await;
    assert_eq!(views.read(crate::Reader::position).await.unwrap(), Position::new(1));
}

#[tokio::test]
async fn a9_an_event_that_a_view_cannot_apply_halts_it_visibly_and_alone() {
    let log = TestLog::new();
    let before = log.client(client(1), created("Matter sync").into_event()).await;
    let poison = log.record(Happening::poison(stream(client(1)))).await;
    let after = log.client(client(1), happens(0)).await;

    let views = Views::open(log.path(), log.shared()).unwrap();
    views.start().unwrap();
    assert!(!views.wait_for(after, LONG).await, "a halted view counts as behind");
    assert!(views.wait_for(before, LONG).await);
    let mut watched = views.watch();
    watched.wait_for(|views| views.iter().any(|view| view.position == after)).await.unwrap();

    let status = views.status().await.unwrap();
    let cause = "no event is called `client.turned_to_stone` in schema 1".to_owned();
    assert_eq!(
        status[..2],
        [
            ProjectionStatus {
                name: clients::NAME,
                position: before,
                head: after,
                state: ProjectionState::Halted(Halt { position: poison, cause }),
            },
            ProjectionStatus {
                name: audit_trail::NAME,
                position: after,
                head: after,
                state: ProjectionState::Following,
            },
        ]
    );
    assert_eq!(inspect(log.path()).unwrap().checkpoints, *views.checkpoints());
    let row = views.read_point(|reader| clients::get(reader, client(1))).unwrap().unwrap();
    assert_eq!(row.position, before, "what came before is shown, nothing beyond");
}

#[tokio::test]
async fn a9_a_halted_view_is_tried_again_by_a_restart_and_never_skips() {
    let log = TestLog::new();
    log.client(client(1), created("Matter sync").into_event()).await;
    let malformed =
        Happening::raw(stream(client(1)), "client.name_changed", 1, serde_json::json!({ "name": 7 }));
    let poison = log.record(malformed).await;
    for _ in 0..2 {
        let views = Views::open(log.path(), log.shared()).unwrap();
        views.start().unwrap();
        let halted = |views: &Arc<[Checkpoint]>| views[0].halt.clone().map(|halt| halt.position);
        let mut watched = views.watch();
        watched.wait_for(|views| views[1].position == poison && halted(views) == Some(poison)).await.unwrap();
        assert_eq!(views.checkpoints()[0].position.next(), poison);
    }
    let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    assert_eq!(rebuilt.views[0].halt.as_ref().map(|halt| halt.position), Some(poison));
    assert!(rebuilt.views[0].comparison.as_ref().unwrap().is_equal());
    assert_eq!(
        verify(&ViewsDirectory::of(log.path()), &*log.log, &|_| (), &mut |difference| panic!(
            "{difference:?}"
        ))
        .unwrap()[1]
            .checkpoint
            .position,
        poison
    );
}

#[tokio::test]
async fn what_a_crash_leaves_behind_is_gone_on_with() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    // The files as they are while the runner lives are what a loss of power leaves.
    let crashed = log.path().join("crashed");
    fs::create_dir(&crashed).unwrap();
    for file in fs::read_dir(folder(&log)).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), crashed.join(file.file_name())).unwrap();
    }
    let head = some_more(&log).await;
    drop(views);
    fs::remove_dir_all(folder(&log)).unwrap();
    fs::rename(&crashed, folder(&log)).unwrap();
    drop(followed(&log, head).await);
    assert!(rebuilt(&log).iter().all(|(_, equal, _)| *equal));
}

async fn some_more(log: &TestLog) -> Position {
    for number in 0..10 {
        log.client(client(number), happens(number + 30)).await;
    }
    log.head().await
}

#[tokio::test]
async fn stopping_and_starting_again_goes_on_in_the_same_file() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let file = inspect(log.path()).unwrap().file;
    views.stop();
    let head = some_more(&log).await;
    let status = views.status().await.unwrap();
    assert!(status.iter().all(|view| view.position < head && view.head == head));
    views.start().unwrap();
    assert!(views.wait_for(head, LONG).await);
    assert_eq!(inspect(log.path()).unwrap().file, file);
    let page = views
        .read(|reader| clients::list(reader, &sandbox(), &ListFilter::default(), None, 50))
        .await
        .unwrap();
    assert_eq!(page.items.len(), 10);
}

#[tokio::test]
async fn a_file_damaged_while_it_is_followed_is_replaced_without_a_restart() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let live = inspect(log.path()).unwrap().file;
    // Behind SQLite's back: the table's root is torn out.
    let vandal = rusqlite::Connection::open(&live).unwrap();
    vandal.execute_batch("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'clients'; PRAGMA schema_version = 99").unwrap();
    drop(vandal);
    let head = some_more(&log).await;
    assert!(views.wait_for(head, LONG).await, "{:?}", views.checkpoints());
    assert_ne!(inspect(log.path()).unwrap().file, live);
    drop(views);
    assert!(rebuilt(&log).iter().all(|(_, equal, _)| *equal));
}
