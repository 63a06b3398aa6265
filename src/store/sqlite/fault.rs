//! Faults that a test can have the writer meet at its next batch.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::SqliteLog;

#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The file cannot grow any more, until a new session.
    Full,
    /// The transaction cannot be committed.
    Commit,
    /// The writer has a fault of its own.
    Panic,
}

#[derive(Default)]
pub(super) struct Faults(Mutex<Option<Fault>>);

impl Faults {
    pub(super) fn strike(&self, connection: &Connection) {
        let fault = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match fault {
            // SQLite takes a smaller limit for the present size.
            Some(Fault::Full) => connection.query_row("PRAGMA max_page_count = 1", [], |_| Ok(())).unwrap(),
            Some(Fault::Commit) => connection.commit_hook(Some(|| true)),
            Some(Fault::Panic) => panic!("a test wants the writer to panic"),
            None => {}
        }
    }
}

impl SqliteLog {
    pub(super) fn fault(&self, fault: Fault) {
        *self.shared.faults.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}
