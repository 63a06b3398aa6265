//! The activity log in `activity.db`: one file, one writer, group commit. The days' segments are ranges of positions in
//! one table, because what was last used stands in the same commit as the use.

mod reader;
mod seldom;
mod session;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use self::seldom::Seldom;
use self::session::Tail;
use self::writer::Recording;
use super::pool::Pool;
use super::reader::read_error;
use super::schema::ACTIVITY;
use super::writer::{Writer, open_index};
use super::{DataDirectory, OpenedToRead};
use crate::activity::request::{self, Asked, Request};
use crate::activity::{
    ActivityCommit, ActivityError, ActivityFilter, ActivityLog, ActivityPage, ActivityUnavailable,
    ClosedSegment, KeptVoucher, RecordedActivity, SegmentNumber, VerifiedDigest,
};
use crate::clock::Clock;
use crate::error::{OpenError, ReadError};
use crate::position::Position;

/// The activity log in `activity.db`.
///
/// Reads run on the caller's thread; records are written by one thread of the log's own. Opened from a read-only directory
/// it refuses records, and finds what another process records at the next read.
pub struct SqliteActivity {
    pool: Pool,
    shared: Arc<Shared>,
    writer: Option<Writer<Request>>,
    /// Keeps the lock for as long as the file is open.
    _directory: DataDirectory,
}

/// What the writer tells everybody.
struct Shared {
    clock: Arc<dyn Clock>,
    head: AtomicU64,
    seldom: Seldom,
    #[cfg(test)]
    faults: super::fault::Faults,
}

impl SqliteActivity {
    /// Opens the activity log of a directory, and starts its writer unless the directory was opened to read.
    ///
    /// # Errors
    /// When the file cannot be opened, or the newest record cannot be read.
    pub fn open(directory: &DataDirectory, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let file = directory.activity();
        let index = if directory.is_read_only() { None } else { Some(open_index(&ACTIVITY, &file)?) };
        let pool = Pool::open(&ACTIVITY, file.clone())?;
        let tail = pool.with(|connection| Tail::read(connection).map_err(read_error))?;
        let shared = Arc::new(Shared {
            clock,
            head: AtomicU64::new(tail.head.get()),
            seldom: Seldom::default(),
            #[cfg(test)]
            faults: super::fault::Faults::default(),
        });
        let start =
            |index| Writer::start("activity", &ACTIVITY, &file, index, Recording(Arc::clone(&shared)));
        let writer = index.map(start).transpose()?;
        Ok(Self { pool, shared, writer, _directory: directory.clone() })
    }

    fn writer(&self) -> Result<&Writer<Request>, ActivityUnavailable> {
        self.writer.as_ref().ok_or_else(|| ActivityUnavailable(Arc::new(OpenedToRead)))
    }
}

#[async_trait]
impl ActivityLog for SqliteActivity {
    async fn append(&self, commit: ActivityCommit) -> Result<Position, ActivityError> {
        request::ask(&self.writer()?.queue, Asked::Record(commit)).await
    }

    async fn voucher(&self, kind: &'static str, id: &str) -> Result<Option<KeptVoucher>, ReadError> {
        self.pool.with(|connection| reader::voucher(connection, kind, id).map_err(read_error))
    }

    async fn has_voucher(&self, kind: &'static str, id: &str) -> Result<bool, ReadError> {
        let ids = |most| {
            self.pool.with(|connection| reader::voucher_ids(connection, kind, most).map_err(read_error))
        };
        // Another process's vouchers are known to the file alone.
        let can_be = self.writer.is_none() || self.shared.seldom.can_be(kind, id, ids)?;
        Ok(can_be && self.voucher(kind, id).await?.is_some())
    }

    async fn counted(&self, key: &str) -> Result<u64, ReadError> {
        let counted = self.pool.with(|connection| reader::counted(connection, key).map_err(read_error))?;
        Ok(counted.map_or(0, |counted| counted.count))
    }

    async fn forget_vouchers(&self, ended_before: Timestamp) -> Result<(), ActivityUnavailable> {
        request::ask_plain(&self.writer()?.queue, Asked::Forget(ended_before)).await.map(drop)
    }

    fn keep_digest(&self, digest: VerifiedDigest) {
        if let Some(writer) = &self.writer {
            request::keep_digest(&writer.queue, digest);
        }
    }

    async fn digest(&self, credential: &str) -> Result<Option<Vec<u8>>, ReadError> {
        self.pool.with(|connection| {
            connection
                .prepare_cached("SELECT digest FROM verified WHERE credential = ?1")
                .and_then(|mut statement| statement.query_row([credential], |row| row.get(0)).optional())
                .map_err(read_error)
        })
    }

    async fn head(&self) -> Result<Position, ReadError> {
        if self.writer.is_none() {
            return self.pool.with(|connection| Ok(Tail::read(connection).map_err(read_error)?.head));
        }
        Ok(Position::new(self.shared.head.load(Ordering::Acquire)))
    }

    async fn read(
        &self,
        filter: &ActivityFilter,
        page: ActivityPage,
    ) -> Result<Vec<RecordedActivity>, ReadError> {
        self.pool.with(|connection| reader::read(connection, filter, page).map_err(read_error))
    }

    async fn last_used(&self, credentials: &[String]) -> Result<HashMap<String, Timestamp>, ReadError> {
        let by = "SELECT credential, at FROM last_used WHERE credential IN (SELECT value FROM json_each(?1))";
        self.pool.with(|connection| reader::last_used(connection, by, credentials).map_err(read_error))
    }

    async fn last_used_by(&self, clients: &[String]) -> Result<HashMap<String, Timestamp>, ReadError> {
        let by = "SELECT client, max(at) FROM last_used
                  WHERE client IN (SELECT value FROM json_each(?1)) GROUP BY client";
        self.pool.with(|connection| reader::last_used(connection, by, clients).map_err(read_error))
    }

    async fn segment_to_close(
        &self,
        now: Timestamp,
    ) -> Result<Option<(SegmentNumber, Position, Position)>, ReadError> {
        self.pool.with(|connection| reader::segment_to_close(connection, now).map_err(read_error))
    }

    async fn close_segment(&self, segment: ClosedSegment) -> Result<(), ActivityUnavailable> {
        request::ask_plain(&self.writer()?.queue, Asked::Close(segment)).await.map(drop)
    }

    /// Also removes the write-ahead log.
    async fn close(&self) {
        if let Some(writer) = &self.writer {
            writer.close().await;
            self.pool.settle();
        }
    }

    async fn closed_segments(
        &self,
        after: Option<SegmentNumber>,
        limit: usize,
    ) -> Result<Vec<ClosedSegment>, ReadError> {
        self.pool.with(|connection| reader::closed_segments(connection, after, limit).map_err(read_error))
    }
}
