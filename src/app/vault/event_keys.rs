//! Keys of single events, made ahead in blocks: a command that gives a reason costs no second durable write.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crypto::{DataKey, DataKeyRef, Entropy, MasterKey};
use store::{EventLog, KeyStore, KeyStoreError};

use crate::{error::Fault, vault::KeyRingError};

/// Keys that one durable write makes.
const BLOCK: u64 = 1_024;
/// With no more than these left the next block is made, while others go on with what is left.
const LOW: usize = 512;
const EVENT_KEY: &str = "event";

/// Fails if the key store is an older copy than the log: a slot that the log refers to it never had. Answers its newest one.
///
/// # Errors
/// [`KeyRingError::KeysBehindLog`], and whatever keeps either from being read.
pub async fn expect_event_keys(log: &dyn EventLog, keys: &dyn KeyStore) -> Result<u64, KeyRingError> {
    // In this order: a node may make and use keys in between.
    let used = log.last_event_key_slot().await?;
    let stored = keys.last_event_key().await?;
    if used > stored { Err(KeyRingError::KeysBehindLog { used, stored }) } else { Ok(stored) }
}

/// Keys that are stored and not used yet, with their slots. A slot is used once: those a crash or a failed commit
/// leaves over are never taken up again.
pub(super) struct EventKeys {
    ready: Mutex<VecDeque<(u64, DataKey)>>,
    /// The slot that the next block begins with; held by whoever makes that block.
    next_block: tokio::sync::Mutex<u64>,
}

impl EventKeys {
    pub(super) async fn open(keys: &dyn KeyStore, log: &dyn EventLog) -> Result<Self, KeyRingError> {
        let stored = expect_event_keys(log, keys).await?;
        Ok(Self { ready: Mutex::default(), next_block: tokio::sync::Mutex::new(stored + 1) })
    }

    /// A key that nothing is sealed under, and its slot.
    pub(super) async fn take(
        &self,
        keys: &dyn KeyStore,
        master_key: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<(u64, DataKey), Fault> {
        let (taken, left) = self.pop();
        if let Some(taken) = taken {
            if left <= LOW
                && let Ok(mut next_block) = self.next_block.try_lock()
            {
                // The key in hand is good even if there will be no more.
                match make_block(&mut next_block, keys, master_key, entropy).await {
                    Ok(made) => self.ready().extend(made),
                    Err(fault) => tracing::warn!(error = %fault, "making event keys ahead"),
                }
            }
            return Ok(taken);
        }
        let mut next_block = self.next_block.lock().await;
        // Somebody else may have made the block in the meantime.
        if let (Some(taken), _) = self.pop() {
            return Ok(taken);
        }
        let mut made = make_block(&mut next_block, keys, master_key, entropy).await?;
        let taken = made.pop_front();
        self.ready().extend(made);
        taken.ok_or_else(|| Fault::permanent("taking an event key", NoKey))
    }

    fn pop(&self) -> (Option<(u64, DataKey)>, usize) {
        let mut ready = self.ready();
        (ready.pop_front(), ready.len())
    }

    fn ready(&self) -> MutexGuard<'_, VecDeque<(u64, DataKey)>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a block of keys and stores them, after those of other nodes.
async fn make_block(
    next_block: &mut u64,
    keys: &dyn KeyStore,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<VecDeque<(u64, DataKey)>, Fault> {
    loop {
        let from = *next_block;
        let mut made = VecDeque::with_capacity(BLOCK as usize);
        let mut wrapped = Vec::with_capacity(BLOCK as usize);
        for slot in from..from + BLOCK {
            let key = DataKey::random(entropy)?;
            let id = slot.to_string();
            wrapped.push(master_key.wrap(DataKeyRef { purpose: EVENT_KEY, id: &id }, &key, entropy)?);
            made.push_back((slot, key));
        }
        // Skipped even if the write fails: whether it took place is not known then.
        *next_block = from + BLOCK;
        match keys.insert_event_keys(from, wrapped).await {
            Ok(()) => return Ok(made),
            // Another node was faster.
            Err(KeyStoreError::SlotUsed(_)) => {
                *next_block = (*next_block).max(keys.last_event_key().await? + 1);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("a block of event keys was empty")]
struct NoKey;

/// The key of a slot that something is sealed under; `None` once it is redacted.
pub(super) async fn stored(
    keys: &dyn KeyStore,
    master_key: &MasterKey,
    slot: u64,
) -> Result<Option<DataKey>, Fault> {
    let Some(wrapped) = keys.event_key(slot).await? else { return Ok(None) };
    let id = slot.to_string();
    let place = DataKeyRef { purpose: EVENT_KEY, id: &id };
    master_key
        .unwrap(place, &wrapped)
        .map(Some)
        .map_err(|error| Fault::permanent("unwrapping an event key", error))
}
