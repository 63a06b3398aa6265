//! Verifying all there is: the log, who holds what in it, and the live views against a fresh fold. What the command line
//! and the API both do.

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use store::{EventLog, Position, ReadError, Verified};
use tokio::sync::oneshot;

use crate::claims::verify_claims;
use crate::error::ViewsError;
use crate::file::ViewsDirectory;
use crate::verify::{Difference, VerifiedView, verify};
use crate::views::Views;

/// How much a verification gives way to everything else: as far as the system allows.
const NICENESS: i32 = 19;

/// What is being looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The log, row by row.
    Log,
    /// The views, by folding the log again.
    Views,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Of the log, in words that name the place.
    Defect(String),
    /// A row of a view that is not what the log says.
    Row(Difference),
}

/// What a verification found, beside what it reported one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How far the log reaches; `None` if it cannot be read to its end.
    pub log: Option<Verified>,
    /// How many defects were reported.
    pub defects: u64,
    /// How many rows were reported.
    pub differing_rows: u64,
    /// Where the live views are; `None` if there are none.
    pub views: Option<Vec<VerifiedView>>,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it must be.
    Sound,
    /// The log, or what was read of it a second time, is damaged.
    LogDamaged,
    /// The log is sound, and a view is not what it says.
    ViewsDiffer,
    /// There is nothing wrong, and a view is missing or halted.
    ViewsIncomplete,
}

impl Verification {
    /// The worst there is.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let any = |is: fn(&VerifiedView) -> bool| self.views.iter().flatten().any(is);
        // What a second look at the log found damaged is as bad as what the first one did.
        if self.defects > 0 || any(|view| view.incomparable.is_some()) {
            Verdict::LogDamaged
        } else if self.differing_rows > 0 {
            Verdict::ViewsDiffer
        } else if self.views.is_none() || any(|view| view.checkpoint.halt.is_some()) {
            Verdict::ViewsIncomplete
        } else {
            Verdict::Sound
        }
    }
}

impl Verdict {
    /// The name in the log and over the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sound => "sound",
            Self::LogDamaged => "log_damaged",
            Self::ViewsDiffer => "views_differ",
            Self::ViewsIncomplete => "views_incomplete",
        }
    }
}

/// Verifies everything. `progress` hears of each position, once a stage. Changes nothing, and works while the log is
/// written and the views are followed. Blocks.
///
/// # Errors
/// When the log cannot be read now, or there is no room for the fresh fold; what is damaged is reported instead.
pub fn verify_all(
    data_directory: &Path,
    log: &dyn EventLog,
    progress: &dyn Fn(Stage, Position),
    report: &mut dyn FnMut(Finding),
) -> Result<Verification, ViewsError> {
    verify_in(&ViewsDirectory::of(data_directory), log, progress, report)
}

fn verify_in(
    directory: &ViewsDirectory,
    log: &dyn EventLog,
    progress: &dyn Fn(Stage, Position),
    report: &mut dyn FnMut(Finding),
) -> Result<Verification, ViewsError> {
    let (defects, differing_rows) = (Cell::new(0), Cell::new(0));
    let mut defect = |text: String| {
        defects.set(defects.get() + 1);
        report(Finding::Defect(text));
    };
    let walked =
        log.verify(&mut |position| progress(Stage::Log, position), &mut |found| defect(found.to_string()));
    let verified = match walked {
        Ok(verified) => Some(verified),
        // A row that cannot be read at all is a verdict too.
        Err(error @ ReadError::Corrupt { .. }) => {
            defect(error.to_string());
            None
        }
        Err(error) => return Err(error.into()),
    };
    if verified.is_some() {
        match verify_claims(log, &mut |found| defect(found.to_string())) {
            // A hole is among the defects already.
            Ok(()) | Err(ReadError::Corrupt { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let folded = |position| progress(Stage::Views, position);
    let compared = verify(directory, log, &folded, &mut |row| {
        differing_rows.set(differing_rows.get() + 1);
        report(Finding::Row(row));
    });
    let views = match compared {
        Ok(views) => Some(views),
        Err(ViewsError::Missing(_)) => None,
        Err(error) => return Err(error),
    };
    Ok(Verification { log: verified, defects: defects.get(), differing_rows: differing_rows.get(), views })
}

impl Views {
    /// Verifies everything on a thread of its own, which gives way to everything else. The process does not wait for it
    /// when it stops.
    ///
    /// # Errors
    /// As [`verify_all`]; or the system gives no thread.
    pub async fn verify_all(
        &self,
        progress: impl Fn(Stage, Position) + Send + 'static,
        mut report: impl FnMut(Finding) + Send + 'static,
    ) -> Result<Verification, ViewsError> {
        let (log, directory) = (Arc::clone(self.log()), self.directory().clone());
        let (done, verified) = oneshot::channel();
        let no_thread = ViewsError::directory(self.directory().path());
        let work = move || {
            // Where the system refuses, it is as important as everything else: slower for the others, not wrong.
            let _ = rustix::process::nice(NICENESS);
            // Nobody listens any more when the process stops.
            let _ = done.send(verify_in(&directory, &*log, &progress, &mut report));
        };
        thread::Builder::new().name("audit-verify".to_owned()).spawn(work).map_err(no_thread)?;
        verified.await.unwrap_or(Err(ViewsError::GivenUp))
    }
}
