//! Secrets that would work but for their time: what ends next, and whose it is.

use domain::{Client, ClientId, EnvironmentName, SecretId, client::Status};
use jiff::Timestamp;
use rusqlite::{Connection, named_params};
use serde::{Deserialize, Serialize};

use super::NAME;
use crate::error::QueryError;
use crate::projection::ApplyError;
use crate::reader::Reader;

/// A secret that ends, of a client that was not deleted; nobody has revoked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringSecret {
    /// Its id.
    pub secret_id: SecretId,
    /// Whose it is.
    pub client_id: ClientId,
    /// Where that lives.
    pub environment: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// The place of a secret in the list: what ends first stands first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// When it ends.
    pub expires_at: Timestamp,
    /// Tells apart those of one moment.
    pub client_id: ClientId,
    /// Tells apart those of one client.
    pub secret_id: SecretId,
}

/// Some of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiringPage {
    /// What ends first stands first.
    pub items: Vec<ExpiringSecret>,
    /// What to list after for the rest; `None` at the end.
    pub next: Option<Key>,
}

impl ExpiringSecret {
    fn key(&self) -> Key {
        let (client_id, secret_id) = (self.client_id, self.secret_id.clone());
        Key { expires_at: self.expires_at, client_id, secret_id }
    }
}

/// The secrets of an environment, or of all, that end after `from` and not after `until`, after a key, at most `limit`.
///
/// # Errors
/// See [`QueryError`].
pub fn list(
    reader: &Reader,
    environment: Option<&EnvironmentName>,
    (from, until): (Timestamp, Timestamp),
    after: Option<&Key>,
    limit: usize,
) -> Result<ExpiringPage, QueryError> {
    // Two statements, so that each has the index in its order.
    let (condition, name) = match environment {
        Some(name) => ("environment = :environment", name.as_str()),
        None => (":environment = ''", ""),
    };
    let mut statement = reader.connection().prepare_cached(&format!(
        "SELECT secret_id, client_id, environment, expires_at FROM expiring_secrets
         WHERE {condition} AND expires_at > :from AND expires_at <= :until
           AND (:after_at IS NULL OR (expires_at, client_id, secret_id) > (:after_at, :after_client, :after_secret))
         ORDER BY expires_at, client_id, secret_id LIMIT :limit"
    ))?;
    let mut rows = statement.query(named_params! {
        ":environment": name,
        ":from": from.as_microsecond(),
        ":until": until.as_microsecond(),
        ":after_at": after.map(|key| key.expires_at.as_microsecond()),
        ":after_client": after.map(|key| key.client_id.to_string()),
        ":after_secret": after.map(|key| key.secret_id.to_string()),
        ":limit": i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
    })?;
    let mut items: Vec<ExpiringSecret> = Vec::new();
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            return Ok(ExpiringPage { next: items.last().map(ExpiringSecret::key), items });
        }
        let key: String = row.get(0)?;
        let client: String = row.get(1)?;
        let broken = |what: &str| QueryError::Row {
            view: NAME,
            key: key.clone(),
            source: serde::de::Error::custom(what),
        };
        items.push(ExpiringSecret {
            secret_id: SecretId(key.clone()),
            client_id: client.parse().map_err(|_| broken("its client has no id"))?,
            environment: row.get(2)?,
            expires_at: Timestamp::from_microsecond(row.get(3)?).map_err(|_| broken("its end is no time"))?,
        });
    }
    Ok(ExpiringPage { items, next: None })
}

/// What the table has of a client.
pub(super) fn of(client: &Client) -> Vec<(SecretId, Timestamp)> {
    let there = client.registration().filter(|registration| registration.status != Status::Deleted);
    let secrets = there.into_iter().flat_map(|registration| &registration.secrets);
    let ends = secrets.filter(|secret| secret.revoked_at.is_none());
    ends.filter_map(|secret| Some((secret.id.clone(), secret.expires_at?))).collect()
}

/// Writes all that the table has of a client.
pub(super) fn save(
    views: &Connection,
    client_id: &str,
    environment: &str,
    expiring: &[(SecretId, Timestamp)],
) -> Result<(), ApplyError> {
    views.prepare_cached("DELETE FROM expiring_secrets WHERE client_id = ?1")?.execute([client_id])?;
    // The same id twice in a made-up history is one row: the newer one.
    let mut insert = views.prepare_cached(
        "INSERT OR REPLACE INTO expiring_secrets (secret_id, client_id, environment, expires_at)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (secret_id, expires_at) in expiring {
        insert.execute((secret_id.to_string(), client_id, environment, expires_at.as_microsecond()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
