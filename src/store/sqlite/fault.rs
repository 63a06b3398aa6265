//! Faults that a test can have the writer meet at its next batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::SqliteLog;

pub(super) enum Fault {
    /// The file cannot grow any more, until a new session.
    Full,
    /// The transaction cannot be committed.
    Commit,
    /// The writer has a fault of its own.
    Panic,
    /// None; something looks at the writer's connection.
    Look(Box<dyn FnOnce(&Connection) + Send>),
}

#[derive(Default)]
pub(super) struct Faults {
    next: Mutex<Option<Fault>>,
    /// No new session can write anything.
    lasting: AtomicBool,
}

impl Faults {
    pub(super) fn put(&self, fault: Fault) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    pub(super) fn strike(&self, connection: &Connection) {
        let fault = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        match fault {
            // SQLite takes a smaller limit for the present size.
            Some(Fault::Full) => connection.query_row("PRAGMA max_page_count = 1", [], |_| Ok(())).unwrap(),
            Some(Fault::Commit) => connection.commit_hook(Some(|| true)),
            Some(Fault::Panic) => panic!("a test wants the writer to panic"),
            Some(Fault::Look(look)) => look(connection),
            None => {}
        }
    }

    /// At the beginning of a session.
    pub(super) fn strike_anew(&self, connection: &Connection) {
        if self.lasting.load(Ordering::SeqCst) {
            connection.commit_hook(Some(|| true));
        }
    }
}

impl SqliteLog {
    pub(super) fn fault(&self, fault: Fault) {
        self.faults.put(fault);
    }

    /// Whether every session after the next failure fails at its first COMMIT.
    pub(super) fn make_faults_last(&self, lasting: bool) {
        self.faults.lasting.store(lasting, Ordering::SeqCst);
    }
}
