//! The suite on a server in memory, and what only a server and two files can get wrong.

mod faults;
mod files;
mod nodes;
mod shared;

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::commit::{ClaimChange, LookupToken};
use crate::conformance::Fixture;
use crate::conformance::sample::{command_id, credential, key, one, stream};
use crate::testing::MemoryEngine;

struct RemoteFixture {
    directory: TempDir,
    data: DataDirectory,
    clock: Arc<ManualClock>,
    engine: Arc<MemoryEngine>,
    opened: Option<Arc<RemoteLog>>,
}

impl RemoteFixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data = DataDirectory::open_companion(&directory.path().join("data")).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        Self { directory, data, clock, engine: Arc::default(), opened: None }
    }

    fn open_remote(&self) -> Arc<RemoteLog> {
        Arc::new(self.try_open().unwrap())
    }

    fn try_open(&self) -> Result<RemoteLog, OpenError> {
        let (engine, clock) = (Arc::clone(&self.engine) as _, Arc::clone(&self.clock) as _);
        RemoteLog::open(&self.data, engine, clock)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }

    /// How many batches are staged.
    fn staged(&self) -> usize {
        staged::all(&COMPANION.open_to_read(&self.file("companion.db")).unwrap()).unwrap().len()
    }
}

#[async_trait]
impl Fixture for RemoteFixture {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
        let log = self.open_remote();
        self.opened = Some(Arc::clone(&log));
        log
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

crate::conformance_suite!(RemoteFixture::new());
/// A commit that changes all there is beside its entry.
fn whole(command: u64) -> Commit {
    let name = format!("s{command}");
    Commit {
        claims: vec![ClaimChange::Take { key: key(&name), stream: stream("a") }],
        credentials: vec![credential(&name)],
        lookup_tokens: vec![LookupToken { token: [7; 16], person: Some(Uuid::from_u128(7)) }],
        ..one(command, "a")
    }
}

/// Fails unless the whole commit is there, at one position only.
async fn expect_whole(log: &RemoteLog, command: u64, position: u64) {
    let name = format!("s{command}");
    let position = Position::new(position);
    let recorded = log.find_command(command_id(command)).await.unwrap();
    assert_eq!(recorded, Some(RecordedCommand { first_position: position, position }));
    assert_eq!(log.claim_holder(&key(&name)).await.unwrap(), Some(stream("a")));
    assert_eq!(log.credential(&name).await.unwrap(), Some(format!("sealed {name}").into_bytes()));
}

/// Fails unless there is no trace of the whole commit.
async fn expect_nothing(log: &RemoteLog, command: u64) {
    let name = format!("s{command}");
    assert_eq!(log.find_command(command_id(command)).await.unwrap(), None);
    assert_eq!(log.claim_holder(&key(&name)).await.unwrap(), None);
    assert_eq!(log.credential(&name).await.unwrap(), None);
}

/// Waits until nothing is in doubt any more.
async fn settled(log: &RemoteLog) {
    while log.head().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn is_unknown(error: &AppendError) -> bool {
    matches!(error, AppendError::Unavailable { outcome_unknown: true, .. })
}
