//! The one thread that writes: group commit.
//!
//! All commits that wait at one moment share a transaction, each with its own checks; while one transaction becomes
//! durable the next ones gather. Nobody waits for company: a commit alone is written at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::Shared;
use super::checkpoint::{Checkpointer, checkpoint};
use super::queue::{Queue, Request};
use super::schema::LOG;
use super::session::{Moment, Session, Staged};
use crate::error::{AppendError, Cause};

/// A page of the database, to estimate how many the write-ahead log grew by.
const PAGE: usize = 4_096;

/// A transaction touches so many pages beside those of its entries.
const PAGES_OF_A_TRANSACTION: usize = 3;

/// A file that cannot be opened is tried again after so long even if nobody writes: readers wait for its head.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// How serving ended.
enum End {
    Closed,
    /// The database failed or the writer has a fault: what it knew of the database is void.
    Broken,
}

pub(super) struct Writer {
    pub(super) log: PathBuf,
    pub(super) queue: Arc<Queue>,
    pub(super) shared: Arc<Shared>,
    pub(super) checkpointer: Checkpointer,
    /// See [`super::open_index`].
    pub(super) _index: Connection,
}

impl Writer {
    /// Serves until the queue is closed and empty, beginning anew on a new connection after each failure.
    pub(super) fn run(mut self) {
        let _close_at_the_end = CloseOnDrop(Arc::clone(&self.queue));
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.serve())) {
                Ok(Ok(End::Closed)) => return,
                Ok(Ok(End::Broken)) => {}
                Ok(Err(cause)) => {
                    tracing::error!(error = %cause, "opening the log to write");
                    if !self.refuse_waiting(&cause) {
                        return;
                    }
                }
                Err(_) => tracing::error!("the writer of the log panicked and begins anew"),
            }
        }
    }

    fn serve(&mut self) -> Result<End, Cause> {
        let connection = LOG.open_to_write(&self.log).map_err(|error| Arc::new(error) as Cause)?;
        #[cfg(test)]
        self.shared.faults.strike_anew(&connection);
        if self.shared.is_in_doubt() {
            settle(&connection).map_err(|error| Arc::new(error) as Cause)?;
        }
        let mut session = Session::start(&connection).map_err(|error| Arc::new(error) as Cause)?;
        self.shared.heads.forget();
        self.shared.publish(session.tail());
        let mut batch = Vec::new();
        while self.queue.take(&mut batch) {
            if !self.commit(&mut session, &mut batch) {
                return Ok(End::Broken);
            }
        }
        checkpoint(&connection, "TRUNCATE");
        Ok(End::Closed)
    }

    /// Writes and answers a batch; `false` if the database failed.
    fn commit(&mut self, session: &mut Session<'_>, batch: &mut Vec<Request>) -> bool {
        let _doubt = DoubtInPanic(&self.shared);
        #[cfg(test)]
        self.shared.faults.strike(session.connection());
        let moment = Moment::new(self.shared.clock.now());
        let staged = match stage_all(session, batch, &moment) {
            Ok(staged) => staged,
            Err(cause) => {
                // No COMMIT was tried: nothing of it can ever be found.
                refuse_all(batch, &cause, false);
                return false;
            }
        };
        // Even without an accepted commit the transaction ends here; it then holds nothing and costs no fsync.
        if let Err(error) = session.commit() {
            let outcome_unknown = may_come_back(&error);
            if outcome_unknown {
                self.shared.doubt();
            }
            let head = *self.shared.head.borrow();
            let source: Cause = Arc::new(error);
            tracing::error!(error = %source, commits = batch.len(), "committing to the log");
            for (request, staged) in batch.drain(..).zip(staged) {
                let outcome_unknown = match staged {
                    // What was there before the batch is there after it.
                    Err(AppendError::DuplicateCommand(recorded)) if recorded.position <= head => {
                        request.answer(Err(AppendError::DuplicateCommand(recorded)));
                        continue;
                    }
                    Ok(_) | Err(AppendError::DuplicateCommand(_)) => outcome_unknown,
                    Err(_) => false,
                };
                let answer = AppendError::Unavailable { outcome_unknown, source: Arc::clone(&source) };
                request.answer(Err(answer));
            }
            return false;
        }
        // Before the head: whoever sees the new head must find every stream where it is at that head.
        self.shared.heads.moved(session.take_moved());
        self.shared.publish(session.tail());
        let commits = batch.len();
        for (request, staged) in batch.drain(..).zip(staged) {
            request.answer(staged);
        }
        let pages = PAGES_OF_A_TRANSACTION + commits + session.take_entry_bytes() / PAGE;
        self.checkpointer.committed(pages, session.connection());
        true
    }

    /// Answers what comes with why the log cannot be opened, for as long as it takes until the next attempt; `false`
    /// once the queue is closed and empty.
    fn refuse_waiting(&self, cause: &Cause) -> bool {
        let mut batch = Vec::new();
        let open = self.queue.take_within(REOPEN_AFTER, &mut batch);
        // One of them may be the retry of a commit that is in doubt.
        refuse_all(&mut batch, cause, self.shared.is_in_doubt());
        open
    }
}

/// Stages each request of the batch, or fails; a failed transaction dies with its connection.
fn stage_all(session: &mut Session<'_>, batch: &[Request], moment: &Moment) -> Result<Vec<Staged>, Cause> {
    let failed = |error: super::session::Failure| -> Cause {
        tracing::error!(%error, commits = batch.len(), "writing to the log");
        Arc::from(error)
    };
    session.begin().map_err(|error| failed(error.into()))?;
    batch.iter().map(|request| session.stage(&request.commit, moment).map_err(failed)).collect()
}

/// Whether what a failed COMMIT wrote may be a whole transaction, to whoever reads the file after a crash. It was not yet
/// if the disk was full: an fsync never fails with that, and before it the last page is what was not written.
fn may_come_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() != Some(ErrorCode::DiskFull)
}

/// Makes sure that no failed transaction comes back. What it wrote begins where the log is known to end, and there this
/// one goes: the checksum of each page in the write-ahead log continues the one before it, so that nothing behind this
/// page is valid any more. A failed attempt to settle needs no other treatment, it would change nothing but the epoch.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE writer_epoch SET epoch = epoch + 1", [])?;
    tracing::warn!("a failed transaction of the log is undone for good");
    Ok(())
}

fn refuse_all(batch: &mut Vec<Request>, cause: &Cause, outcome_unknown: bool) {
    for request in batch.drain(..) {
        let answer = AppendError::Unavailable { outcome_unknown, source: Arc::clone(cause) };
        request.answer(Err(answer));
    }
}

/// In a panic it is dropped before the batch, and with that the callers' answers: who hears that the outcome is unknown
/// must not find a known one.
struct DoubtInPanic<'a>(&'a Shared);

impl Drop for DoubtInPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.doubt();
        }
    }
}

/// Whoever waits must hear of the writer's end, however it comes: a dropped request is an answer.
struct CloseOnDrop(Arc<Queue>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
