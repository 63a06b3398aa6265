use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use store::{
    AppendError, ClaimKey, Commit, Defect, Disclosure, DisclosureRef, Pages, Position, Receipt,
    RecordedCommand, Revision, ScannedEvent, SqliteLog, StreamName, TokenPage, Verified,
};
use uuid::Uuid;

use super::*;
use crate::clients;
use crate::error::QueryError;
use crate::file::inspect;
use crate::fold::Checkpoint;
use crate::testing::{IntoEvent as _, TestLog, client, created, happens};
use crate::views::{ProjectionState, Views};

const LONG: Duration = Duration::from_secs(20);

/// As many failures as this are one panic.
const PANIC: u32 = u32::MAX - 1;

/// A log whose pages are not what they should be: an event is missing, or the first reads fail.
struct Faulty {
    log: Arc<SqliteLog>,
    pages: Arc<FaultyPages>,
}

struct FaultyPages {
    log: Arc<SqliteLog>,
    missing: Option<Position>,
    failures: AtomicU32,
    head: watch::Sender<Position>,
}

#[async_trait]
impl Pages for FaultyPages {
    async fn page(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        assert!(self.failures.load(Ordering::SeqCst) != PANIC, "the log has lost its mind");
        let left = self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            return Err(ReadError::Unavailable(Arc::new(std::io::Error::other("the disk sleeps"))));
        }
        let mut page = self.log.read_all(after, limit).await?;
        page.retain(|event| Some(event.position) != self.missing);
        Ok(page)
    }
}

fn faulty(log: &TestLog, missing: Option<Position>, failures: u32) -> Arc<dyn EventLog> {
    let head = watch::Sender::new(Position::ORIGIN);
    let pages = FaultyPages { log: log.log.clone(), missing, failures: AtomicU32::new(failures), head };
    Arc::new(Faulty { log: log.log.clone(), pages: Arc::new(pages) })
}

#[async_trait]
impl EventLog for Faulty {
    fn subscribe(&self, after: Position) -> Subscription {
        Subscription::new(self.pages.clone(), self.pages.head.subscribe(), after)
    }

    async fn append(&self, commit: Commit) -> Result<Receipt, AppendError> {
        self.log.append(commit).await
    }
    async fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.log.read_stream(stream, after, limit).await
    }
    async fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, ReadError> {
        self.log.read_all(after, limit).await
    }
    fn scan(
        &self,
        after: Position,
        visit: &mut dyn FnMut(ScannedEvent<'_>) -> ControlFlow<()>,
    ) -> Result<Position, ReadError> {
        self.log.scan(after, visit)
    }
    async fn head(&self) -> Result<Position, ReadError> {
        self.log.head().await
    }
    async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, ReadError> {
        self.log.stream_revision(stream).await
    }
    async fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, ReadError> {
        self.log.streams(category, after, limit).await
    }
    async fn claim_holder(&self, key: &ClaimKey) -> Result<Option<StreamName>, ReadError> {
        self.log.claim_holder(key).await
    }
    fn claims(&self, visit: &mut dyn FnMut(ClaimKey, StreamName)) -> Result<(), ReadError> {
        self.log.claims(visit)
    }
    async fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError> {
        self.log.find_command(command_id).await
    }
    async fn credential_ids(&self) -> Result<Vec<String>, ReadError> {
        self.log.credential_ids().await
    }
    async fn leads(&self) -> bool {
        self.log.leads().await
    }
    async fn close(&self) {
        self.log.close().await;
    }
    async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.log.credential(id).await
    }
    async fn disclosures(&self, wanted: &[DisclosureRef]) -> Result<Vec<Disclosure>, ReadError> {
        self.log.disclosures(wanted).await
    }
    async fn last_event_key_slot(&self) -> Result<u64, ReadError> {
        self.log.last_event_key_slot().await
    }

    async fn positions_by_token(
        &self,
        token: &[u8; 16],
        page: TokenPage,
    ) -> Result<Vec<Position>, ReadError> {
        self.log.positions_by_token(token, page).await
    }

    async fn newest_persons(&self, most: usize) -> Result<Vec<Uuid>, ReadError> {
        self.log.newest_persons(most).await
    }
    fn now(&self) -> Timestamp {
        self.log.now()
    }
    fn write_probe(&self) -> store::WriteProbe {
        self.log.write_probe()
    }

    fn verify(
        &self,
        progress: &mut dyn FnMut(Position),
        report: &mut dyn FnMut(Defect),
    ) -> Result<Verified, ReadError> {
        self.log.verify(progress, report)
    }
}

