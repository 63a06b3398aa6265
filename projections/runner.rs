//! Following the log: subscription, fold, checkpoint.

use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::ErrorCode;
use store::{EventLog, Position, ReadError, RecordedEvent, Subscription};
use tokio::sync::{mpsc, watch};

use crate::error::{RebuildError, ViewsError};
use crate::file::{Identity, ViewsDirectory, ViewsFile};
use crate::fold::{Checkpoint, Fold, FoldError, Unread};
use crate::shadow::Handover;
use crate::views::Shared;

/// Events in a transaction, at most. Followed closely a page is one commit; large ones are for catching up.
const PAGE: usize = 1_000;
/// The first and the longest pause after a failure that may pass.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How often the views file is looked for while nothing else is to do.
const LOOK: Duration = Duration::from_secs(1);
/// As many failures without a success in between show as a halt.
const STALLED_AFTER: u32 = 3;

/// The thread that folds. It ends when it is told to, and for no other reason.
pub(crate) struct Runner {
    log: Arc<dyn EventLog>,
    directory: ViewsDirectory,
    shared: Arc<Shared>,
    stopped: watch::Receiver<bool>,
    handed_over: mpsc::Receiver<Handover>,
    /// What is folded into, and which file that was when it was opened.
    file: Arc<ViewsFile>,
    identity: Option<Identity>,
    /// What it must have reached before it is read.
    readable_from: Position,
    /// Failures of the file since it could last be used.
    failures: u32,
    /// The last of them, once they are too many to say that the views follow.
    stalled: Option<String>,
}

/// What the thread is told while it runs.
pub(crate) struct Told {
    pub(crate) stopped: watch::Receiver<bool>,
    /// Files to go on in.
    pub(crate) handed_over: mpsc::Receiver<Handover>,
}

/// Why following one file ended.
enum End {
    /// It was told to stop.
    Stopped,
    /// The file is damaged: another one has to take its place.
    Damaged(rusqlite::Error),
    /// The file is not there any more: another one has to take its place.
    Deleted,
}

impl Runner {
    pub(crate) fn new(
        log: Arc<dyn EventLog>,
        directory: ViewsDirectory,
        shared: Arc<Shared>,
        told: Told,
    ) -> Self {
        let Told { stopped, handed_over } = told;
        let file = Arc::clone(&shared.file.read().unwrap_or_else(PoisonError::into_inner));
        Self {
            log,
            directory,
            shared,
            stopped,
            handed_over,
            file,
            identity: None,
            readable_from: Position::ORIGIN,
            failures: 0,
            stalled: None,
        }
    }

