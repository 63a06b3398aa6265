//! What the write side knows of its own health.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use store::Cause;

use crate::App;

/// How long after a commit failed nobody is told that the next one will do better, unless the disk is seen to have mended.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How often the disk is tried. A commit is as good.
const PROBE_EVERY: Duration = Duration::from_secs(1);
/// A disk that takes longer than this is none that commits can wait for.
const STUCK_AFTER: Duration = Duration::from_secs(5);

/// What works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The head of the log can be read: without it no token and no secret can be judged.
    pub log_readable: bool,
    /// Something was written where the log is within the last seconds, and no commit has failed since.
    pub log_writable: bool,
    /// The key store can be read: without it no private part can be sealed, and so no command recorded.
    pub keys_readable: bool,
}

/// What is known of writing. By the monotonic clock: the wall clock may be set.
#[derive(Debug, Default)]
pub(crate) struct Writing(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When a commit last failed, unless one has succeeded since or the disk has mended.
    failed: Option<Instant>,
    /// When a commit last succeeded.
    succeeded: Option<Instant>,
    /// Since when the disk is being tried.
    probing: Option<Instant>,
    /// The last try failed.
    broken: bool,
}

impl Writing {
    pub(crate) fn failed(&self) {
        self.known().failed = Some(Instant::now());
    }

    pub(crate) fn succeeded(&self) {
        let mut known = self.known();
        known.failed = None;
        known.succeeded = Some(Instant::now());
    }

    pub(crate) fn works(&self) -> bool {
        let known = self.known();
        let within = |since: Option<Instant>, time| since.is_some_and(|since| since.elapsed() < time);
        let stuck = known.probing.is_some() && !within(known.probing, STUCK_AFTER);
        !(known.broken || stuck || within(known.failed, TRY_AGAIN_AFTER))
    }

    /// Whether the disk is to be tried now, because no commit has just done it.
    fn begin_probe(&self) -> bool {
        let mut known = self.known();
        let proved = known.succeeded.is_some_and(|at| at.elapsed() < PROBE_EVERY);
        if proved && !known.broken && known.failed.is_none() {
            return false;
        }
        known.probing = Some(Instant::now());
        true
    }

    fn end_probe(&self, tried: Result<(), Cause>) {
        let mut known = self.known();
        known.probing = None;
        let was_broken = std::mem::replace(&mut known.broken, tried.is_err());
        match tried {
            Ok(()) if was_broken => {
                // What failed was the disk, and it works again: no need to wait any longer.
                known.failed = None;
                tracing::info!("the data directory can be written again");
            }
            Err(error) if !was_broken => tracing::error!(%error, "the data directory cannot be written"),
            Ok(()) | Err(_) => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Tries the disk for as long as the write side is there, so that whoever asks for its health waits for nothing.
    pub(crate) fn try_disk(&self) {
        let inner = Arc::downgrade(&self.inner);
        self.commands.spawn(async move {
            while let Some(held) = inner.upgrade() {
                let probe = held.writing.begin_probe().then(|| held.log.write_probe());
                // Not held while the disk is tried: the data directory is locked for as long as anybody holds it.
                drop(held);
                if let Some(probe) = probe {
                    let tried = tokio::task::spawn_blocking(probe).await;
                    let Some(held) = inner.upgrade() else { return };
                    // A thread that is gone has told nothing.
                    if let Ok(tried) = tried {
                        held.writing.end_probe(tried);
                    }
                }
                tokio::time::sleep(PROBE_EVERY).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Cause {
        Arc::new(std::io::Error::from(std::io::ErrorKind::StorageFull))
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_known_without_a_commit_and_for_as_long_as_it_lasts() {
        let writing = Writing::default();
        assert!(writing.works());
        assert!(writing.begin_probe());
        assert!(writing.works(), "a try that has just begun says nothing");
        writing.end_probe(Err(full()));
        assert!(!writing.works());
        writing.failed();
        assert!(writing.begin_probe());
        assert!(!writing.works(), "nor does it say that anything has mended");
        writing.end_probe(Ok(()));
        assert!(writing.works(), "a commit that failed on a full disk is forgotten with it");
    }

    #[test]
    fn a_commit_that_fails_on_a_disk_that_works_is_remembered_until_one_succeeds() {
        let writing = Writing::default();
        writing.failed();
        assert!(writing.begin_probe());
        writing.end_probe(Ok(()));
        assert!(!writing.works());
        writing.succeeded();
        assert!(writing.works());
        assert!(!writing.begin_probe(), "a commit has just tried the disk");
    }
}
