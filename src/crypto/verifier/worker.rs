//! One thread of the pool.

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError, TryLockError};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use zeroize::Zeroizing;

use super::VerifierError;
use super::phc::{self, Verifier};
use crate::{ExposeSecret, SecretString};

/// 19 MiB, 2 passes, 1 lane, 32 bytes of hash.
const COSTS: Params = Params::DEFAULT;
const HASH_LENGTH: usize = Params::DEFAULT_OUTPUT_LEN;

/// A request on its way to a thread, and the place it takes in the pool.
pub(super) struct Job {
    pub task: Task,
    pub place: OwnedSemaphorePermit,
}

pub(super) enum Task {
    Hash { secret: SecretString, salt: [u8; 16], answer: Answer<String> },
    Verify { secret: SecretString, verifier: Verifier, answer: Answer<bool> },
}

type Answer<T> = oneshot::Sender<Result<T, VerifierError>>;

/// Works until the pool lets go of its end of the queue.
pub(super) fn run(jobs: &Mutex<Receiver<Job>>) {
    let mut memory = Vec::new();
    while let Some(Job { task, place }) = next(jobs, &mut memory) {
        memory.resize_with(COSTS.block_count(), Block::default);
        match task {
            Task::Hash { secret, salt, answer } => {
                respond(answer, place, || hash(&secret, &salt, &mut memory));
            }
            Task::Verify { secret, verifier, answer } => {
                respond(answer, place, || verify(&secret, &verifier, &mut memory));
            }
        }
    }
}

/// The next job. A thread that finds none waiting gives its memory back first: a service that checks no secrets for a
/// while is as small as one that never did.
fn next(jobs: &Mutex<Receiver<Job>>, memory: &mut Vec<Block>) -> Option<Job> {
    let waiting = match jobs.try_lock() {
        Ok(jobs) => jobs.try_recv().ok(),
        Err(TryLockError::Poisoned(jobs)) => jobs.into_inner().try_recv().ok(),
        // Whoever has the lock waits for a job: there is none.
        Err(TryLockError::WouldBlock) => None,
    };
    waiting.or_else(|| {
        *memory = Vec::new();
        // Held while waiting, not while working: one thread waits for a job, the others for the lock.
        jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
    })
}

/// Computes the answer, unless nobody waits for it any more.
fn respond<T>(
    answer: Answer<T>,
    place: OwnedSemaphorePermit,
    compute: impl FnOnce() -> Result<T, VerifierError>,
) {
    if answer.is_closed() {
        return;
    }
    let outcome = compute();
    // Before the answer: who has it can be sure that there is room for the next request.
    drop(place);
    // That nobody takes it is no concern of ours.
    let _ = answer.send(outcome);
}

fn hash(secret: &SecretString, salt: &[u8], memory: &mut [Block]) -> Result<String, VerifierError> {
    let hash = argon2id(&COSTS, secret, salt, HASH_LENGTH, memory)?;
    Ok(phc::format(&COSTS, salt, &hash))
}

fn verify(secret: &SecretString, verifier: &Verifier, memory: &mut [Block]) -> Result<bool, VerifierError> {
    let Verifier { params, salt, hash } = verifier;
    let computed = argon2id(params, secret, salt, hash.len(), memory)?;
    Ok(computed.ct_eq(hash).into())
}

fn argon2id(
    params: &Params,
    secret: &SecretString,
    salt: &[u8],
    length: usize,
    memory: &mut [Block],
) -> Result<Zeroizing<Vec<u8>>, VerifierError> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let secret = secret.expose_secret().as_bytes();
    let mut hash = Zeroizing::new(vec![0; length]);
    let outcome = if params.block_count() <= memory.len() {
        argon2.hash_password_into_with_memory(secret, salt, &mut hash, memory)
    } else {
        argon2.hash_password_into(secret, salt, &mut hash)
    };
    outcome.map_err(|source| VerifierError::Failed { reason: source.to_string() })?;
    Ok(hash)
}
