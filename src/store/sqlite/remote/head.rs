//! Asking the server how far the log reaches: once for all who want to know at one moment.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::commits::Request;
use crate::engine::Engine;
use crate::error::ReadError;
use crate::position::Position;
use crate::queue::Queue;
use crate::shared::Shared;

/// When nobody asks, the server is asked nevertheless: other nodes append, and somebody may follow the log.
const POLL: Duration = Duration::from_millis(250);
/// The writer has this long to read what it lacks.
const CATCH_UP_WITHIN: Duration = Duration::from_secs(5);

/// Who waits for the head of the server.
type Waiting = oneshot::Sender<Result<Position, ReadError>>;

/// The thread that asks.
pub(super) struct HeadReader {
    waiting: Arc<Queue<Waiting>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Why the head is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unknown {
    #[error("the server of events answered with an older state than before")]
    Older,
    #[error("the newest events could not be read in time")]
    Late,
    #[error("the log is closed")]
    Closed,
}

impl From<Unknown> for ReadError {
    fn from(unknown: Unknown) -> Self {
        Self::Unavailable(Arc::new(unknown))
    }
}

impl HeadReader {
    pub(super) fn start(
        engine: Arc<dyn Engine>,
        shared: Arc<Shared>,
        writer: Arc<Queue<Request>>,
    ) -> std::io::Result<Self> {
        let waiting = Arc::new(Queue::default());
        let work = Work { engine, shared, writer, waiting: Arc::clone(&waiting) };
        let thread = thread::Builder::new().name("log-head".to_owned()).spawn(move || work.run())?;
        Ok(Self { waiting, thread: Mutex::new(Some(thread)) })
    }

    /// The position of the newest event that anyone was told of before the call; the replica has it by then.
    pub(super) async fn head(&self) -> Result<Position, ReadError> {
        let (answer, answered) = oneshot::channel();
        self.waiting.push(answer).map_err(|refused| ReadError::Unavailable(Arc::new(refused)))?;
        answered.await.unwrap_or(Err(Unknown::Closed.into()))
    }
}

impl Drop for HeadReader {
    fn drop(&mut self) {
        self.waiting.close();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

struct Work {
    engine: Arc<dyn Engine>,
    shared: Arc<Shared>,
    writer: Arc<Queue<Request>>,
    waiting: Arc<Queue<Waiting>>,
}

impl Work {
    fn run(self) {
        let mut asking = Vec::new();
        while self.waiting.take_within(POLL, &mut asking) {
            let head = self.head();
            if let Err(error) = &head {
                tracing::debug!(%error, "reading the head of the server of events");
            }
            for answer in asking.drain(..) {
                let _ = answer.send(head.clone());
            }
        }
    }

    fn head(&self) -> Result<Position, ReadError> {
        let known = *self.shared.head.borrow();
        let head = self.engine.head()?;
        if head < known {
            return Err(Unknown::Older.into());
        }
        if head > *self.shared.head.borrow() {
            self.catch_up()?;
        }
        self.shared.expect_certain()?;
        let reached = *self.shared.head.borrow();
        if reached < head { Err(Unknown::Late.into()) } else { Ok(reached) }
    }

    fn catch_up(&self) -> Result<(), ReadError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let asked = self.writer.push(Request::CatchUp(answer));
        asked.map_err(|refused| ReadError::Unavailable(Arc::new(refused)))?;
        answered.recv_timeout(CATCH_UP_WITHIN).unwrap_or(Err(Unknown::Late.into()))
    }
}
