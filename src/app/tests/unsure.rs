//! A log that does not answer as it should.

use super::*;

/// A log whose next appends are done, or not, and answered as if nobody knew.
pub(super) struct Unsure {
    pub(super) log: Arc<SqliteLog>,
    pub(super) next: Mutex<Vec<bool>>,
    /// What somebody else does right before the next append.
    pub(super) meanwhile: Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    /// How often it was asked where it ends.
    pub(super) looks: AtomicU64,
}

#[async_trait::async_trait]
impl EventLog for Unsure {
    async fn append(&self, commit: store::Commit) -> Result<store::Receipt, store::AppendError> {
        let meanwhile = self.meanwhile.lock().expect("a lock").take();
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        let done = self.next.lock().expect("a lock").pop();
        if done != Some(false) {
            let receipt = self.log.append(commit).await?;
            if done.is_none() {
                return Ok(receipt);
            }
        }
        let source = Arc::new(std::io::Error::other("the answer was lost"));
        Err(store::AppendError::Unavailable { outcome_unknown: true, source })
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        after: Revision,
        limit: usize,
    ) -> Result<Vec<store::RecordedEvent>, store::ReadError> {
        self.log.read_stream(stream, after, limit).await
    }

    async fn read_all(
        &self,
        after: Position,
        limit: usize,
    ) -> Result<Vec<store::RecordedEvent>, store::ReadError> {
        self.log.read_all(after, limit).await
    }

    fn scan(
        &self,
        after: Position,
        visit: &mut dyn FnMut(store::ScannedEvent<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<Position, store::ReadError> {
        self.log.scan(after, visit)
    }

    async fn head(&self) -> Result<Position, store::ReadError> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.log.head().await
    }

    async fn stream_revision(&self, stream: &StreamName) -> Result<Revision, store::ReadError> {
        self.log.stream_revision(stream).await
    }

    async fn credential_ids(&self) -> Result<Vec<String>, store::ReadError> {
        self.log.credential_ids().await
    }

    async fn leads(&self) -> bool {
        self.log.leads().await
    }

    async fn close(&self) {
        self.log.close().await;
    }

    fn claims(&self, visit: &mut dyn FnMut(store::ClaimKey, StreamName)) -> Result<(), store::ReadError> {
        self.log.claims(visit)
    }

    async fn streams(
        &self,
        category: &str,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamName>, store::ReadError> {
        self.log.streams(category, after, limit).await
    }

    async fn claim_holder(&self, key: &store::ClaimKey) -> Result<Option<StreamName>, store::ReadError> {
        self.log.claim_holder(key).await
    }

    async fn find_command(
        &self,
        command_id: Uuid,
    ) -> Result<Option<store::RecordedCommand>, store::ReadError> {
        self.log.find_command(command_id).await
    }

    async fn credential(&self, id: &str) -> Result<Option<Vec<u8>>, store::ReadError> {
        self.log.credential(id).await
    }

    async fn disclosures(
        &self,
        wanted: &[store::DisclosureRef],
    ) -> Result<Vec<store::Disclosure>, store::ReadError> {
        self.log.disclosures(wanted).await
    }

    async fn last_event_key_slot(&self) -> Result<u64, store::ReadError> {
        self.log.last_event_key_slot().await
    }

    async fn positions_by_token(
        &self,
        token: &[u8; 16],
        page: TokenPage,
    ) -> Result<Vec<Position>, store::ReadError> {
        self.log.positions_by_token(token, page).await
    }

    async fn newest_persons(&self, most: usize) -> Result<Vec<Uuid>, store::ReadError> {
        self.log.newest_persons(most).await
    }

    fn subscribe(&self, after: Position) -> store::Subscription {
        self.log.subscribe(after)
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
        report: &mut dyn FnMut(store::Defect),
    ) -> Result<store::Verified, store::ReadError> {
        self.log.verify(progress, report)
    }
}
