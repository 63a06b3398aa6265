//! The keys in `keys.db`.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use uuid::Uuid;

use super::DataDirectory;
use super::schema::KEYS;
use crate::error::{KeyStoreError, OpenError};
use crate::keys::{KeyStore, PersonKey, WrappedKey};
use crate::rows::as_i64;

/// The key store in `keys.db`.
///
/// Every call runs on tokio's blocking threads, one at a time; all calls need a tokio runtime. A deletion rewrites the
/// whole file, because SQLite, even with `secure_delete`, now and then leaves copies of rows in
/// unused parts of pages when it balances its trees.
pub struct SqliteKeys {
    connection: Arc<Mutex<Connection>>,
    /// Keeps the lock for as long as the file is open.
    _directory: DataDirectory,
}

/// Another process reads the key file, so that what was deleted cannot be wiped from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another process reads the key file: the key is deleted, its bytes are not wiped yet")]
struct NotWiped;

impl SqliteKeys {
    /// Opens the keys of a directory. Opened to read, it refuses every change.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(directory: &DataDirectory) -> Result<Self, OpenError> {
        let path = directory.keys();
        let connection =
            if directory.is_read_only() { KEYS.open_to_read(&path)? } else { KEYS.open_to_write(&path)? };
        Ok(Self { connection: Arc::new(Mutex::new(connection)), _directory: directory.clone() })
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, KeyStoreError> + Send + 'static,
    ) -> Result<T, KeyStoreError> {
        let connection = Arc::clone(&self.connection);
        tokio::task::spawn_blocking(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(|error| KeyStoreError::Unavailable(Arc::new(error)))?
    }
}

#[async_trait]
impl KeyStore for SqliteKeys {
    async fn data_keys(&self) -> Result<Vec<WrappedKey>, KeyStoreError> {
        self.with(|connection| {
            let mut statement =
                connection.prepare("SELECT id, purpose, wrapped FROM data_keys ORDER BY number")?;
            let keys = statement.query_map([], |row| {
                Ok(WrappedKey { id: row.get(0)?, purpose: row.get(1)?, wrapped: row.get(2)? })
            })?;
            Ok(keys.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn insert_data_key(&self, key: WrappedKey) -> Result<(), KeyStoreError> {
        self.with(move |connection| {
            let inserted = connection.execute(
                "INSERT INTO data_keys (id, purpose, wrapped) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
                params![key.id, key.purpose, key.wrapped],
            )?;
            if inserted == 0 { Err(KeyStoreError::DataKeyExists(key.id)) } else { Ok(()) }
        })
        .await
    }

    async fn person_by_token(&self, token: &[u8]) -> Result<Option<Uuid>, KeyStoreError> {
        let token = token.to_vec();
        self.with(move |connection| Ok(person_by_token(connection, &token)?)).await
    }

    async fn insert_person(&self, key: PersonKey) -> Result<Uuid, KeyStoreError> {
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let known = key.token.as_deref().map(|token| person_by_token(&transaction, token)).transpose()?.flatten();
            if let Some(person) = known {
                return Ok(person);
            }
            transaction.execute(
                "INSERT INTO person_keys (person, token, wrapped) VALUES (?1, ?2, ?3) ON CONFLICT (person) DO NOTHING",
                params![key.person.into_bytes(), key.token, key.wrapped],
            )?;
            transaction.commit()?;
            Ok(key.person)
        })
        .await
    }

    async fn person_key(&self, person: Uuid) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.with(move |connection| {
            let wrapped = "SELECT wrapped FROM person_keys WHERE person = ?1";
            Ok(connection
                .prepare_cached(wrapped)?
                .query_row([person.into_bytes()], |row| row.get(0))
                .optional()?)
        })
        .await
    }

    async fn erase(&self, persons: &[Uuid], slots: &[u64]) -> Result<(), KeyStoreError> {
        let (persons, slots) = (persons.to_vec(), slots.to_vec());
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut erased = 0;
            for person in persons {
                erased += transaction
                    .prepare_cached("DELETE FROM person_keys WHERE person = ?1")?
                    .execute([person.into_bytes()])?;
            }
            for slot in slots {
                erased += transaction
                    .prepare_cached("DELETE FROM event_keys WHERE slot = ?1")?
                    .execute([as_i64(slot)])?;
            }
            if erased > 0 {
                transaction.execute("UPDATE key_file SET to_be_wiped = 1", [])?;
            }
            transaction.commit()?;
            wipe(connection)
        })
        .await
    }

    async fn event_key(&self, slot: u64) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.with(move |connection| {
            let wrapped = "SELECT wrapped FROM event_keys WHERE slot = ?1";
            Ok(connection.prepare_cached(wrapped)?.query_row([as_i64(slot)], |row| row.get(0)).optional()?)
        })
        .await
    }

    async fn insert_event_keys(&self, from_slot: u64, wrapped: Vec<Vec<u8>>) -> Result<(), KeyStoreError> {
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            if from_slot <= last_event_key(&transaction)? {
                return Err(KeyStoreError::SlotUsed(from_slot));
            }
            let mut slot = as_i64(from_slot);
            for key in &wrapped {
                transaction
                    .prepare_cached("INSERT INTO event_keys (slot, wrapped) VALUES (?1, ?2)")?
                    .execute(params![slot, key])?;
                slot += 1;
            }
            transaction.execute(
                "UPDATE key_file SET last_event_key = ?1 WHERE ?1 >= ?2",
                [slot - 1, as_i64(from_slot)],
            )?;
            Ok(transaction.commit()?)
        })
        .await
    }

    async fn last_event_key(&self) -> Result<u64, KeyStoreError> {
        self.with(|connection| Ok(last_event_key(connection)?)).await
    }
}

fn person_by_token(connection: &Connection, token: &[u8]) -> rusqlite::Result<Option<Uuid>> {
    let person = |row: &Row<'_>| row.get(0).map(Uuid::from_bytes);
    connection
        .prepare_cached("SELECT person FROM person_keys WHERE token = ?1")?
        .query_row([token], person)
        .optional()
}

fn last_event_key(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT last_event_key FROM key_file", [], |row| row.get(0))
}

/// Leaves nothing of what was deleted, neither in unused parts of pages nor in the write-ahead log. That it is still to be
/// done stands in the file: a crash or a reader may have come between.
pub(super) fn wipe(connection: &Connection) -> Result<(), KeyStoreError> {
    let to_be_wiped: bool = connection.query_row("SELECT to_be_wiped FROM key_file", [], |row| row.get(0))?;
    if !to_be_wiped {
        return Ok(());
    }
    connection.execute_batch("VACUUM")?;
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(KeyStoreError::Unavailable(Arc::new(NotWiped)));
    }
    connection.execute("UPDATE key_file SET to_be_wiped = 0", [])?;
    Ok(())
}

impl From<rusqlite::Error> for KeyStoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

#[cfg(test)]
mod tests;
