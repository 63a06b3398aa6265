//! Keys of single events, made ahead in blocks: a command that gives a reason costs no second durable write.

use std::collections::VecDeque;

use crypto::{DataKey, DataKeyRef, Entropy, MasterKey};
use store::{EventLog, KeyStore};
use tokio::sync::Mutex;

use crate::{error::Fault, vault::KeyRingError};

/// Keys that one durable write makes.
const BLOCK: u64 = 1_024;
const EVENT_KEY: &str = "event";

/// Keys that are stored and not used yet, with their slots. A slot is used once: those a crash or a failed commit
/// leaves over are never taken up again.
pub(super) struct EventKeys(Mutex<Stock>);

struct Stock {
    ready: VecDeque<(u64, DataKey)>,
    next_block: u64,
}

impl EventKeys {
    pub(super) async fn open(keys: &dyn KeyStore, log: &dyn EventLog) -> Result<Self, KeyRingError> {
        let stored = keys.last_event_key().await?;
        let used = log.last_event_key_slot().await?;
        // A slot that the log refers to and the key store never had means that the key store is an older copy.
        if used > stored {
            return Err(KeyRingError::KeysBehindLog { used, stored });
        }
        Ok(Self(Mutex::new(Stock { ready: VecDeque::new(), next_block: stored + 1 })))
    }

    /// A key that nothing is sealed under, and its slot.
    pub(super) async fn take(
        &self,
        keys: &dyn KeyStore,
        master_key: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<(u64, DataKey), Fault> {
        let mut stock = self.0.lock().await;
        if stock.ready.is_empty() {
            let from = stock.next_block;
            let mut made = VecDeque::with_capacity(BLOCK as usize);
            let mut wrapped = Vec::with_capacity(BLOCK as usize);
            for slot in from..from + BLOCK {
                let key = DataKey::random(entropy)?;
                let id = slot.to_string();
                wrapped.push(master_key.wrap(DataKeyRef { purpose: EVENT_KEY, id: &id }, &key, entropy)?);
                made.push_back((slot, key));
            }
            // Skipped even if the write fails: whether it took place is not known then.
            stock.next_block = from + BLOCK;
            keys.insert_event_keys(from, wrapped).await?;
            stock.ready = made;
        }
        let taken = stock.ready.pop_front();
        taken.ok_or_else(|| Fault::permanent("taking an event key", NoKey))
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
