use std::path::PathBuf;
use std::sync::mpsc as blocking;

use super::*;
use crate::clients::{self, ListFilter};
use crate::file::{ViewsDirectory, inspect};
use crate::testing::{Happening, IntoEvent as _, TestLog, client, created, happens, sandbox, stream};
use crate::verify::verify;
use crate::{QueryError, Reader};

const LONG: Duration = Duration::from_secs(20);

async fn some_history(log: &TestLog) -> Position {
    for number in 0..10 {
        log.client(client(number), created(&format!("Client {number}")).into_event()).await;
        log.client(client(number), happens(number)).await;
    }
    log.head().await
}

async fn followed(log: &TestLog, head: Position) -> Arc<Views> {
    let views = Arc::new(Views::open(log.path(), log.shared()).unwrap());
    views.start().unwrap();
    assert!(views.wait_for(head, LONG).await, "the views do not arrive: {:?}", views.checkpoints());
    views
}

fn live(log: &TestLog) -> PathBuf {
    inspect(log.path()).unwrap().file
}

/// The views files, without what SQLite keeps beside them.
fn files(log: &TestLog) -> Vec<String> {
    let names = std::fs::read_dir(log.path().join("views")).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<_> = names.filter(|name| name.ends_with(".db")).collect();
    files.sort();
    files
}

fn count(reader: &Reader) -> Result<usize, QueryError> {
    Ok(clients::list(reader, &sandbox(), &ListFilter::default(), None, 500)?.items.len())
}

#[tokio::test]
async fn a8_a_rebuild_beside_the_live_views_gives_the_same_digests_and_is_followed_on() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let old = live(&log);
    let rebuilt = views.rebuild().await.unwrap();
    assert_eq!(rebuilt.events, head.get());
    for view in &rebuilt.views {
        let compared = view.comparison.as_ref().unwrap();
        assert!(compared.is_equal() && compared.position == head, "{view:?}");
    }
    assert_eq!((live(&log), views.rebuild_progress()), (rebuilt.file.clone(), None));
    assert_ne!(rebuilt.file, old);
    assert_eq!(files(&log), [rebuilt.file.file_name().unwrap().to_str().unwrap()]);

    let position = log.client(client(99), created("Afterwards").into_event()).await;
    assert!(views.wait_for(position, LONG).await);
    assert_eq!(views.read(count).await.unwrap(), 11);
    views.stop();
    verify(&ViewsDirectory::of(log.path()), &*log.log, &|_| (), &mut |difference| panic!("{difference:?}"))
        .unwrap();
}

#[tokio::test]
async fn a8_a_row_that_is_not_what_the_log_says_is_named_and_the_fold_of_the_log_wins() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let vandal = rusqlite::Connection::open(live(&log)).unwrap();
    let forged = client(3).to_string();
    vandal.execute("UPDATE clients SET status = 'deleted' WHERE client_id = ?1", [&forged]).unwrap();
    drop(vandal);
    let rebuilt = views.rebuild().await.unwrap();
    let compared = rebuilt.views[0].comparison.as_ref().unwrap();
    assert!(!compared.is_equal());
    let rows: Vec<_> = compared.differences.iter().map(|row| (row.table, row.key.as_str())).collect();
    assert_eq!((rows, compared.differing_rows), (vec![("clients", forged.as_str())], 1));
    assert_eq!(views.read(count).await.unwrap(), 10);
    assert!(views.rebuild().await.unwrap().views[0].comparison.as_ref().unwrap().is_equal());
}

#[tokio::test]
async fn a8_one_rebuild_at_a_time_says_how_far_it_is() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let turn = views.rebuilding().begin(head).unwrap();
    assert!(turn.0.goes_on(Position::new(7)));
    assert_eq!(views.rebuild_progress(), Some(RebuildProgress { folded: Position::new(7), head }));
    assert!(matches!(views.rebuild().await, Err(RebuildError::Running)));
    drop(turn);
    views.rebuild().await.unwrap();
}

