//! Folding all views anew, beside the old ones.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use store::{EventLog, Position};

use crate::catch_up::catch_up;
use crate::digest;
use crate::error::ViewsError;
use crate::file::{self, ViewsDirectory, ViewsFile};
use crate::fold::{Checkpoint, Halt};

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
}

impl Comparison {
    /// Whether the old view was what its log says.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.after.as_ref() == Some(&self.before)
    }
}

/// Folds the whole log into a new file, compares it with the live one at equal positions, and moves the pointer; the
/// old file is removed. Until the pointer moves the old views stay what they are, whatever happens.
///
/// Blocks. Nobody may follow in the same directory meanwhile; the lock of the data directory sees to that.
///
/// # Errors
/// When the log cannot be read, or has a hole; or when the new file cannot be written.
pub fn rebuild(data_directory: &Path, log: &dyn EventLog) -> Result<Rebuilt, ViewsError> {
    let begun = Instant::now();
    let directory = ViewsDirectory::create(data_directory)?;
    let before = directory.live().and_then(|live| digests_of(&live).ok()).unwrap_or_default();
    let path = directory.next_path()?;
    let broken = |error| ViewsError::database(&path)(error);

    let mut fold = file::create_offline(&path).map_err(broken)?;
    let mut events = 0;
    let mut after = Vec::new();
    if let Some(newest) = before.iter().map(|view| view.position).max() {
        let reached =
            |name: &str| before.iter().find(|view| view.name == name).map_or(newest, |view| view.position);
        fold.stop_at(reached);
        events = catch_up(log, &mut fold, &|event| event.position <= newest, &broken)?;
        after = digests(fold.connection(), &fold.checkpoints()).map_err(broken)?;
        fold.stop_at(|_| Position::new(u64::MAX));
    }
    events += catch_up(log, &mut fold, &|_| true, &broken)?;
    let checkpoints = fold.checkpoints();
    file::finish_offline(fold).map_err(broken)?;
    let file = ViewsFile::new(path.clone());
    directory.make_live(&file)?;

    let views = checkpoints.into_iter().map(|Checkpoint { projection, position, halt }| {
        let old = before.iter().find(|view| view.name == projection);
        let comparison = old.map(|old| Comparison {
            position: old.position,
            before: old.digest.clone(),
            after: after
                .iter()
                .find(|new| (new.name, new.position) == (old.name, old.position))
                .map(|new| new.digest.clone()),
        });
        RebuiltView { name: projection, position, halt, comparison }
    });
    Ok(Rebuilt { events, elapsed: begun.elapsed(), views: views.collect(), file: path })
}

/// A view's digest and where it was taken.
struct ViewDigest {
    name: &'static str,
    position: Position,
    digest: String,
}

/// The digests of all views of a file, over one moment of it.
fn digests_of(file: &Path) -> Result<Vec<ViewDigest>, file::Unusable> {
    let live = file::open_to_compare(file)?;
    let checkpoints = crate::fold::checkpoints(&live, &crate::all())?;
    Ok(digests(&live, &checkpoints)?)
}

fn digests(views: &Connection, checkpoints: &[Checkpoint]) -> Result<Vec<ViewDigest>, rusqlite::Error> {
    let projections = crate::all();
    let pairs = projections.iter().zip(checkpoints);
    pairs
        .map(|(projection, checkpoint)| {
            let digest = digest::of_view(views, &**projection)?;
            Ok(ViewDigest { name: projection.name(), position: checkpoint.position, digest })
        })
        .collect()
}

#[cfg(test)]
mod tests;
