//! The views of this node: opened, followed, read.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use store::{EventLog, Position};
use tokio::sync::{mpsc, watch};

use crate::error::{QueryError, ViewsError};
use crate::file::{ViewsDirectory, ViewsFile};
use crate::fold::{Checkpoint, Halt, checkpoints};
use crate::reader::Reader;
use crate::runner::{Runner, Told};
use crate::shadow::{Handover, Rebuilding};

/// The views of this node. They follow the log from [`start`](Self::start) to [`stop`](Self::stop); reading them works
/// at any time.
///
/// One process at a time may follow; the lock of the data directory sees to that.
pub struct Views {
    log: Arc<dyn EventLog>,
    directory: ViewsDirectory,
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

/// What the runner changes and everybody reads.
pub(crate) struct Shared {
    /// The file that is read. Replacing it is one assignment: queries under way finish on the one they began with.
    pub(crate) file: RwLock<Arc<ViewsFile>>,
    /// Sent after every commit of the views.
    pub(crate) checkpoints: watch::Sender<Arc<[Checkpoint]>>,
    rebuilding: Arc<Rebuilding>,
}

impl Shared {
    /// Shows that nobody goes on, and why; what comes next to be published takes it back.
    pub(crate) fn stall(&self, cause: &str) {
        self.checkpoints.send_modify(|views| *views = views.iter().map(|view| view.stalled(cause)).collect());
    }
}

struct Running {
    stop: watch::Sender<bool>,
    handovers: mpsc::Sender<Handover>,
    thread: JoinHandle<()>,
}

/// How a view stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// The view.
    pub name: &'static str,
    /// The last event it has folded.
    pub position: Position,
    /// The last event there is.
    pub head: Position,
    /// Whether it goes on.
    pub state: ProjectionState,
}

/// Whether a view goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectionState {
    /// It folds what comes.
    Following,
    /// It stands before an event that it cannot apply; a restart or a rebuild tries again. Or it cannot be written, and
    /// goes on by itself as soon as it can.
    Halted(Halt),
}

impl Views {
    /// Opens the views in a data directory and creates them where they are missing, damaged, of another schema or of
    /// another log: nothing about a views file is an error, it is folded again.
    ///
    /// # Errors
    /// When the directory cannot be written, or the log cannot be read.
    pub fn open(data_directory: &Path, log: Arc<dyn EventLog>) -> Result<Self, ViewsError> {
        let directory = ViewsDirectory::create(data_directory)?;
        let mut file = directory.open_or_replace(&*log)?;
        let saved = |file: &ViewsFile| {
            let saved = file.reader().and_then(|reader| checkpoints(&reader, &crate::all()));
            saved.map_err(ViewsError::database(file.path()))
        };
        let saved = match saved(&file) {
            Ok(saved) => saved,
            Err(error) => {
                // Sound as far as it was looked at, and yet not: a write-ahead log of another file beside it, perhaps.
                tracing::warn!(file = %file.path().display(), %error, "the views cannot be read: folding the log again");
                file = directory.replace(Some(&file))?;
                saved(&file)?
            }
        };
        let (checkpoints, _) = watch::channel(saved.into());
        let shared =
            Arc::new(Shared { file: RwLock::new(Arc::new(file)), checkpoints, rebuilding: Arc::default() });
        Ok(Self { log, directory, shared, running: Mutex::new(None) })
    }

    /// Begins to follow the log, on a thread of its own. A view that was halted is tried again. Does nothing if they
    /// follow already.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(&self) -> Result<(), ViewsError> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_none() {
            self.shared
                .checkpoints
                .send_modify(|views| *views = views.iter().map(Checkpoint::resumed).collect());
            let (stop, stopped) = watch::channel(false);
            let (handovers, handed_over) = mpsc::channel(1);
            let told = Told { stopped, handed_over };
            let runner =
                Runner::new(Arc::clone(&self.log), self.directory.clone(), Arc::clone(&self.shared), told);
            let thread = runner.spawn().map_err(ViewsError::directory(self.directory.path()))?;
            *running = Some(Running { stop, handovers, thread });
        }
        Ok(())
    }

    /// Finishes the page under way and stops following; gives up a rebuild. Blocks for that long.
    pub fn stop(&self) {
        self.shared.rebuilding.give_up();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { stop, thread, .. }) = running {
            stop.send_replace(true);
            if thread.join().is_err() {
                tracing::error!("the thread that folds the views had panicked");
            }
        }
    }

    /// Runs a query on a blocking thread, over one moment of the views.
    ///
    /// # Errors
    /// What the query answers; see [`QueryError`].
    pub async fn read<T, Q>(&self, query: Q) -> Result<T, QueryError>
    where
        T: Send + 'static,
        Q: FnOnce(&Reader) -> Result<T, QueryError> + Send + 'static,
    {
        let file = self.file();
        tokio::task::spawn_blocking(move || file.read(query)).await.unwrap_or(Err(QueryError::Stopped))
    }

    /// Runs a query right here. For one row by its key, which takes microseconds; never for a list.
    ///
    /// # Errors
    /// What the query answers; see [`QueryError`].
    pub fn read_point<T>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        self.file().read(query)
    }

    /// How each view stands.
    ///
    /// # Errors
    /// When the log cannot say where it ends.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, store::ReadError> {
        let head = self.log.head().await?;
        Ok(self.checkpoints().iter().map(|checkpoint| checkpoint.status(head)).collect())
    }

    /// How far each view has come, without asking the log.
    #[must_use]
    pub fn checkpoints(&self) -> Arc<[Checkpoint]> {
        self.shared.checkpoints.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Arc<[Checkpoint]>> {
        self.shared.checkpoints.subscribe()
    }

    pub(crate) fn log(&self) -> &Arc<dyn EventLog> {
        &self.log
    }

    pub(crate) fn directory(&self) -> &ViewsDirectory {
        &self.directory
    }

    pub(crate) fn rebuilding(&self) -> &Arc<Rebuilding> {
        &self.shared.rebuilding
    }

    /// Where a folded file is handed over to who follows; `None` if nobody does.
    pub(crate) fn handovers(&self) -> Option<mpsc::Sender<Handover>> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|running| running.handovers.clone())
    }

    fn file(&self) -> Arc<ViewsFile> {
        Arc::clone(&self.shared.file.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Checkpoint {
    /// The same place, about to be tried again.
    fn resumed(&self) -> Self {
        Self { halt: None, ..*self }
    }

    /// The same place, with nobody who could go on, now or ever.
    pub(crate) fn stalled(&self, cause: &str) -> Self {
        let halt = || Halt { position: self.position.next(), cause: cause.to_owned() };
        Self { halt: Some(self.halt.clone().unwrap_or_else(halt)), ..*self }
    }

    /// The status against a log that ends at `head`.
    #[must_use]
    pub fn status(&self, head: Position) -> ProjectionStatus {
        let state = self.halt.clone().map_or(ProjectionState::Following, ProjectionState::Halted);
        // A commit between the two reads would show a view ahead of its log.
        ProjectionStatus {
            name: self.projection,
            position: self.position,
            head: head.max(self.position),
            state,
        }
    }
}

#[cfg(test)]
mod tests;
