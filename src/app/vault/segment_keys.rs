//! Keys of segments of the activity log: deleting one erases where everybody came from in its segment.

use std::sync::{Arc, PoisonError, RwLock};

use crypto::{DataKey, DataKeyRef, Entropy, KeyedDigest, MasterKey};
use store::{KeyStore, KeyStoreError, SegmentNumber, WrappedKey};

use super::marked_key::MarkedKey;
use crate::error::Fault;

const SEGMENT_KEY: &str = "activity";

/// The key of one segment.
pub(super) struct SegmentKey {
    number: SegmentNumber,
    pub(super) sealing: MarkedKey,
    /// Tokens of addresses. They go with the key: afterwards nobody can tell which records have the same address.
    pub(super) addresses: KeyedDigest,
}

/// The key of the segment that is written now, and how to come by the others.
#[derive(Default)]
pub(super) struct SegmentKeys {
    newest: RwLock<Option<Arc<SegmentKey>>>,
    /// Held by whoever makes the next key.
    making: tokio::sync::Mutex<()>,
}

impl SegmentKeys {
    /// The key of a segment that is written to, made if there is none.
    pub(super) async fn of(
        &self,
        number: SegmentNumber,
        keys: &dyn KeyStore,
        master_key: &MasterKey,
        entropy: &dyn Entropy,
    ) -> Result<Arc<SegmentKey>, Fault> {
        if let Some(key) = self.newest_if(number) {
            return Ok(key);
        }
        let _making = self.making.lock().await;
        // Somebody else may have come by it in the meantime.
        if let Some(key) = self.newest_if(number) {
            return Ok(key);
        }
        let key = match stored(number, keys, master_key).await? {
            Some(key) => key,
            None => made(number, keys, master_key, entropy).await?,
        };
        let key = Arc::new(key);
        *self.newest.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&key));
        Ok(key)
    }

    fn newest_if(&self, number: SegmentNumber) -> Option<Arc<SegmentKey>> {
        let newest = self.newest.read().unwrap_or_else(PoisonError::into_inner);
        newest.as_ref().filter(|key| key.number == number).map(Arc::clone)
    }
}

impl SegmentKey {
    fn new(number: SegmentNumber, key: DataKey) -> Self {
        let addresses = KeyedDigest::new(&key.derive("addresses"));
        Self { number, sealing: MarkedKey::new(key), addresses }
    }
}

async fn stored(
    number: SegmentNumber,
    keys: &dyn KeyStore,
    master_key: &MasterKey,
) -> Result<Option<SegmentKey>, Fault> {
    let id = id(number);
    let all = keys.data_keys().await?;
    let Some(found) = all.iter().find(|key| key.purpose == SEGMENT_KEY && key.id == id) else {
        return Ok(None);
    };
    let key = master_key
        .unwrap(DataKeyRef { purpose: SEGMENT_KEY, id: &id }, &found.wrapped)
        .map_err(|error| Fault::permanent("unwrapping the key of a segment", error))?;
    Ok(Some(SegmentKey::new(number, key)))
}

async fn made(
    number: SegmentNumber,
    keys: &dyn KeyStore,
    master_key: &MasterKey,
    entropy: &dyn Entropy,
) -> Result<SegmentKey, Fault> {
    let (id, key) = (id(number), DataKey::random(entropy)?);
    let wrapped = master_key.wrap(DataKeyRef { purpose: SEGMENT_KEY, id: &id }, &key, entropy)?;
    match keys.insert_data_key(WrappedKey { id, purpose: SEGMENT_KEY.to_owned(), wrapped }).await {
        Ok(()) => Ok(SegmentKey::new(number, key)),
        // Another process of this key store was faster.
        Err(KeyStoreError::DataKeyExists(_)) => stored(number, keys, master_key)
            .await?
            .ok_or_else(|| Fault::permanent("making the key of a segment", NoSegmentKey)),
        Err(error) => Err(error.into()),
    }
}

fn id(number: SegmentNumber) -> String {
    format!("{SEGMENT_KEY}-{}", number.get())
}

#[derive(Debug, thiserror::Error)]
#[error("the key of a segment is gone while it is written to")]
struct NoSegmentKey;
