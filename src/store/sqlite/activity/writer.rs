//! What the writer does with records: all that wait at one moment share a transaction.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::Shared;
use super::session::Session;
use crate::activity::request::{Asked, Request, refuse_all};
use crate::error::Cause;
use crate::sqlite::writer::GroupCommit;

/// The activity log's side of its writer.
pub(super) struct Recording(pub(super) Arc<Shared>);

impl Recording {
    /// Notes vouchers that the file has now, or that were refused and are at least not there by surprise.
    fn note(&self, batch: &[Request]) {
        let forgets = |request: &Request| matches!(request.asked, Asked::Forget(_));
        if batch.iter().any(forgets) {
            self.0.seldom.forget();
        }
        self.0.seldom.note(batch.iter().filter_map(|request| match &request.asked {
            Asked::Record(commit) => Some(commit),
            Asked::Close(_) | Asked::Forget(_) => None,
        }));
    }
}

impl GroupCommit for Recording {
    type Request = Request;
    type Session<'c> = Session<'c>;

    fn start<'c>(&self, connection: &'c Connection) -> Result<Session<'c>, Cause> {
        #[cfg(test)]
        self.0.faults.strike_anew(connection);
        let session = Session::start(connection).map_err(|error| Arc::new(error) as Cause)?;
        self.0.head.store(session.head().get(), Ordering::Release);
        // What a failed transaction has left in the file is there, although it was never noted.
        self.0.seldom.forget();
        Ok(session)
    }

    fn commit(&self, session: &mut Session<'_>, batch: &mut Vec<Request>) -> Option<usize> {
        #[cfg(test)]
        self.0.faults.strike(session.connection());
        let now = self.0.clock.now();
        let written = session.write(batch.iter().map(|request| &request.asked), now);
        match written {
            Ok(written) => {
                // Before the answers: no head lags behind one.
                self.0.head.store(session.head().get(), Ordering::Release);
                self.note(batch);
                for (request, outcome) in batch.drain(..).zip(written.outcomes) {
                    request.answer(outcome);
                }
                Some(written.pages)
            }
            Err(error) => {
                let cause: Cause = Arc::new(error);
                tracing::error!(error = %cause, records = batch.len(), "writing activity");
                refuse_all(batch, &cause);
                None
            }
        }
    }

    fn refuse(&self, batch: &mut Vec<Request>, cause: &Cause) {
        refuse_all(batch, cause);
    }
}