    /// Starts the thread, with a runtime of its own: SQLite blocks, and no request shall wait for it.
    pub(crate) fn spawn(mut self) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        thread::Builder::new().name("views".to_owned()).spawn(move || {
            let shared = Arc::clone(&self.shared);
            // What is torn by a panic is the fold's, which dies with it; the file has only whole pages.
            if panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.run()))).is_err() {
                let cause = "the thread that folds the views has panicked";
                tracing::error!("{cause}: they stand still until a restart");
                shared.stall(cause);
            }
        })
    }

    async fn run(&mut self) {
        loop {
            let replaced = match self.open() {
                Ok(fold) => match self.follow(fold).await {
                    End::Stopped => return,
                    End::Damaged(error) => {
                        let error = chain(&error);
                        tracing::error!(error, "the views file is damaged: folding the log again");
                        self.replace(Position::ORIGIN).map(|()| error)
                    }
                    End::Deleted => {
                        tracing::warn!("the views file was deleted: folding the log again");
                        self.replace(self.shown()).map(|()| "the views file was deleted".to_owned())
                    }
                },
                Err(error) => Err(error),
            };
            let cause = replaced.unwrap_or_else(|error| {
                let cause = chain(&error);
                tracing::error!(error = cause, "the views cannot be opened; trying again");
                cause
            });
            if self.failed(&cause).await {
                return;
            }
        }
    }

    /// Puts a new file in the place of the live one. Queries go on reading the old one until the new one has folded the
    /// event at `readable_from`.
    fn replace(&mut self, readable_from: Position) -> Result<(), ViewsError> {
        self.file = Arc::new(self.directory.replace(Some(&self.file))?);
        self.readable_from = readable_from;
        Ok(())
    }

    /// What whoever reads the views may have seen.
    fn shown(&self) -> Position {
        let checkpoints = self.shared.checkpoints.borrow();
        checkpoints.iter().map(|view| view.position).max().unwrap_or_default().max(self.readable_from)
    }

    fn open(&mut self) -> Result<Fold, ViewsError> {
        if self.file.is_gone(self.file.identity()) {
            self.replace(self.shown())?;
        }
        let fold = self.open_fold().or_else(|error| {
            let ViewsError::Database { source, .. } = &error else { return Err(error) };
            if !is_damage(source) && !is_no_views_file(source) {
                return Err(error);
            }
            tracing::error!(error = chain(&error), "the views file is damaged: folding the log again");
            self.replace(Position::ORIGIN)?;
            self.open_fold()
        })?;
        self.identity = self.file.identity();
        Ok(fold)
    }

    fn open_fold(&self) -> Result<Fold, ViewsError> {
        let broken = ViewsError::database(self.file.path());
        Fold::open(self.file.writer()?, crate::all()).map_err(broken)
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
            let folded = match self.next_page(&mut subscription, &fold).await {
                Ok(page) => self.fold(&mut fold, &page).await,
                Err(failure) => Err(failure),
            };
            match folded {
                Ok(()) => pause = PAUSE.0,
                Err(Failure::End(end)) => return end,
                Err(Failure::HandedOver(handover)) => {
                    if let Some(rebuilt) = self.take_over(&fold, handover).await {
                        fold = rebuilt;
                        subscription = self.log.subscribe(fold.read_to());
                    }
                }
                Err(Failure::Read(error @ ReadError::Unavailable(_))) => {
                    tracing::warn!(error = chain(&error), "the log cannot be read; trying again");
                    if self.pause(&mut pause).await {
                        return End::Stopped;
                    }
                    if let Err(Failure::End(end)) = self.look() {
                        return end;
                    }
                }
                Err(Failure::Read(error @ ReadError::Corrupt { .. })) => {
                    return match self.fold_up_to_damage(&mut fold).await {
                        Ok(()) => self.halt(fold, &chain(&error)).await,
                        Err(Failure::End(end)) => end,
                        Err(Failure::Read(error)) => self.halt(fold, &chain(&error)).await,
                        Err(Failure::Hole(error)) => self.halt(fold, &chain(&error)).await,
                        // Only waiting for a page is ended by one.
                        Err(Failure::HandedOver(_)) => continue,
                    };
                }
                Err(Failure::Hole(error)) => return self.halt(fold, &chain(&error)).await,
            }
        }
    }

    /// The next page. Looks for the file meanwhile.
    async fn next_page(
        &mut self,
        subscription: &mut Subscription,
        fold: &Fold,
    ) -> Result<Vec<RecordedEvent>, Failure> {
        let mut page = pin!(subscription.next_page(PAGE));
        loop {
            tokio::select! {
                biased;
                _ = self.stopped.wait_for(|stopped| *stopped) => return Err(Failure::End(End::Stopped)),
                Some(handover) = self.handed_over.recv() => return Err(Failure::HandedOver(handover)),
                page = &mut page => return page.map_err(Failure::Read),
                () = tokio::time::sleep(LOOK) => {}
            }
            self.look()?;
            if self.failures > 0 {
                self.worked(fold);
            }
        }
    }

    /// Whether the file that is folded into is still the one that others would open.
    fn look(&self) -> Result<(), Failure> {
        if self.file.is_gone(self.identity) { Err(Failure::End(End::Deleted)) } else { Ok(()) }
    }

    /// Folds a page, as often as it takes: a file that cannot be written now is no fault of the events.
    async fn fold(&mut self, fold: &mut Fold, page: &[RecordedEvent]) -> Result<(), Failure> {
        let unread = unread(page);
        loop {
            self.look()?;
            match fold.page(&unread) {
                Ok(()) => {
                    self.worked(fold);
                    return Ok(());
                }
                // Nothing is held back here, so nothing has to be read again.
                Err(error @ (FoldError::Hole { .. } | FoldError::Again(_))) => {
                    return Err(Failure::Hole(error));
                }
                Err(FoldError::Database(error)) if is_damage(&error) => {
                    return Err(Failure::End(End::Damaged(error)));
                }
                Err(error @ FoldError::Database(_)) => {
                    let cause = chain(&error);
                    tracing::error!(error = cause, "the views cannot be written; trying again");
                    if self.failed(&cause).await {
                        return Err(Failure::End(End::Stopped));
                    }
                }
            }
        }
    }

    /// Folds what stands before the place where the log is damaged: a page that reaches there cannot be read at all.
    async fn fold_up_to_damage(&mut self, fold: &mut Fold) -> Result<(), Failure> {
        let mut limit = PAGE;
        let mut pause = PAUSE.0;
        while limit > 0 {
            match self.log.read_all(fold.read_to(), limit).await {
                Ok(page) if page.is_empty() => return Ok(()),
                Ok(page) => self.fold(fold, &page).await?,
                Err(ReadError::Corrupt { .. }) => limit /= 2,
                Err(error @ ReadError::Unavailable(_)) => {
                    tracing::warn!(error = chain(&error), "the log cannot be read; trying again");
                    if self.pause(&mut pause).await {
                        return Err(Failure::End(End::Stopped));
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on in a file that was folded beside the live one; `None` if it has to stay with that. Between two pages: no
    /// reader ever meets a file that is older than the one before.
    async fn take_over(&mut self, live: &Fold, handover: Handover) -> Option<Fold> {
        let Handover { file, decided, done } = handover;
        let taken = match self.caught_up(live, &file).await {
            // Whoever asked was told that nothing changes.
            Ok(_) if decided.swap(true, Ordering::AcqRel) => return None,
            Ok(fold) => self.directory.point_to(&file).map(|()| fold).map_err(RebuildError::from),
            Err(error) => Err(error),
        };
        match taken {
            Ok(fold) => {
                let old = std::mem::replace(&mut self.file, file);
                old.remove_when_dropped();
                self.identity = self.file.identity();
                self.worked(&fold);
                drop(old);
                // Whoever asked may have hung up; the file is live all the same.
                let _ = done.send(Ok(()));
                Some(fold)
            }
            Err(error) => {
                drop(file);
                let _ = done.send(Err(error));
                None
            }
        }
    }

    /// A fold of a handed over file that has come as far as the live one.
    async fn caught_up(&mut self, live: &Fold, file: &ViewsFile) -> Result<Fold, RebuildError> {
        let broken = |error| ViewsError::database(file.path())(error);
        let mut fold = Fold::open(file.writer()?, crate::all()).map_err(broken)?;
        while fold.read_to() < live.read_to() {
            let page = self.log.read_all(fold.read_to(), PAGE).await.map_err(ViewsError::from)?;
            fold.page(&unread(&page)).map_err(|error| error.into_views_error(&broken))?;
        }
        let checkpoints = fold.checkpoints();
        let earlier =
            checkpoints.iter().zip(live.checkpoints()).find(|(new, live)| new.position < live.position);
        if let Some((Checkpoint { projection, position, halt }, _)) = earlier {
            let cause = halt.as_ref().map(|halt| halt.cause.clone()).unwrap_or_default();
            return Err(RebuildError::HaltsEarlier { view: projection, position: *position, cause });
        }
        Ok(fold)
    }

    /// Stands still before what is missing from the log, visibly, until told to stop.
    async fn halt(&mut self, mut fold: Fold, cause: &str) -> End {
        if let Err(error) = fold.halt_all(cause) {
            tracing::error!(%error, "the views cannot be marked as halted");
        }
        self.readable_from = Position::ORIGIN;
        self.publish(&fold);
        loop {
            // An error means that whoever could say stop is gone.
            if tokio::time::timeout(LOOK, self.stopped.wait_for(|stopped| *stopped)).await.is_ok() {
                return End::Stopped;
            }
            if let Err(Failure::End(end)) = self.look() {
                return end;
            }
        }
    }

    fn publish(&mut self, fold: &Fold) {
        if fold.read_to() >= self.readable_from {
            self.readable_from = Position::ORIGIN;
            let mut shown = self.shared.file.write().unwrap_or_else(PoisonError::into_inner);
            if !Arc::ptr_eq(&shown, &self.file) {
                *shown = Arc::clone(&self.file);
            }
        }
        self.shared.checkpoints.send_replace(fold.checkpoints().into());
        if let Some(cause) = &self.stalled {
            self.shared.stall(cause);
        }
    }

    /// The file could be used.
    fn worked(&mut self, fold: &Fold) {
        self.failures = 0;
        self.stalled = None;
        self.publish(fold);
    }

    /// Counts a failure of the file, shows it if it is one too many, waits longer each time, and says whether to stop.
    async fn failed(&mut self, cause: &str) -> bool {
        let mut pause = PAUSE.0.saturating_mul(1 << self.failures.min(10)).min(PAUSE.1);
        self.failures = self.failures.saturating_add(1);
        if self.failures >= STALLED_AFTER {
            self.stalled = Some(cause.to_owned());
            self.shared.stall(cause);
        }
        self.pause(&mut pause).await
    }

    /// Waits, each time twice as long, and says whether to stop.
    async fn pause(&mut self, pause: &mut Duration) -> bool {
        let told = tokio::time::timeout(*pause, self.stopped.wait_for(|stopped| *stopped)).await.is_ok();
        *pause = (*pause * 2).min(PAUSE.1);
        told
    }
}

fn unread(page: &[RecordedEvent]) -> Vec<Unread<'_>> {
    page.iter().map(|event| Unread { position: event.position, entry: &event.entry }).collect()
}

/// Why a page was not folded.
enum Failure {
    End(End),
    HandedOver(Handover),
    Read(ReadError),
    Hole(FoldError),
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Whether a file lacks what every views file has: it was emptied, or is none.
fn is_no_views_file(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::Unknown))
        || matches!(error, rusqlite::Error::QueryReturnedNoRows)
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests;
