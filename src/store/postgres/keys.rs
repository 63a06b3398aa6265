//! The keys in Postgres, in tables that a dump can leave out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Executor as _, Postgres};
use uuid::Uuid;

use super::database::{PostgresDatabase, bounded};
use super::reader::{get, number};
use crate::error::{KeyStoreError, ReadError};
use crate::keys::{KeyStore, PersonKey, WrappedKey};
use crate::rows::as_i64;

/// Erasing writes a table anew.
const ERASE_WITHIN: Duration = Duration::from_secs(120);
/// Behind an erasure that waits, for a dump of the keys say, everybody waits who wants a key.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '1s'";

/// The key store in the tables of a Postgres database, that of the log or another one.
///
/// A deletion writes what is left of its table anew, so that the table's files hold nothing of it. What the write-ahead log,
/// replicas, back-ups and the free blocks of the file system hold is the operator's: the keys are wrapped, and a write-ahead log that
/// is archived is a back-up.
pub struct PostgresKeys(PostgresDatabase);

impl PostgresKeys {
    /// The keys of a database.
    #[must_use]
    pub fn new(database: &PostgresDatabase) -> Self {
        Self(database.clone())
    }

    /// Runs a statement to its end, even if nobody waits for that; answers how many rows it wrote.
    async fn execute(&self, statement: Query<'static, Postgres, PgArguments>) -> Result<u64, KeyStoreError> {
        let connections = self.0.readers();
        let run = async move { bounded(ERASE_WITHIN, statement.execute(&connections)).await };
        let done = self.0.handle().spawn(run).await;
        let done = done.map_err(|error| KeyStoreError::Unavailable(Arc::new(error)))?;
        Ok(done.map_err(|error| KeyStoreError::Unavailable(Arc::new(error)))?.rows_affected())
    }
}

#[async_trait]
impl KeyStore for PostgresKeys {
    async fn data_keys(&self) -> Result<Vec<WrappedKey>, KeyStoreError> {
        let rows =
            self.0.rows(sqlx::query("SELECT id, purpose, wrapped FROM data_keys ORDER BY number")).await?;
        let key = |row| Ok(WrappedKey { id: get(row, 0)?, purpose: get(row, 1)?, wrapped: get(row, 2)? });
        Ok(rows.iter().map(key).collect::<Result<_, ReadError>>()?)
    }

    async fn insert_data_key(&self, key: WrappedKey) -> Result<(), KeyStoreError> {
        let insert =
            "INSERT INTO data_keys (id, purpose, wrapped) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
        let insert = sqlx::query(insert).bind(key.id.clone()).bind(key.purpose).bind(key.wrapped);
        if self.execute(insert).await? == 0 { Err(KeyStoreError::DataKeyExists(key.id)) } else { Ok(()) }
    }

    async fn person_by_token(&self, token: &[u8]) -> Result<Option<Uuid>, KeyStoreError> {
        let query = sqlx::query("SELECT person FROM person_keys WHERE token = $1").bind(token);
        Ok(self.0.rows(query).await?.first().map(|row| get(row, 0)).transpose()?)
    }

    async fn insert_person(&self, key: PersonKey) -> Result<Uuid, KeyStoreError> {
        loop {
            if let Some(token) = &key.token
                && let Some(known) = self.person_by_token(token).await?
            {
                return Ok(known);
            }
            let insert =
                "INSERT INTO person_keys (person, token, wrapped) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            let insert =
                sqlx::query(insert).bind(key.person).bind(key.token.clone()).bind(key.wrapped.clone());
            // Not inserted, another node was faster: by the token, which is found now, or it is the same person.
            if self.execute(insert).await? == 1 || self.person_key(key.person).await?.is_some() {
                return Ok(key.person);
            }
        }
    }

    async fn person_key(&self, person: Uuid) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let query = sqlx::query("SELECT wrapped FROM person_keys WHERE person = $1").bind(person);
        Ok(self.0.rows(query).await?.first().map(|row| get(row, 0)).transpose()?)
    }

    async fn erase(&self, persons: &[Uuid], slots: &[u64]) -> Result<(), KeyStoreError> {
        let slots: Vec<_> = slots.iter().copied().map(as_i64).collect();
        let erase = sqlx::query("SELECT erase_keys($1, $2)").bind(persons.to_vec()).bind(slots);
        let connections = self.0.readers();
        let run = async move {
            let mut transaction = connections.begin().await?;
            transaction.execute(LOCK_TIMEOUT).await?;
            erase.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        let done = self.0.handle().spawn(bounded(ERASE_WITHIN, run)).await;
        let done = done.map_err(|error| KeyStoreError::Unavailable(Arc::new(error)))?;
        done.map_err(|error| KeyStoreError::Unavailable(Arc::new(error)))
    }

    async fn event_key(&self, slot: u64) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let query = sqlx::query("SELECT wrapped FROM event_keys WHERE slot = $1").bind(as_i64(slot));
        Ok(self.0.rows(query).await?.first().map(|row| get(row, 0)).transpose()?)
    }

    async fn insert_event_keys(&self, from_slot: u64, wrapped: Vec<Vec<u8>>) -> Result<(), KeyStoreError> {
        if wrapped.is_empty() {
            let used = from_slot <= self.last_event_key().await?;
            return if used { Err(KeyStoreError::SlotUsed(from_slot)) } else { Ok(()) };
        }
        let insert = "WITH taken AS (
                        UPDATE key_slots SET last_event_key = $1 + cardinality($2) - 1 WHERE last_event_key < $1
                        RETURNING 1
                      )
                      INSERT INTO event_keys (slot, wrapped)
                      SELECT $1 + item - 1, wrapped
                      FROM unnest($2) WITH ORDINALITY AS added (wrapped, item) WHERE EXISTS (SELECT FROM taken)";
        let insert = sqlx::query(insert).bind(as_i64(from_slot)).bind(wrapped);
        if self.execute(insert).await? == 0 { Err(KeyStoreError::SlotUsed(from_slot)) } else { Ok(()) }
    }

    async fn last_event_key(&self) -> Result<u64, KeyStoreError> {
        let row = self.0.row(sqlx::query("SELECT last_event_key FROM key_slots")).await?;
        Ok(number(&row, 0)?)
    }
}

impl From<ReadError> for KeyStoreError {
    fn from(error: ReadError) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}
