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

/// A view before and after a rebuild.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuiltView {
    /// The view.
    pub name: &'static str,
    /// The old one; `None` if there was none that could be read.
    pub before: Option<ViewDigest>,
    /// The new one at the position of the old one; at its own where there is none to compare.
    pub after: ViewDigest,
    /// How far the new view has come.
    pub position: Position,
    /// Why it came no further.
    pub halt: Option<Halt>,
}

/// A digest of a view at a position: equal for equal views.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewDigest {
    /// The last event folded.
    pub position: Position,
    /// SHA-256 over all rows, in hexadecimal.
    pub digest: String,
}

impl RebuiltView {
    /// Whether the old view was what its log says; `None` if there was none.
    #[must_use]
    pub fn was_equal(&self) -> Option<bool> {
        self.before.as_ref().map(|before| *before == self.after)
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
    let before_of = |name: &str| before.iter().find(|(view, _)| *view == name).map(|(_, digest)| digest.clone());
    let mut events = 0;
    let mut after = Vec::new();
    if !before.is_empty() {
        let compared_at = |name: &str| before_of(name).map_or(Position::ORIGIN, |before| before.position);
        fold.stop_at(compared_at);
        events = catch_up(log, &mut fold, &|event| before.iter().any(|(_, to)| event.position <= to.position), &broken)?;
        after = digests(fold.connection(), &fold.checkpoints()).map_err(broken)?;
        fold.stop_at(|_| Position::new(u64::MAX));
    }
    events += catch_up(log, &mut fold, &|_| true, &broken)?;
    if after.is_empty() {
        after = digests(fold.connection(), &fold.checkpoints()).map_err(broken)?;
    }
    let t=std::time::Instant::now();let checkpoints = fold.checkpoints();
    file::finish_offline(fold).map_err(broken)?;
    let file = ViewsFile::new(path.clone());
    directory.make_live(&file)?;
    eprintln!("capply cflush aapply aflush parse commit {:?} finish {:?} total {:?}", crate::fold::T.each_ref().map(|t| t.swap(0, std::sync::atomic::Ordering::Relaxed) / events.max(1)), t.elapsed(), begun.elapsed());

    let views = checkpoints.into_iter().zip(after);
    let views = views.map(|(Checkpoint { projection, position, halt }, (_, after))| RebuiltView {
        name: projection,
        before: before_of(projection),
        after,
        position,
        halt,
    });
    Ok(Rebuilt { events, elapsed: begun.elapsed(), views: views.collect(), file: path })
}

/// The digests of all views of a file, over one moment of it.
fn digests_of(file: &Path) -> Result<Vec<(&'static str, ViewDigest)>, file::Unusable> {
    let live = file::open_to_compare(file)?;
    let checkpoints = crate::fold::checkpoints(&live, &crate::all())?;
    Ok(digests(&live, &checkpoints)?)
}

fn digests(
    views: &Connection,
    checkpoints: &[Checkpoint],
) -> Result<Vec<(&'static str, ViewDigest)>, rusqlite::Error> {
    let projections = crate::all();
    let pairs = projections.iter().zip(checkpoints);
    pairs
        .map(|(projection, checkpoint)| {
            let digest = digest::of_view(views, &**projection)?;
            Ok((projection.name(), ViewDigest { position: checkpoint.position, digest }))
        })
        .collect()
}

#[cfg(test)]
mod tests;
