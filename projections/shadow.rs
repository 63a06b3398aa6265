//! A rebuild while the views are followed and read: a whole fold beside them, on a thread of its own, and one step from
//! the old file to the new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use store::Position;
use tokio::sync::{mpsc, oneshot};

use crate::error::RebuildError;
use crate::file::{self, ViewsFile};
use crate::rebuild::{Beside, Rebuilt};
use crate::views::Views;

/// How much a rebuild gives way to everything else: as far as the system allows.
const NICENESS: i32 = 19;
/// How long whoever follows may take until it has changed files: it looks between two pages.
const HANDOVER: Duration = Duration::from_secs(60);

/// How far a rebuild has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RebuildProgress {
    /// The last event folded.
    pub folded: Position,
    /// The last event there was when it began.
    pub head: Position,
}

/// The one rebuild that may be under way, as everybody sees it.
#[derive(Default)]
pub(crate) struct Rebuilding {
    running: AtomicBool,
    given_up: AtomicBool,
    folded: AtomicU64,
    head: AtomicU64,
}

/// A folded file on its way to whoever follows.
pub(crate) struct Handover {
    pub(crate) file: Arc<ViewsFile>,
    /// Set by the first of the two sides: by who takes it over, before the pointer moves, or by who waits for it no longer.
    pub(crate) decided: Arc<AtomicBool>,
    /// Whether it is live now.
    pub(crate) done: oneshot::Sender<Result<(), RebuildError>>,
}

/// Holds the place of the one rebuild.
struct Turn(Arc<Rebuilding>);

impl Rebuilding {
    fn begin(self: &Arc<Self>, head: Position) -> Result<Turn, RebuildError> {
        if self.running.swap(true, Ordering::AcqRel) {
            return Err(RebuildError::Running);
        }
        self.given_up.store(false, Ordering::Relaxed);
        self.folded.store(0, Ordering::Relaxed);
        self.head.store(head.get(), Ordering::Relaxed);
        Ok(Turn(Arc::clone(self)))
    }

    /// Notes an event, and says whether to go on.
    fn goes_on(&self, position: Position) -> bool {
        self.folded.store(position.get(), Ordering::Relaxed);
        !self.given_up.load(Ordering::Relaxed)
    }

    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn progress(&self) -> Option<RebuildProgress> {
        let at = |number: &AtomicU64| Position::new(number.load(Ordering::Relaxed));
        let (folded, head) = (at(&self.folded), at(&self.head));
        self.running.load(Ordering::Acquire).then(|| RebuildProgress { folded, head: head.max(folded) })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

impl Views {
    /// Folds the log into a new file beside the live one, compares the two at the same positions, and changes over in
    /// one step, between two pages, once the new one has come as far. Reads go on meanwhile, and never go back. Where
    /// the two differ the new one is right: it is what the log says.
    ///
    /// # Errors
    /// See [`RebuildError`]. The live views are then as they were, and nothing is left of the new ones.
    pub async fn rebuild(&self) -> Result<Rebuilt, RebuildError> {
        let head = self.log().head().await.map_err(|error| RebuildError::Views(error.into()))?;
        let turn = self.rebuilding().begin(head)?;
        let handovers = self.handovers().ok_or(RebuildError::NotFollowed)?;
        let (directory, log) = (self.directory().clone(), Arc::clone(self.log()));
        let (folded, beside) = oneshot::channel();
        let begun = Instant::now();
        let work = move || {
            // Where the system refuses, the fold is as important as everything else: slower for the others, not wrong.
            let _ = rustix::process::nice(NICENESS);
            let goes_on = |position| turn.0.goes_on(position);
            let beside = Beside::fold(&directory, &*log, file::MOST_HELD_BESIDE, &goes_on);
            // Nobody listens any more when the process stops.
            let _ = folded.send((beside, turn));
        };
        thread::Builder::new().name("views-rebuild".to_owned()).spawn(work).map_err(RebuildError::Thread)?;
        let (beside, _turn) = beside.await.map_err(|_| RebuildError::NotFollowed)?;
        let beside = beside?;
        hand_over(&handovers, &beside.file, HANDOVER).await?;
        let rebuilt = beside.rebuilt(begun.elapsed());
        for view in &rebuilt.views {
            let Some(compared) = view.comparison.as_ref().filter(|compared| !compared.is_equal()) else {
                continue;
            };
            let rows: Vec<_> =
                compared.differences.iter().map(|row| format!("{} {}", row.table, row.key)).collect();
            tracing::error!(
                view = view.name,
                position = compared.position.get(),
                differing_rows = compared.differing_rows,
                ?rows,
                "a view was not what its log says; the rebuilt one has taken its place"
            );
        }
        Ok(rebuilt)
    }

    /// How far the rebuild under way has come, if there is one.
    #[must_use]
    pub fn rebuild_progress(&self) -> Option<RebuildProgress> {
        self.rebuilding().progress()
    }
}

/// Answers once the file is live, or that it never will be: who is told that nothing was changed can rely on it.
async fn hand_over(
    handovers: &mpsc::Sender<Handover>,
    file: &Arc<ViewsFile>,
    patience: Duration,
) -> Result<(), RebuildError> {
    let (done, mut taken) = oneshot::channel();
    let decided = Arc::new(AtomicBool::new(false));
    let handover = Handover { file: Arc::clone(file), decided: Arc::clone(&decided), done };
    let in_time = tokio::time::timeout(patience, async {
        handovers.send(handover).await.map_err(|_| RebuildError::NotFollowed)?;
        (&mut taken).await.map_err(|_| RebuildError::NotFollowed)?
    });
    match in_time.await {
        Ok(answer) => answer,
        // The other side is about to move the pointer: its answer is near.
        Err(_) if decided.swap(true, Ordering::AcqRel) => {
            taken.await.map_err(|_| RebuildError::NotFollowed)?
        }
        Err(_) => Err(RebuildError::NotFollowed),
    }
}

#[cfg(test)]
mod tests;
