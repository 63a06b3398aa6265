//! The activity log in Postgres: a head and a writer of its own, beside the log's.

mod reader;
mod recording;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use self::recording::Recording;
use super::database::PostgresDatabase;
use super::error::PostgresError;
use super::thread::Writer;
use crate::activity::request::{self, Asked, Request};
use crate::activity::{
    ActivityCommit, ActivityError, ActivityFilter, ActivityLog, ActivityPage, ActivityUnavailable,
    ClosedSegment, KeptVoucher, RecordedActivity, SegmentNumber, VerifiedDigest,
};
use crate::clock::Clock;
use crate::error::ReadError;
use crate::position::Position;

/// The activity log of a database, which any number of nodes may share.
pub struct PostgresActivity {
    database: PostgresDatabase,
    writer: Writer<Request>,
}

impl PostgresActivity {
    /// Opens the activity log of a database, and starts its writer.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn open(database: &PostgresDatabase, clock: Arc<dyn Clock>) -> Result<Self, PostgresError> {
        let writer = Writer::start("activity", Recording { database: database.clone(), clock })?;
        Ok(Self { database: database.clone(), writer })
    }
}

#[async_trait]
impl ActivityLog for PostgresActivity {
    async fn append(&self, commit: ActivityCommit) -> Result<Position, ActivityError> {
        request::ask(&self.writer.queue, Asked::Record(commit)).await
    }

    async fn voucher(&self, kind: &'static str, id: &str) -> Result<Option<KeptVoucher>, ReadError> {
        reader::voucher(&self.database, kind, id).await
    }

    async fn counted(&self, key: &str) -> Result<u64, ReadError> {
        reader::counted(&self.database, key).await
    }

    async fn forget_vouchers(&self, ended_before: Timestamp) -> Result<(), ActivityUnavailable> {
        request::ask_plain(&self.writer.queue, Asked::Forget(ended_before)).await.map(drop)
    }

    fn keep_digest(&self, digest: VerifiedDigest) {
        request::keep_digest(&self.writer.queue, digest);
    }

    async fn digest(&self, credential: &str) -> Result<Option<Vec<u8>>, ReadError> {
        reader::digest(&self.database, credential).await
    }

    async fn head(&self) -> Result<Position, ReadError> {
        reader::head(&self.database).await
    }

    async fn read(
        &self,
        filter: &ActivityFilter,
        page: ActivityPage,
    ) -> Result<Vec<RecordedActivity>, ReadError> {
        reader::read(&self.database, filter, page).await
    }

    async fn last_used(&self, credentials: &[String]) -> Result<HashMap<String, Timestamp>, ReadError> {
        let by = "SELECT credential, at FROM last_used WHERE credential = ANY ($1)";
        reader::last_used(&self.database, by, credentials).await
    }

    async fn last_used_by(&self, clients: &[String]) -> Result<HashMap<String, Timestamp>, ReadError> {
        let by = "SELECT client, max(at) FROM last_used WHERE client = ANY ($1) GROUP BY client";
        reader::last_used(&self.database, by, clients).await
    }

    async fn segment_to_close(
        &self,
        now: Timestamp,
    ) -> Result<Option<(SegmentNumber, Position, Position)>, ReadError> {
        reader::segment_to_close(&self.database, now).await
    }

    async fn close_segment(&self, segment: ClosedSegment) -> Result<(), ActivityUnavailable> {
        request::ask_plain(&self.writer.queue, Asked::Close(segment)).await.map(drop)
    }

    async fn close(&self) {
        self.writer.close().await;
    }

    async fn closed_segments(
        &self,
        after: Option<SegmentNumber>,
        limit: usize,
    ) -> Result<Vec<ClosedSegment>, ReadError> {
        reader::closed_segments(&self.database, after, limit).await
    }
}
