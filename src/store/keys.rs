//! The keys that open the vault, kept apart from the log so that deleting one is an erasure.

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::KeyStoreError;

/// A random data key, wrapped by the master key.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Names the key.
    pub id: String,
    /// What it is for.
    pub purpose: String,
    /// The wrapped key; the store cannot open it.
    pub wrapped: Vec<u8>,
}

/// The key of one person.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonKey {
    /// The person's pseudonym.
    pub person: Uuid,
    /// A keyed digest by which the same person is found again.
    pub token: Option<Vec<u8>>,
    /// The wrapped key; the store cannot open it.
    pub wrapped: Vec<u8>,
}

/// Durable storage of wrapped keys.
///
/// Every change is durable before it is answered, and a dropped future does not undo it. A deleted key is overwritten
/// and gone from every file of the store before the deletion is answered; copies in back-ups are the operator's.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// All data keys, in the order of their storing.
    async fn data_keys(&self) -> Result<Vec<WrappedKey>, KeyStoreError>;

    /// Stores a data key under a new id.
    async fn insert_data_key(&self, key: WrappedKey) -> Result<(), KeyStoreError>;

    /// The person with this token.
    async fn person_by_token(&self, token: &[u8]) -> Result<Option<Uuid>, KeyStoreError>;

    /// Stores the key of a person, and answers who it is: an existing token (or person) wins over the new one, which
    /// is then not stored.
    async fn insert_person(&self, key: PersonKey) -> Result<Uuid, KeyStoreError>;

    /// The wrapped key of a person; `None` once erased.
    async fn person_key(&self, person: Uuid) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Erases persons, each one's key and token, and redacts what is sealed under the keys of these slots, in one durable
    /// write. What is not there is no error; a slot is never used again.
    async fn erase(&self, persons: &[Uuid], slots: &[u64]) -> Result<(), KeyStoreError>;

    /// The wrapped event key in this slot; `None` if there never was one, or once redacted.
    async fn event_key(&self, slot: u64) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Stores keys in the slots `from_slot`, `from_slot + 1`, …, in one durable write.
    async fn insert_event_keys(&self, from_slot: u64, wrapped: Vec<Vec<u8>>) -> Result<(), KeyStoreError>;

    /// The highest slot that ever held a key; 0 before the first. Slots count from 1.
    async fn last_event_key(&self) -> Result<u64, KeyStoreError>;
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WrappedKey({}, {})", self.id, self.purpose)
    }
}

impl std::fmt::Debug for PersonKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PersonKey({})", self.person)
    }
}
