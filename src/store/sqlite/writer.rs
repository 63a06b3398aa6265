//! The one thread that writes a file: group commit.
//!
//! All requests that wait at one moment share a transaction; while one transaction becomes durable the next ones
//! gather. Nobody waits for company: a request alone is written at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;

use super::checkpoint::{Checkpointer, checkpoint};
use super::schema::{self, Schema};
use crate::error::{Cause, OpenError};
use crate::queue::{CloseOnDrop, Queue};

/// A file that cannot be opened is tried again after so long even if nobody writes: readers wait for its head.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// What is written to one file, and what those who wait for it are told.
pub(super) trait GroupCommit: Send + 'static {
    /// What somebody waits for; dropping it is an answer.
    type Request: Send + 'static;
    /// What is known of the database. It ends with its connection, at the first failure.
    type Session<'c>;

    /// Begins on a new connection.
    fn start<'c>(&self, connection: &'c Connection) -> Result<Self::Session<'c>, Cause>;

    /// Writes and answers a batch, in one transaction. Answers about how many pages the write-ahead log grew by, or
    /// `None` if the database failed.
    fn commit(&self, session: &mut Self::Session<'_>, batch: &mut Vec<Self::Request>) -> Option<usize>;

    /// Answers a batch that cannot be written.
    fn refuse(&self, batch: &mut Vec<Self::Request>, cause: &Cause);
}

/// How serving ended.
enum End {
    Closed,
    /// The database failed or the writer has a fault: what it knew of the database is void.
    Broken,
}

/// The thread, as those see it who have something to write.
pub(super) struct Writer<R> {
    pub(super) queue: Arc<Queue<R>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<R: Send + 'static> Writer<R> {
    /// Starts the thread; threads have names of at most 15 bytes.
    pub(super) fn start(
        name: &'static str,
        schema: &'static Schema,
        file: &Path,
        index: Connection,
        target: impl GroupCommit<Request = R>,
    ) -> Result<Self, OpenError> {
        let io_error = |source| OpenError::Io { path: file.to_owned(), source };
        let queue = Arc::new(Queue::default());
        let checkpointer = Checkpointer::start(name, schema, file.to_owned()).map_err(io_error)?;
        let work = Work {
            schema,
            file: file.to_owned(),
            queue: Arc::clone(&queue),
            target,
            checkpointer,
            _index: index,
        };
        let thread = thread::Builder::new().name(format!("{name}-writer")).spawn(move || work.run());
        Ok(Self { queue, thread: Mutex::new(Some(thread.map_err(io_error)?)) })
    }

    /// Lets nobody in any more; answers the thread, to be waited for, at the first call.
    pub(super) fn stop(&self) -> Option<JoinHandle<()>> {
        self.queue.close();
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Finishes what is queued, copies the write-ahead log into the file, and ends the thread.
    pub(super) async fn close(&self) {
        let Some(thread) = self.stop() else { return };
        // Joining may take as long as a checkpoint.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

impl<R> Drop for Writer<R> {
    fn drop(&mut self) {
        self.queue.close();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

/// A connection that is never written to, and is open for as long as the writer lives: the index of the write-ahead log
/// lives with the connections. Without any, the next would rebuild it from the file and take in what a commit left there
/// that failed at its fsync.
///
/// Right after a crash that cannot be helped: what a recovery found is readable, but nobody knows whether it is durable.
/// Copied into the file it is.
pub(super) fn open_index(schema: &Schema, file: &Path) -> Result<Connection, OpenError> {
    let connection = schema.open_to_write(file)?;
    connection
        .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        .map_err(|source| schema::open_error(file, source))?;
    Ok(connection)
}

struct Work<G: GroupCommit> {
    schema: &'static Schema,
    file: PathBuf,
    queue: Arc<Queue<G::Request>>,
    target: G,
    checkpointer: Checkpointer,
    /// See [`open_index`].
    _index: Connection,
}

impl<G: GroupCommit> Work<G> {
    /// Serves until the queue is closed and empty, beginning anew on a new connection after each failure.
    fn run(mut self) {
        let _close_at_the_end = CloseOnDrop(Arc::clone(&self.queue));
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.serve())) {
                Ok(Ok(End::Closed)) => return,
                Ok(Ok(End::Broken)) => {}
                Ok(Err(cause)) => {
                    tracing::error!(file = %self.file.display(), error = %cause, "opening a file to write");
                    if !self.refuse_waiting(&cause) {
                        return;
                    }
                }
                Err(_) => {
                    tracing::error!(file = %self.file.display(), "a writer panicked and begins anew");
                }
            }
        }
    }

    fn serve(&mut self) -> Result<End, Cause> {
        let connection = self.schema.open_to_write(&self.file).map_err(|error| Arc::new(error) as Cause)?;
        let mut session = self.target.start(&connection)?;
        let mut batch = Vec::new();
        while self.queue.take(&mut batch) {
            match self.target.commit(&mut session, &mut batch) {
                Some(pages) => self.checkpointer.committed(pages, &connection),
                None => return Ok(End::Broken),
            }
        }
        checkpoint(&connection, "TRUNCATE");
        Ok(End::Closed)
    }

    /// Answers what comes with why the file cannot be opened, for as long as it takes until the next attempt; `false`
    /// once the queue is closed and empty.
    fn refuse_waiting(&self, cause: &Cause) -> bool {
        let mut batch = Vec::new();
        let open = self.queue.take_within(REOPEN_AFTER, &mut batch);
        self.target.refuse(&mut batch, cause);
        open
    }
}
