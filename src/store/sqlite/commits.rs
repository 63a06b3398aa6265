//! What the writer does with commits: all that wait at one moment share a transaction, each with its own checks.

use std::sync::Arc;

use rusqlite::{Connection, ErrorCode};

#[cfg(test)]
use super::fault::Faults;
use super::session::Session;
use super::writer::GroupCommit;
use crate::error::Cause;
use crate::request::{Request, refuse_all, refuse_staged};
use crate::shared::{DoubtInPanic, Shared};
use crate::staging::{Failure, Moment, Staged, stage};

/// A page of the database, to estimate how many the write-ahead log grew by.
const PAGE: usize = 4_096;

/// A transaction touches so many pages beside those of its entries.
const PAGES_OF_A_TRANSACTION: usize = 3;

/// The log's side of its writer.
pub(super) struct Commits {
    pub(super) shared: Arc<Shared>,
    #[cfg(test)]
    pub(super) faults: Arc<Faults>,
}

impl GroupCommit for Commits {
    type Request = Request;
    type Session<'c> = Session<'c>;

    fn start<'c>(&self, connection: &'c Connection) -> Result<Session<'c>, Cause> {
        let shared = &self.shared;
        #[cfg(test)]
        self.faults.strike_anew(connection);
        if shared.is_in_doubt() {
            settle(connection).map_err(|error| Arc::new(error) as Cause)?;
        }
        let session = Session::start(connection).map_err(|error| Arc::new(error) as Cause)?;
        shared.heads.forget();
        shared.publish(session.ends());
        shared.settled();
        Ok(session)
    }

    fn commit(&self, session: &mut Session<'_>, batch: &mut Vec<Request>) -> Option<usize> {
        let shared = &self.shared;
        let _doubt = DoubtInPanic(shared);
        #[cfg(test)]
        self.faults.strike(session.connection());
        let moment = Moment::new(shared.clock.now());
        let staged = match stage_all(session, batch, &moment) {
            Ok(staged) => staged,
            Err(cause) => {
                // No COMMIT was tried: nothing of it can ever be found.
                refuse_all(batch, &cause, false);
                return None;
            }
        };
        // Even without an accepted commit the transaction ends here; it then holds nothing and costs no fsync.
        if let Err(error) = session.commit() {
            let outcome_unknown = may_come_back(&error);
            if outcome_unknown {
                shared.doubt();
            }
            let head = *shared.head.borrow();
            let source: Cause = Arc::new(error);
            tracing::error!(error = %source, commits = batch.len(), "committing to the log");
            refuse_staged(batch, staged, head, &source, outcome_unknown);
            return None;
        }
        // Before the head: whoever sees the new head must find every stream where it is at that head.
        shared.heads.moved(session.take_moved());
        shared.publish(session.ends());
        let commits = batch.len();
        for (request, staged) in batch.drain(..).zip(staged) {
            request.answer(staged);
        }
        Some(PAGES_OF_A_TRANSACTION + commits + session.take_entry_bytes() / PAGE)
    }

    fn refuse(&self, batch: &mut Vec<Request>, cause: &Cause) {
        // One of them may be the retry of a commit that is in doubt.
        refuse_all(batch, cause, self.shared.is_in_doubt());
    }
}

/// Stages each request of the batch, or fails; a failed transaction dies with its connection.
fn stage_all(session: &mut Session<'_>, batch: &[Request], moment: &Moment) -> Result<Vec<Staged>, Cause> {
    let failed = |error: Failure| -> Cause {
        tracing::error!(%error, commits = batch.len(), "writing to the log");
        Arc::from(error)
    };
    session.begin().map_err(|error| failed(error.into()))?;
    batch.iter().map(|request| stage(session, &request.commit, moment).map_err(failed)).collect()
}

/// Whether what a failed COMMIT wrote may be a whole transaction, to whoever reads the file after a crash. It was not yet
/// if the disk was full: an fsync never fails with that, and before it the last page is what was not written.
pub(super) fn may_come_back(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() != Some(ErrorCode::DiskFull)
}

/// Makes sure that no failed transaction comes back. What it wrote begins where the log is known to end, and there this
/// one goes: the checksum of each page in the write-ahead log continues the one before it, so that nothing behind this
/// page is valid any more. A failed attempt to settle needs no other treatment, it would change nothing but the epoch.
pub(super) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE writer_epoch SET epoch = epoch + 1", [])?;
    tracing::warn!("a failed transaction of the log is undone for good");
    Ok(())
}
