//! Copying the write-ahead log into the file, out of the way of commits.
//!
//! A checkpoint costs an fsync of the whole file. A thread of its own does nearly all of it while commits go on; since
//! they go on it never gets quite to the end, and the write-ahead log begins anew only at its end. So when the thread
//! is done the writer copies what came in the meantime, a few pages, between two commits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::schema::Schema;

/// Pages in the write-ahead log, as the writer estimates them, at which a checkpoint is due: 16 MiB.
const DUE_PAGES: usize = 4_096;

/// What writer and thread tell each other.
#[derive(Default)]
struct Signals {
    wanted: Mutex<Wanted>,
    changed: Condvar,
    /// The thread has copied all but the newest pages.
    nearly_done: AtomicBool,
}

#[derive(Default)]
struct Wanted {
    checkpoint: bool,
    stop: bool,
}

/// The writer's side of the checkpoint thread; dropping it stops the thread.
pub(super) struct Checkpointer {
    signals: Arc<Signals>,
    thread: Option<JoinHandle<()>>,
    pages: usize,
}

impl Checkpointer {
    pub(super) fn start(name: &'static str, schema: &'static Schema, file: PathBuf) -> std::io::Result<Self> {
        let signals = Arc::new(Signals::default());
        let thread = {
            let signals = Arc::clone(&signals);
            thread::Builder::new()
                .name(format!("{name}-checkpoint"))
                .spawn(move || run(schema, &file, &signals))?
        };
        Ok(Self { signals, thread: Some(thread), pages: 0 })
    }

    /// Told after each commit, about how many pages it wrote. May copy a few pages itself.
    pub(super) fn committed(&mut self, pages: usize, connection: &Connection) {
        self.pages += pages;
        if self.signals.nearly_done.swap(false, Ordering::Acquire) {
            checkpoint(connection, "PASSIVE");
        }
        if self.pages >= DUE_PAGES {
            self.pages = 0;
            self.signals.wanted().checkpoint = true;
            self.signals.changed.notify_one();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.signals.wanted().stop = true;
        self.signals.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Signals {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next task; `false` when there will be none.
    fn wait(&self) -> bool {
        let mut wanted = self.wanted();
        while !wanted.checkpoint && !wanted.stop {
            wanted = self.changed.wait(wanted).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut wanted.checkpoint);
        !wanted.stop
    }
}

fn run(schema: &Schema, file: &Path, signals: &Signals) {
    let mut connection = None;
    while signals.wait() {
        if connection.is_none() {
            connection = schema
                .open_to_write(file)
                .inspect_err(|error| tracing::warn!(%error, "opening a file for a checkpoint"))
                .ok();
        }
        if connection.as_ref().is_some_and(|connection| checkpoint(connection, "PASSIVE")) {
            signals.nearly_done.store(true, Ordering::Release);
        } else {
            connection = None;
        }
    }
}

/// Copies what no reader still needs the write-ahead log for. A failure loses nothing: the log only grows longer.
pub(super) fn checkpoint(connection: &Connection, mode: &str) -> bool {
    connection
        .query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
        .inspect_err(|error| tracing::warn!(%error, "copying a write-ahead log into its file"))
        .is_ok()
}