#[tokio::test]
async fn a8_without_anybody_who_follows_or_once_given_up_nothing_is_left_of_a_rebuild() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let before = files(&log);
    let given_up = Beside::fold(views.directory(), &*log.log, 10, &|position| position < Position::new(5));
    assert!(matches!(given_up.map(|_| ()), Err(crate::ViewsError::GivenUp)));
    assert_eq!(files(&log), before);
    views.stop();
    assert!(matches!(views.rebuild().await, Err(RebuildError::NotFollowed)));
    assert_eq!(files(&log), before);
}

#[tokio::test]
async fn a8_what_nobody_waits_for_any_more_never_goes_live_and_what_was_begun_is_waited_for() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let before = files(&log);
    let beside = Beside::fold(views.directory(), &*log.log, 10, &|_| true).unwrap();
    // Somebody follows, but does not look in time.
    let (late, mut not_looked_at) = mpsc::channel(1);
    let told = hand_over(&late, &beside.file, Duration::from_millis(1)).await;
    assert!(matches!(told, Err(RebuildError::NotFollowed)));
    views.handovers().unwrap().send(not_looked_at.recv().await.unwrap()).await.unwrap();
    drop(beside);
    let position = log.client(client(99), created("Afterwards").into_event()).await;
    assert!(views.wait_for(position, LONG).await);
    views.stop();
    assert_eq!(files(&log), before, "whoever asked was told that nothing changes");

    let (slow, mut looked_at) = mpsc::channel(1);
    let file = Arc::new(ViewsFile::new(log.path().join("any")));
    let other_side = async {
        let Handover { decided, done, .. } = looked_at.recv().await.unwrap();
        assert!(!decided.swap(true, Ordering::AcqRel));
        tokio::time::sleep(Duration::from_millis(20)).await;
        done.send(Ok(())).unwrap();
    };
    let (told, ()) = tokio::join!(hand_over(&slow, &file, Duration::from_millis(5)), other_side);
    told.unwrap();
}

#[tokio::test]
async fn a8_a_read_that_began_on_the_old_file_ends_on_it() {
    let log = TestLog::new();
    let head = some_history(&log).await;
    let views = followed(&log, head).await;
    let old = live(&log);
    let (begun, wait_until_begun) = oneshot::channel();
    let (go_on, wait) = blocking::channel();
    let reading = Arc::clone(&views);
    let mut slow = tokio::task::JoinSet::new();
    slow.spawn(async move {
        let query = move |reader: &Reader| {
            begun.send(()).unwrap();
            wait.recv().unwrap();
            count(reader)
        };
        reading.read(query).await
    });
    wait_until_begun.await.unwrap();
    views.rebuild().await.unwrap();
    assert!(old.exists() && live(&log) != old);
    go_on.send(()).unwrap();
    assert_eq!(slow.join_next().await.unwrap().unwrap().unwrap(), 10);
    assert!(!old.exists(), "nobody reads it any more");
}

#[tokio::test]
async fn a8_a_view_that_would_go_back_is_not_taken_over() {
    let log = TestLog::new();
    log.client(client(1), created("Matter sync").into_event()).await;
    let poison = log.record(Happening::poison(stream(client(1)))).await;
    let views = Views::open(log.path(), log.shared()).unwrap();
    views.start().unwrap();
    let mut watched = views.watch();
    watched
        .wait_for(|views| views.iter().all(|view| view.position == poison || view.halt.is_some()))
        .await
        .unwrap();
    views.stop();
    // What a newer binary, which knows the event, would have left behind.
    let newer = rusqlite::Connection::open(live(&log)).unwrap();
    newer
        .execute("UPDATE checkpoint SET position = ?1, halted_at = NULL, cause = NULL", [poison.get()])
        .unwrap();
    drop((newer, views));
    let views = followed(&log, poison).await;
    let before = files(&log);
    match views.rebuild().await {
        Err(RebuildError::HaltsEarlier { view, position, cause }) => {
            assert_eq!((view, position.next()), (clients::NAME, poison));
            assert!(cause.contains("client.turned_to_stone"), "{cause}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(files(&log), before);
    assert!(views.checkpoints().iter().all(|view| view.position == poison));
}
