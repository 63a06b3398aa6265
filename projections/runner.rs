//! Following the log: subscription, fold, checkpoint.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::ErrorCode;
use store::{EventLog, ReadError, RecordedEvent, Subscription};
use tokio::sync::watch;

use crate::error::ViewsError;
use crate::file::ViewsDirectory;
use crate::fold::{Checkpoint, Fold, FoldError, Unread};
use crate::views::Shared;

/// Events in a transaction, at most. Followed closely a page is one commit; large ones are for catching up.
const PAGE: usize = 1_000;
/// The first and the longest pause after a failure that may pass.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// The thread that folds. It ends when it is told to, and for no other reason.
pub(crate) struct Runner {
    log: Arc<dyn EventLog>,
    directory: ViewsDirectory,
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
}

/// Why following one file ended.
enum End {
    /// It was told to stop.
    Stopped,
    /// The file is damaged: another one has to take its place.
    Damaged(rusqlite::Error),
}

impl Runner {
    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        directory: ViewsDirectory,
        shared: Arc<Shared>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self { log, directory, shared, stopped }
    }

    /// Starts the thread, with a runtime of its own: SQLite blocks, and no request shall wait for it.
    pub(crate) fn spawn(mut self) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        thread::Builder::new().name("views".to_owned()).spawn(move || {
            let shared = Arc::clone(&self.shared);
            // What is torn by a panic is the fold's, which dies with it; the file has only whole pages.
            if panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.run()))).is_err() {
                tracing::error!(
                    "the thread that folds the views has panicked: they stand still until a restart"
                );
                shared
                    .checkpoints
                    .send_modify(|views| *views = views.iter().map(Checkpoint::abandoned).collect());
            }
        })
    }

    async fn run(&mut self) {
        let mut pause = PAUSE.0;
        loop {
            let failure = match self.open() {
                Ok(fold) => match self.follow(fold).await {
                    End::Stopped => return,
                    End::Damaged(error) => {
                        tracing::error!(
                            error = chain(&error),
                            "the views file is damaged: folding the log again"
                        );
                        self.replace()
                    }
                },
                Err(error) => Err(error),
            };
            if let Err(error) = failure {
                tracing::error!(error = chain(&error), "the views cannot be opened; trying again");
            }
            if self.pause(&mut pause).await {
                return;
            }
        }
    }

    /// Puts a new file in the place of the live one; queries under way finish on the old one.
    fn replace(&self) -> Result<(), ViewsError> {
        let file = Arc::new(self.directory.replace()?);
        *self.shared.file.write().unwrap_or_else(PoisonError::into_inner) = file;
        Ok(())
    }

    fn open(&self) -> Result<Fold, ViewsError> {
        let file = Arc::clone(&self.shared.file.read().unwrap_or_else(PoisonError::into_inner));
        Fold::open(file.writer()?, crate::all()).map_err(ViewsError::database(file.path()))
    }

    async fn follow(&mut self, mut fold: Fold) -> End {
        self.publish(&fold);
        let mut subscription = self.log.subscribe(fold.read_to());
        // A log that cannot say where it ends leaves no reason to put the indexes off.
        let mut catching_up = Some(self.log.head().await.unwrap_or_default());
        let mut pause = PAUSE.0;
        loop {
            if catching_up.take_if(|head| fold.read_to() >= *head).is_some()
                && let Err(error) = fold.create_indexes()
            {
                if is_damage(&error) {
                    return End::Damaged(error);
                }
                tracing::warn!(%error, "the indexes of the views cannot be created: queries are slow");
            }
            let Some(read) = self.next_page(&mut subscription).await else { return End::Stopped };
            let failure = match read {
                Ok(page) => match self.fold(&mut fold, &page).await {
                    Ok(()) => {
                        pause = PAUSE.0;
                        continue;
                    }
                    Err(failure) => failure,
                },
                Err(error) => Failure::Read(error),
            };
            match failure {
                Failure::End(end) => return end,
                Failure::Read(error @ ReadError::Unavailable(_)) => {
                    tracing::warn!(error = chain(&error), "the log cannot be read; trying again");
                    if self.pause(&mut pause).await {
                        return End::Stopped;
                    }
                }
                Failure::Read(error @ ReadError::Corrupt { .. }) => {
                    return self.halt(fold, &chain(&error)).await;
                }
                Failure::Hole(error) => return self.halt(fold, &chain(&error)).await,
            }
        }
    }

    /// The next page; `None` when told to stop.
    async fn next_page(
        &mut self,
        subscription: &mut Subscription,
    ) -> Option<Result<Vec<RecordedEvent>, ReadError>> {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stopped| *stopped) => None,
            page = subscription.next_page(PAGE) => Some(page),
        }
    }

    /// Folds a page, as often as it takes: a file that cannot be written now is no fault of the events.
    async fn fold(&mut self, fold: &mut Fold, page: &[RecordedEvent]) -> Result<(), Failure> {
        let unread: Vec<_> =
            page.iter().map(|event| Unread { position: event.position, entry: &event.entry }).collect();
        let mut pause = PAUSE.0;
        loop {
            match fold.page(&unread) {
                Ok(()) => {
                    self.publish(fold);
                    return Ok(());
                }
                Err(error @ FoldError::Hole { .. }) => return Err(Failure::Hole(error)),
                Err(FoldError::Database(error)) if is_damage(&error) => {
                    return Err(Failure::End(End::Damaged(error)));
                }
                Err(error @ FoldError::Database(_)) => {
                    tracing::error!(error = chain(&error), "the views cannot be written; trying again");
                    if self.pause(&mut pause).await {
                        return Err(Failure::End(End::Stopped));
                    }
                }
            }
        }
    }

    /// Stands still before what is missing from the log, visibly, until told to stop.
    async fn halt(&mut self, mut fold: Fold, cause: &str) -> End {
        if let Err(error) = fold.halt_all(cause) {
            tracing::error!(%error, "the views cannot be marked as halted");
        }
        self.publish(&fold);
        // An error means that whoever could say stop is gone.
        let _ = self.stopped.wait_for(|stopped| *stopped).await;
        End::Stopped
    }

    fn publish(&self, fold: &Fold) {
        self.shared.checkpoints.send_replace(fold.checkpoints().into());
    }

    /// Waits, each time twice as long, and says whether to stop.
    async fn pause(&mut self, pause: &mut Duration) -> bool {
        let told = tokio::time::timeout(*pause, self.stopped.wait_for(|stopped| *stopped)).await.is_ok();
        *pause = (*pause * 2).min(PAUSE.1);
        told
    }
}

/// Why a page was not folded.
enum Failure {
    End(End),
    Read(ReadError),
    Hole(FoldError),
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
