//! Folding all views anew, beside the old ones, and comparing the two.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use store::{EventLog, Position, ScannedEvent};

use crate::catch_up::catch_up;
use crate::digest;
use crate::error::ViewsError;
use crate::file::{self, ViewsDirectory, ViewsFile};
use crate::fold::{Checkpoint, Fold, Halt};
use crate::projection::Projection;
use crate::verify::{self, Difference, live, stop_at};

/// Rows that a report names; where more differ, `verify` tells them all.
const MOST_NAMED: usize = 100;

/// What a rebuild did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many events were folded.
    pub events: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// The file that is live now.
    pub file: PathBuf,
    /// Each view, compared with the one it replaced.
    pub views: Vec<RebuiltView>,
}

/// A view after a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuiltView {
    /// The view.
    pub name: &'static str,
    /// How far it has come.
    pub position: Position,
    /// Why it came no further.
    pub halt: Option<Halt>,
    /// The old view beside the new one; `None` if there was no old one that could be read.
    pub comparison: Option<Comparison>,
}

/// The digests of two folds of a view at the same position: SHA-256 over all rows, in hexadecimal. Where they differ,
/// the old view was not what its log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// As far as the old view had come.
    pub position: Position,
    /// Of the old view.
    pub before: String,
    /// Of the new view; `None` if that halts earlier.
    pub after: Option<String>,
    /// The first rows that differ, in the order of their keys.
    pub differences: Vec<Difference>,
    /// How many rows differ.
    pub differing_rows: u64,
}

impl Comparison {
    /// Whether the old view was what its log says.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.after.as_ref() == Some(&self.before)
    }
}

/// Folds the whole log into a new file, compares it with the live one at equal positions, and moves the pointer; the
/// old file is removed. Until the pointer moves the old views stay what they are, whatever happens. `progress` hears of
/// each position that was folded.
///
/// Blocks. Nobody may follow in the same directory meanwhile; the lock of the data directory sees to that.
/// [`Views::rebuild`](crate::Views::rebuild) does the same while they are followed.
///
/// # Errors
/// When the log cannot be read, or has a hole; or when the new file cannot be written.
pub fn rebuild(
    data_directory: &Path,
    log: &dyn EventLog,
    progress: &dyn Fn(Position),
) -> Result<Rebuilt, ViewsError> {
    let begun = Instant::now();
    let directory = ViewsDirectory::create(data_directory)?;
    directory.remove_abandoned();
    let goes_on = |position| {
        progress(position);
        true
    };
    let beside = Beside::fold(&directory, log, file::MOST_HELD_ALONE, &goes_on)?;
    directory.make_live(&beside.file)?;
    Ok(beside.rebuilt(begun.elapsed()))
}

/// Folds the whole log into these views alone, as a rebuild does, in a file of this directory that is removed again, and
/// answers how many events there were: to measure what views cost.
///
/// # Errors
/// When the log cannot be read, or has a hole; or when the file cannot be written.
pub fn rehearse(
    directory: &Path,
    log: &dyn EventLog,
    projections: Vec<Box<dyn Projection>>,
) -> Result<u64, ViewsError> {
    let file = ViewsFile::new(directory.join("views-0.db"));
    file.remove_when_dropped();
    let broken = |error| ViewsError::database(file.path())(error);
    let mut fold = file::create_offline(file.path(), file::MOST_HELD_ALONE, projections).map_err(broken)?;
    let events = catch_up(log, &mut fold, &|_| true, &broken)?;
    file::finish_offline(fold).map_err(broken)?;
    Ok(events)
}

