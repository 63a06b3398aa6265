//! The data keys of the service: random, wrapped by the master key, the same on every node.

use std::io;

use crypto::{CursorKey, DataKey, DataKeyRef, Entropy, KeyedDigest, MasterKey, TagKeys, UnwrapError};
use store::{EventLog, KeyStore, KeyStoreError, Position, ReadError, WrappedKey};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::marked_key::{Looked, MarkedKey};
use crate::error::Fault;

pub(super) const PERSON_KEY: &str = "person";
const VAULT: &str = "vault";
const DIGEST: &str = "digest";
const TAG: &str = "tag";
/// Every purpose and the id of its first key. The id of a tag key is a number: it stands in each secret.
const FIRST_KEYS: [(&str, &str); 3] = [(VAULT, "vault-1"), (DIGEST, "digest-1"), (TAG, "tag-1")];

/// The unwrapped data keys.
pub(crate) struct KeyRing {
    /// Seal credentials: the newest seals, all of them open.
    vaults: Vec<MarkedKey>,
    /// E-mail tokens, request digests, token verifiers.
    pub(crate) digests: KeyedDigest,
    /// The tags of secrets.
    pub(crate) tags: TagKeys,
    /// The MACs of cursors.
    pub(crate) cursors: CursorKey,
    /// Seals access tokens that say nothing to who holds them.
    pub(crate) tokens: DataKey,
}

/// Why the vault could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// The master key is another one, or a key is damaged.
    #[error("unwrapping data key `{id}`")]
    Unwrap {
        /// Which key.
        id: String,
        /// What is wrong.
        #[source]
        source: UnwrapError,
    },
    /// The log has events, and the key store has no key of this purpose.
    #[error(
        "the log has events, but the key store has no `{0}` key: restore keys.db from the back-up of this log"
    )]
    Missing(&'static str),
    /// The key store is older than the log.
    #[error("the log refers to event key {used}, the key store ends at {stored}: it is an older copy")]
    KeysBehindLog {
        /// The newest slot that the log refers to.
        used: u64,
        /// The newest slot that the key store has.
        stored: u64,
    },
    /// The key store is older than the log, or a key was deleted without the event that says so.
    #[error(
        "the newest events name person {0}, who was not erased and has no key: keys.db is an older copy than log.db, or \
         was altered; restore both from the same back-up"
    )]
    PersonKeyMissing(Uuid),
    /// What was erased could not be read, or not be erased again.
    #[error("applying the list of erasures")]
    Erasures(#[from] Fault),
    /// The credentials could not be compared with the events that committed to them.
    #[error("comparing the credentials with the log")]
    Credentials(#[source] Fault),
    /// The key store cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// No random bytes.
    #[error(transparent)]
    Entropy(#[from] crypto::EntropyError),
    /// The system gave no threads.
    #[error("starting the threads that hash secrets")]
    Threads(#[source] io::Error),
}

impl KeyRing {
    pub(super) async fn open(
        keys: &dyn KeyStore,
        master_key: &MasterKey,
        log: &dyn EventLog,
        entropy: &dyn Entropy,
    ) -> Result<Self, KeyRingError> {
        let mut stored = keys.data_keys().await?;
        if log.head().await? == Position::ORIGIN {
            // A crash may have left some of them: what is there is kept, what is missing is made.
            for (purpose, id) in FIRST_KEYS {
                if !stored.iter().any(|key| key.purpose == purpose) {
                    let wrapped =
                        master_key.wrap(DataKeyRef { purpose, id }, &DataKey::random(entropy)?, entropy)?;
                    let key = WrappedKey { id: id.to_owned(), purpose: purpose.to_owned(), wrapped };
                    match keys.insert_data_key(key).await {
                        // Another node that starts at this moment was faster: its key is the one.
                        Ok(()) | Err(KeyStoreError::DataKeyExists(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            stored = keys.data_keys().await?;
        }
        let all = |purpose: &'static str| {
            let keys = stored.iter().filter(move |key| key.purpose == purpose);
            keys.map(|key| unwrap(master_key, key)).collect::<Result<Vec<_>, _>>()
        };
        let newest = |purpose: &'static str| {
            let key =
                stored.iter().rfind(|key| key.purpose == purpose).ok_or(KeyRingError::Missing(purpose))?;
            unwrap(master_key, key)
        };
        newest(VAULT)?;
        let digest = newest(DIGEST)?;
        Ok(Self {
            vaults: all(VAULT)?.into_iter().map(MarkedKey::new).collect(),
            digests: KeyedDigest::new(&digest),
            cursors: CursorKey::new(&digest),
            tokens: digest.derive("access-tokens"),
            tags: TagKeys::new(1, &newest(TAG)?),
        })
    }

    /// The key that seals credentials now.
    pub(super) fn sealing(&self) -> &MarkedKey {
        &self.vaults[self.vaults.len() - 1]
    }

    /// Opens a credential, whichever of the keys sealed it; `None` if none did, or it was altered.
    pub(super) fn unseal(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.vaults.iter().rev().find_map(|key| match key.open(place, sealed) {
            Ok(Looked::Opened(encoded)) => Some(encoded),
            Ok(Looked::OfAnotherKey) | Err(_) => None,
        })
    }
}

fn unwrap(master_key: &MasterKey, key: &WrappedKey) -> Result<DataKey, KeyRingError> {
    let place = DataKeyRef { purpose: &key.purpose, id: &key.id };
    master_key
        .unwrap(place, &key.wrapped)
        .map_err(|source| KeyRingError::Unwrap { id: key.id.clone(), source })
}
