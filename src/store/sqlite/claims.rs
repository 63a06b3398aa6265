//! Unique keys and who holds them.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::reader::{read_error, stream_name};
use crate::commit::{ClaimChange, ClaimKey};
use crate::error::{AppendError, Place, ReadError};
use crate::stream::StreamName;

pub(super) fn holder(connection: &Connection, key: &ClaimKey) -> Result<Option<StreamName>, ReadError> {
    let name: Option<Option<String>> = connection
        .prepare_cached(
            "SELECT name FROM claims LEFT JOIN streams ON number = stream WHERE namespace = ?1 AND key = ?2",
        )
        .and_then(|mut statement| {
            statement.query_row([&key.namespace, &key.key], |row| row.get(0)).optional()
        })
        .map_err(read_error)?;
    name.map(|name| stream_name(Place::Row(format!("claim `{key}`")), name.as_deref())).transpose()
}

/// The first change that cannot be made, each judged as if the ones before it were made.
pub(super) fn check(
    connection: &Connection,
    changes: &[ClaimChange],
) -> Result<Option<AppendError>, ReadError> {
    for (index, change) in changes.iter().enumerate() {
        let (ClaimChange::Take { key, stream } | ClaimChange::Release { key, stream }) = change;
        let holder = match changes[..index].iter().rev().find(|earlier| earlier.key() == key) {
            Some(ClaimChange::Take { stream, .. }) => Some(stream.clone()),
            Some(ClaimChange::Release { .. }) => None,
            None => holder(connection, key)?,
        };
        match (change, holder) {
            (ClaimChange::Take { .. }, Some(holder)) if holder != *stream => {
                return Ok(Some(AppendError::ClaimTaken { key: key.clone(), holder }));
            }
            (ClaimChange::Release { .. }, holder) if holder.as_ref() != Some(stream) => {
                return Ok(Some(AppendError::ClaimNotHeld { key: key.clone(), stream: stream.clone() }));
            }
            (ClaimChange::Take { .. } | ClaimChange::Release { .. }, _) => {}
        }
    }
    Ok(None)
}

/// Makes changes that were checked; every stream that takes a key has a number by now.
pub(super) fn write(connection: &Connection, changes: &[ClaimChange]) -> rusqlite::Result<()> {
    for change in changes {
        match change {
            ClaimChange::Take { key, stream } => connection
                .prepare_cached(
                    "INSERT INTO claims (namespace, key, stream)
                     VALUES (?1, ?2, (SELECT number FROM streams WHERE name = ?3))
                     ON CONFLICT (namespace, key) DO UPDATE SET stream = excluded.stream",
                )?
                .execute(params![key.namespace, key.key, stream.as_str()])?,
            ClaimChange::Release { key, .. } => connection
                .prepare_cached("DELETE FROM claims WHERE namespace = ?1 AND key = ?2")?
                .execute([&key.namespace, &key.key])?,
        };
    }
    Ok(())
}

impl ClaimChange {
    fn key(&self) -> &ClaimKey {
        let (Self::Take { key, .. } | Self::Release { key, .. }) = self;
        key
    }
}