async fn three_events(log: &TestLog) -> Position {
    log.client(client(1), created("Matter sync").into_event()).await;
    log.client(client(1), happens(0)).await;
    log.client(client(1), happens(1)).await
}

/// Takes the folder of the views away in one step, so that nothing of a new one goes with it.
fn delete_views(log: &TestLog) {
    let away = log.path().join("away");
    std::fs::rename(log.path().join("views"), &away).unwrap();
    std::fs::remove_dir_all(away).unwrap();
}

async fn shown(views: &Views, what: impl FnMut(&Arc<[Checkpoint]>) -> bool) {
    let mut watched = views.watch();
    let shown = tokio::time::timeout(LONG, watched.wait_for(what)).await;
    assert!(shown.is_ok(), "not shown: {:?}", views.checkpoints());
}

fn stalled(views: &Arc<[Checkpoint]>) -> bool {
    views.iter().all(|view| view.halt.is_some())
}

fn started(path: &Path, log: Arc<dyn EventLog>) -> Views {
    let views = Views::open(path, log).unwrap();
    views.start().unwrap();
    views
}

#[tokio::test]
async fn a_hole_in_the_log_halts_every_view_before_it() {
    let log = TestLog::new();
    three_events(&log).await;
    let views = started(log.path(), faulty(&log, Some(Position::new(2)), 0));
    let mut watched = views.watch();
    watched.wait_for(|views| views.iter().all(|view| view.halt.is_some())).await.unwrap();
    for view in views.checkpoints().iter() {
        let halt = view.halt.clone().unwrap();
        assert_eq!((view.position, halt.position), (Position::new(1), Position::new(2)));
        assert_eq!(halt.cause, "position 2 is missing, 3 follows");
    }
    assert!(!views.wait_for(Position::new(2), LONG).await);
    drop(views);

    let views = started(log.path(), log.shared());
    assert!(views.wait_for(Position::new(3), LONG).await, "a restart on a whole log goes on");
}

#[tokio::test]
async fn a_log_that_cannot_be_read_for_a_while_is_read_later() {
    let log = TestLog::new();
    let head = three_events(&log).await;
    let views = started(log.path(), faulty(&log, None, 3));
    assert!(views.wait_for(head, LONG).await);
}

#[tokio::test]
async fn a_view_can_be_stopped_while_the_log_cannot_be_read() {
    let log = TestLog::new();
    three_events(&log).await;
    let views = started(log.path(), faulty(&log, None, u32::MAX));
    assert!(!views.wait_for(Position::new(1), Duration::from_millis(20)).await);
    views.stop();
}

#[tokio::test]
async fn a_panic_shows_as_a_halt_and_a_restart_goes_on() {
    let log = TestLog::new();
    let head = three_events(&log).await;
    let views = started(log.path(), faulty(&log, None, PANIC));
    assert!(!views.wait_for(head, LONG).await);
    let status = views.status().await.unwrap();
    assert!(status.iter().all(|view| matches!(view.state, ProjectionState::Halted(_))), "{status:?}");
    drop(views);
    assert!(started(log.path(), log.shared()).wait_for(head, LONG).await);
}

#[tokio::test]
async fn a_page_that_reaches_into_a_hole_is_folded_up_to_it() {
    let log = TestLog::new();
    three_events(&log).await;
    log.lose(Position::new(3));
    log.client(client(2), created("Another").into_event()).await;
    for _ in 0..2 {
        let views = started(log.path(), log.shared());
        shown(&views, stalled).await;
        for view in views.checkpoints().iter() {
            let halt = view.halt.as_ref().unwrap();
            assert_eq!((view.position, halt.position), (Position::new(2), Position::new(3)), "{halt:?}");
        }
        let row = views.read_point(|reader| clients::get(reader, client(1))).unwrap().unwrap();
        assert_eq!(row.position, Position::new(2));
        drop(views);
        delete_views(&log);
    }
}

#[tokio::test]
async fn a8_views_deleted_while_they_are_followed_are_folded_again_when_something_happens() {
    let log = TestLog::new();
    let head = three_events(&log).await;
    let views = started(log.path(), log.shared());
    assert!(views.wait_for(head, LONG).await);
    delete_views(&log);
    let head = log.client(client(2), created("Another").into_event()).await;
    assert!(views.wait_for(head, LONG).await);
    assert_eq!(inspect(log.path()).unwrap().checkpoints, *views.checkpoints());
    for number in [1, 2] {
        assert!(views.read_point(|reader| clients::get(reader, client(number))).unwrap().is_some());
    }
}

