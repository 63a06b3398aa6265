use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use store::{
    AppendError, ClaimKey, Commit, Defect, Disclosure, DisclosureRef, Pages, Position, Receipt,
    RecordedCommand, Revision, ScannedEvent, SqliteLog, StreamName, Verified,
};
use uuid::Uuid;

use super::*;
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
    async fn claim_holder(&self, key: &ClaimKey) -> Result<Option<StreamName>, ReadError> {
        self.log.claim_holder(key).await
    }
    async fn find_command(&self, command_id: Uuid) -> Result<Option<RecordedCommand>, ReadError> {
        self.log.find_command(command_id).await
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
    fn now(&self) -> Timestamp {
        self.log.now()
    }
    fn verify(&self, report: &mut dyn FnMut(Defect)) -> Result<Verified, ReadError> {
        self.log.verify(report)
    }
}

async fn three_events(log: &TestLog) -> Position {
    log.client(client(1), created("Matter sync").into_event()).await;
    log.client(client(1), happens(0)).await;
    log.client(client(1), happens(1)).await
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
        assert_eq!((view.position, halt.position), (Position::ORIGIN, Position::new(1)));
        assert_eq!(halt.cause, "position 2 is missing, 3 follows");
    }
    assert!(!views.wait_for(Position::new(1), LONG).await);
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
