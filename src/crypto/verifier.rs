//! Verifiers: what is kept of a password or secret, and the pool of threads that makes and checks them.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use tokio::sync::{Semaphore, oneshot};

use crate::SecretString;

mod phc;
#[cfg(test)]
mod tests;
mod worker;

pub use phc::UnsupportedVerifier;

use phc::Verifier;
use worker::{Job, Task};

/// A fixed number of threads that do Argon2id, and a queue of fixed length before them.
///
/// New verifiers take 19 MiB, 2 passes, 1 lane (OWASP's first choice) and are PHC strings. A thread has one
/// buffer of that size while it has work, and none while it waits for some: the pool takes `workers × 19 MiB` at
/// the most. A verifier with other costs, from an import, is checked at its own costs, within limits, in memory
/// of its own.
///
/// At most `workers + queue` requests are inside. One more is answered [`Busy`](VerifierError::Busy) at once:
/// under a flood of guesses the wait stays short for those who are in. A request whose future is dropped is
/// passed over when its turn comes, unless a thread has begun on it.
///
/// Dropping the pool stops its threads and waits for them: as no future outlives the pool it borrows, that is
/// one computation at the most.
pub struct Argon2Pool {
    // `None` only while dropping: the threads end when the last sender is gone.
    jobs: Option<Sender<Job>>,
    places: Arc<Semaphore>,
    workers: Vec<JoinHandle<()>>,
    verifications: AtomicU64,
}

impl Argon2Pool {
    /// Starts `workers` threads, with room for `queue` requests to wait. Fails if the system refuses a
    /// thread.
    pub fn new(workers: NonZeroUsize, queue: usize) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut pool = Self {
            jobs: Some(sender),
            places: Arc::new(Semaphore::new(workers.get().saturating_add(queue).min(Semaphore::MAX_PERMITS))),
            workers: Vec::with_capacity(workers.get()),
            verifications: AtomicU64::new(0),
        };
        for number in 0..workers.get() {
            let receiver = Arc::clone(&receiver);
            let thread = thread::Builder::new().name(format!("argon2-{number}"));
            pool.workers.push(thread.spawn(move || worker::run(&receiver))?);
        }
        Ok(pool)
    }

    /// A new verifier of `secret`, as a PHC string. `salt` is fresh for each.
    pub async fn hash(&self, secret: SecretString, salt: [u8; 16]) -> Result<String, VerifierError> {
        self.submit(|answer| Task::Hash { secret, salt, answer }).await?
    }

    /// Whether `secret` is the one that `phc` is a verifier of; compared in constant time. A `phc` that is
    /// not one of ours or costs too much is refused before it takes a place.
    pub async fn verify(&self, secret: SecretString, phc: String) -> Result<bool, VerifierError> {
        let verifier = Verifier::parse(&phc)?;
        self.verifications.fetch_add(1, Ordering::Relaxed);
        self.submit(|answer| Task::Verify { secret, verifier, answer }).await?
    }

    /// How many verifications were asked for: each costs tens of milliseconds of a processor.
    #[must_use]
    pub fn verifications(&self) -> u64 {
        self.verifications.load(Ordering::Relaxed)
    }

    async fn submit<T>(&self, task: impl FnOnce(oneshot::Sender<T>) -> Task) -> Result<T, VerifierError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| VerifierError::Busy)?;
        let (answer, result) = oneshot::channel();
        let job = Job { task: task(answer), place };
        self.jobs.as_ref().ok_or(VerifierError::Stopped)?.send(job).map_err(|_| VerifierError::Stopped)?;
        result.await.map_err(|_| VerifierError::Stopped)
    }
}

impl Drop for Argon2Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for worker in self.workers.drain(..) {
            // A thread that panicked has nothing left to stop.
            let _ = worker.join();
        }
    }
}

impl fmt::Debug for Argon2Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Argon2Pool")
            .field("workers", &self.workers.len())
            .field("free_places", &self.places.available_permits())
            .finish_non_exhaustive()
    }
}

/// Why there is no verifier, or no verdict. None of these says that a secret is wrong.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum VerifierError {
    /// All places are taken: try again later.
    #[error("run argon2: all places are taken")]
    Busy,
    /// The threads have ended.
    #[error("run argon2: the pool has stopped")]
    Stopped,
    /// The stored verifier is not one that is computed here.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedVerifier),
    /// Argon2 itself refused: out of memory, or a secret above 4 GiB.
    #[error("run argon2: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
}