#[tokio::test]
async fn a8_views_deleted_while_nothing_happens_are_folded_again() {
    let log = TestLog::new();
    let head = three_events(&log).await;
    let views = started(log.path(), log.shared());
    assert!(views.wait_for(head, LONG).await);
    for _ in 0..2 {
        let mut watched = views.watch();
        watched.borrow_and_update();
        delete_views(&log);
        assert!(tokio::time::timeout(LONG, watched.changed()).await.is_ok(), "nobody notices");
        assert!(views.wait_for(head, LONG).await);
        assert_eq!(inspect(log.path()).unwrap().checkpoints, *views.checkpoints());
    }
    assert!(views.read_point(|reader| clients::get(reader, client(1))).unwrap().is_some());
}

#[tokio::test]
async fn a8_halted_views_that_were_deleted_are_folded_again() {
    let log = TestLog::new();
    three_events(&log).await;
    let views = started(log.path(), faulty(&log, Some(Position::new(2)), 0));
    shown(&views, stalled).await;
    let mut watched = views.watch();
    delete_views(&log);
    assert!(tokio::time::timeout(LONG, watched.changed()).await.is_ok(), "nobody notices");
    shown(&views, stalled).await;
    assert_eq!(inspect(log.path()).unwrap().checkpoints, *views.checkpoints());
}

#[tokio::test]
async fn a8_what_is_open_goes_on_answering_until_the_new_file_has_as_much() {
    let log = TestLog::new();
    let head = three_events(&log).await;
    let (sender, pages) = (watch::Sender::new(Position::ORIGIN), log.log.clone());
    let pages =
        Arc::new(FaultyPages { log: pages, missing: None, failures: AtomicU32::new(0), head: sender });
    let views = started(log.path(), Arc::new(Faulty { log: log.log.clone(), pages: pages.clone() }));
    assert!(views.wait_for(head, LONG).await);
    let read = |views: &Views| views.read_point(|reader| clients::get(reader, client(1)));
    assert!(read(&views).unwrap().is_some());

    pages.failures.store(PANIC - 1, Ordering::SeqCst);
    delete_views(&log);
    shown(&views, |views| views.iter().all(|view| view.position == Position::ORIGIN)).await;
    assert_eq!(read(&views).unwrap().unwrap().position, head, "the file that was deleted still answers");
    pages.failures.store(0, Ordering::SeqCst);
    assert!(views.wait_for(head, LONG).await);
    assert_eq!(read(&views).unwrap().unwrap().position, head);
}

#[tokio::test]
async fn views_that_were_deleted_and_are_not_open_are_no_damage() {
    let log = TestLog::new();
    let views = Views::open(log.path(), log.shared()).unwrap();
    delete_views(&log);
    let read = views.read_point(|reader| clients::get(reader, client(1)));
    assert!(matches!(read, Err(QueryError::Unopened(_))), "{read:?}");
    let head = three_events(&log).await;
    views.start().unwrap();
    assert!(views.wait_for(head, LONG).await);
    assert!(views.read_point(|reader| clients::get(reader, client(1))).unwrap().is_some());
}

#[tokio::test]
async fn views_that_cannot_be_created_show_as_halted_until_they_can() {
    let log = TestLog::new();
    let head = three_events(&log).await;
    let views = started(log.path(), log.shared());
    assert!(views.wait_for(head, LONG).await);
    let folder = log.path().join("views");
    std::fs::rename(&folder, log.path().join("away")).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    shown(&views, stalled).await;
    let status = views.status().await.unwrap();
    assert!(status.iter().all(|view| matches!(view.state, ProjectionState::Halted(_))), "{status:?}");

    std::fs::remove_file(&folder).unwrap();
    shown(&views, |views| views.iter().all(|view| view.halt.is_none() && view.position == head)).await;
}

#[tokio::test]
async fn views_that_cannot_be_written_show_as_halted_until_they_can() {
    let log = TestLog::new();
    let head = three_events(&log).await;
    let views = started(log.path(), log.shared());
    assert!(views.wait_for(head, LONG).await);
    let other = rusqlite::Connection::open(inspect(log.path()).unwrap().file).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON checkpoint BEGIN SELECT RAISE(FAIL, 'no room'); END";
    other.execute_batch(refuse).unwrap();
    let next = log.client(client(1), happens(2)).await;
    shown(&views, stalled).await;
    assert!(!views.wait_for(next, LONG).await);
    let views_now = views.checkpoints();
    let halt = views_now[0].halt.as_ref().unwrap();
    assert_eq!(views_now[0].position, head);
    assert!(halt.cause.starts_with("writing views: no room"), "{halt:?}");

    other.execute_batch("DROP TRIGGER refuse").unwrap();
    shown(&views, |views| views.iter().all(|view| view.halt.is_none() && view.position == next)).await;
}
