//! A thread that writes over a connection of its own, which nobody can cancel: group commit.
//!
//! All requests that wait at one moment are one batch; while a batch becomes durable the next one gathers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::runtime::{Builder, Runtime};

use super::error::PostgresError;
use crate::error::Cause;
use crate::queue::{CloseOnDrop, Queue};

/// A database that cannot be reached is tried again after so long even if nobody writes: readers may wait for a
/// transaction in doubt to be settled.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// A batch that waits for others waits no longer than this.
const MAX_GATHERING: Duration = Duration::from_millis(1);

/// How writing a batch ended.
pub(super) enum Written {
    Done,
    /// The connection is not what it was.
    Broken,
}

/// What is written, and what those who wait for it are told.
pub(super) trait Writing: Send + 'static {
    /// What somebody waits for; dropping it is an answer.
    type Request: Send + 'static;

    /// Begins on a new connection.
    async fn connect(&mut self) -> Result<PgConnection, Cause>;

    /// Writes and answers a batch, in one transaction.
    async fn write(&mut self, connection: &mut PgConnection, batch: &mut Vec<Self::Request>) -> Written;

    /// Answers a batch that cannot be written.
    fn refuse(&self, batch: &mut Vec<Self::Request>, cause: &Cause);
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
        target: impl Writing<Request = R>,
    ) -> Result<Self, PostgresError> {
        let queue = Arc::new(Queue::default());
        // Its own, on its own thread: an answer wakes nobody else first.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let work = Work { name, queue: Arc::clone(&queue), target, runtime };
        let thread = thread::Builder::new().name(format!("{name}-writer")).spawn(move || work.run())?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)) })
    }

    /// Finishes what is queued, and ends the thread.
    pub(super) async fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl<R> Drop for Writer<R> {
    /// What is queued is still written, if the process lives that long; a database that does not answer holds nobody up.
    fn drop(&mut self) {
        self.queue.close();
    }
}

struct Work<W: Writing> {
    name: &'static str,
    queue: Arc<Queue<W::Request>>,
    target: W,
    runtime: Runtime,
}

/// How serving ended.
enum End {
    Closed,
    Broken,
}

impl<W: Writing> Work<W> {
    /// Serves until the queue is closed and empty, beginning anew on a new connection after each failure.
    fn run(mut self) {
        let _close_at_the_end = CloseOnDrop(Arc::clone(&self.queue));
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.serve())) {
                Ok(Ok(End::Closed)) => return,
                Ok(Ok(End::Broken)) => {}
                Ok(Err(cause)) => {
                    tracing::error!(writer = self.name, error = %cause, "connecting to Postgres to write");
                    if !self.refuse_waiting(&cause) {
                        return;
                    }
                }
                Err(_) => tracing::error!(writer = self.name, "a writer panicked and begins anew"),
            }
        }
    }

    fn serve(&mut self) -> Result<End, Cause> {
        let mut connection = self.runtime.block_on(self.target.connect())?;
        let mut batch = Vec::new();
        let (mut enough, mut patience) = (1, Duration::ZERO);
        while self.queue.take_gathered(enough, patience, &mut batch) {
            let (began, requests) = (Instant::now(), batch.len());
            match self.runtime.block_on(self.target.write(&mut connection, &mut batch)) {
                Written::Done => {}
                Written::Broken => return Ok(End::Broken),
            }
            // Who was answered often asks again at once. In two groups, each would wait for the other's disk.
            enough = requests + self.queue.waiting();
            patience = (began.elapsed() / 4).min(MAX_GATHERING);
        }
        Ok(End::Closed)
    }

    /// Answers what comes with why there is no connection, for as long as it takes until the next attempt; `false` once
    /// the queue is closed and empty.
    fn refuse_waiting(&self, cause: &Cause) -> bool {
        let mut batch = Vec::new();
        let open = self.queue.take_within(RECONNECT_AFTER, &mut batch);
        self.target.refuse(&mut batch, cause);
        open
    }
}