/// A whole fold of the log in a file of its own, which no pointer names yet.
pub(crate) struct Beside {
    pub(crate) file: Arc<ViewsFile>,
    checkpoints: Vec<Checkpoint>,
    comparisons: Vec<(&'static str, Comparison)>,
    events: u64,
}

impl Beside {
    /// Folds the log into a new file and compares it with the live one at the positions where that stands. `goes_on`
    /// hears of each event, and gives the fold up by refusing one. The file is on the disk and indexed when this
    /// returns, and removed when it is let go of, unless somebody makes it live.
    ///
    /// The live file may be written to meanwhile. It is held still, as one moment of it, only for the last events
    /// before the comparison and the comparison itself: held longer, its write-ahead log could not be emptied.
    pub(crate) fn fold(
        directory: &ViewsDirectory,
        log: &dyn EventLog,
        most_held: usize,
        goes_on: &dyn Fn(Position) -> bool,
    ) -> Result<Self, ViewsError> {
        let file = ViewsFile::new(directory.next_path()?);
        file.remove_when_dropped();
        let broken = |error| ViewsError::database(file.path())(error);
        let mut fold = file::create_offline(file.path(), most_held, crate::all()).map_err(broken)?;
        let fold_on = |fold: &mut Fold, last: Position| {
            let given_up = Cell::new(false);
            let includes = |event: ScannedEvent<'_>| {
                given_up.set(!goes_on(event.position));
                event.position <= last && !given_up.get()
            };
            catch_up(log, fold, &includes, &broken)?;
            if given_up.get() { Err(ViewsError::GivenUp) } else { Ok(()) }
        };
        if let Some((_, reached)) = live(directory) {
            let last = stop_at(&mut fold, &reached);
            fold_on(&mut fold, last)?;
        }
        let mut comparisons = Vec::new();
        if let Some((live, reached)) = live(directory) {
            let last = stop_at(&mut fold, &reached);
            fold_on(&mut fold, last)?;
            comparisons = compare(&live, &reached, &fold).map_err(broken)?;
        }
        fold.stop_at(|_| Position::new(u64::MAX));
        fold_on(&mut fold, Position::new(u64::MAX))?;
        let (checkpoints, events) = (fold.checkpoints(), fold.read_to().get());
        file::finish_offline(fold).map_err(broken)?;
        Ok(Self { file: Arc::new(file), checkpoints, comparisons, events })
    }

    /// The report on it, once it is live.
    pub(crate) fn rebuilt(self, elapsed: Duration) -> Rebuilt {
        let Self { file, checkpoints, mut comparisons, events } = self;
        let views = checkpoints.into_iter().map(|Checkpoint { projection, position, halt }| {
            let place = comparisons.iter().position(|(name, _)| *name == projection);
            let comparison = place.map(|place| comparisons.swap_remove(place).1);
            RebuiltView { name: projection, position, halt, comparison }
        });
        Rebuilt { events, elapsed, views: views.collect(), file: file.path().to_owned() }
    }
}

/// Compares each view with the live one, if the fold has not passed it: the live file may have been replaced since.
fn compare(
    live: &Connection,
    reached: &[Checkpoint],
    fold: &Fold,
) -> Result<Vec<(&'static str, Comparison)>, rusqlite::Error> {
    let mut comparisons = Vec::with_capacity(reached.len());
    for ((projection, new), old) in fold.projections().zip(fold.checkpoints()).zip(reached) {
        if new.position > old.position {
            continue;
        }
        let mut comparison = Comparison {
            position: old.position,
            before: digest::of_view(live, projection)?,
            after: None,
            differences: Vec::new(),
            differing_rows: 0,
        };
        if new.position == old.position {
            comparison.after = Some(digest::of_view(fold.connection(), projection)?);
            if !comparison.is_equal() {
                let Comparison { differences, differing_rows, .. } = &mut comparison;
                verify::compare_view(live, fold.connection(), projection, &mut |difference| {
                    *differing_rows += 1;
                    if differences.len() < MOST_NAMED {
                        differences.push(difference);
                    }
                })?;
            }
        }
        comparisons.push((projection.name(), comparison));
    }
    Ok(comparisons)
}

#[cfg(test)]
mod tests;
