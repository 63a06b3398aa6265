//! Folding the log as far as it reaches, on this thread: rebuilds, comparisons and looks at the past.

use std::ops::ControlFlow;

use store::{EventLog, Position, ReadError, ScannedEvent};

use crate::error::ViewsError;
use crate::fold::{Fold, FoldError, Unread};

/// Events in a transaction: more of them than when following, so that each row is written less often.
const PAGE: usize = 32_768;

/// Entries copied out of the log's own pages, one behind the other.
#[derive(Default)]
struct Page {
    bytes: Vec<u8>,
    ends: Vec<(Position, usize)>,
}

/// Folds everything after what was read last, up to the first event that `includes` refuses or to the end of the log.
/// Answers how many events that were. `broken` says which error a file that cannot be written is. Where the log cannot
/// be read on, everything before that place is folded all the same.
pub(crate) fn catch_up(
    log: &dyn EventLog,
    fold: &mut Fold,
    includes: &dyn Fn(ScannedEvent<'_>) -> bool,
    broken: &dyn Fn(rusqlite::Error) -> ViewsError,
) -> Result<u64, ViewsError> {
    let begun = fold.read_to();
    loop {
        match scan(log, fold, includes) {
            Err(Stopped::Fold(FoldError::Again(_))) => {}
            Err(Stopped::Fold(error)) => return Err(error.into_views_error(broken)),
            Err(Stopped::Log(error)) => return Err(error.into()),
            Ok(()) => return Ok(fold.read_to().get() - begun.get()),
        }
    }
}

/// Why the log was not folded to its end.
enum Stopped {
    Fold(FoldError),
    Log(ReadError),
}

/// Folds and commits what stands after the last event that was read.
fn scan(
    log: &dyn EventLog,
    fold: &mut Fold,
    includes: &dyn Fn(ScannedEvent<'_>) -> bool,
) -> Result<(), Stopped> {
    let mut page = Page::default();
    let mut failure = None;
    let scanned = log.scan(fold.read_to(), &mut |event| {
        if !includes(event) {
            return ControlFlow::Break(());
        }
        page.push(event);
        if page.ends.len() < PAGE {
            return ControlFlow::Continue(());
        }
        match page.fold_into(fold) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    let folded = failure.map_or_else(|| page.fold_into(fold), Err);
    // Also what stands before a hole is worth keeping.
    let settled = if matches!(folded, Ok(()) | Err(FoldError::Hole { .. })) { fold.settle() } else { Ok(()) };
    settled.and(folded).map_err(Stopped::Fold)?;
    scanned.map_err(Stopped::Log)?;
    Ok(())
}

impl Page {
    fn push(&mut self, event: ScannedEvent<'_>) {
        self.bytes.extend_from_slice(event.entry);
        self.ends.push((event.position, self.bytes.len()));
    }

    /// Folds what was gathered and starts over.
    fn fold_into(&mut self, fold: &mut Fold) -> Result<(), FoldError> {
        let mut begin = 0;
        let mut unread = Vec::with_capacity(self.ends.len());
        for (position, end) in &self.ends {
            unread.push(Unread { position: *position, entry: &self.bytes[begin..*end] });
            begin = *end;
        }
        fold.page(&unread)?;
        self.bytes.clear();
        self.ends.clear();
        Ok(())
    }
}
