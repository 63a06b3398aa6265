//! Unique keys and who holds them.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::reader::read_error;
use crate::commit::{ClaimChange, ClaimKey};
use crate::error::{Place, ReadError};
use crate::rows::stream_name;
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
            ClaimChange::ReleaseAll { namespace, stream } => connection
                .prepare_cached(
                    "DELETE FROM claims
                     WHERE stream = (SELECT number FROM streams WHERE name = ?1) AND namespace = ?2",
                )?
                .execute([stream.as_str(), namespace])?,
        };
    }
    Ok(())
}

/// Every claim, by namespace and key.
pub(super) fn each(
    connection: &Connection,
    visit: &mut dyn FnMut(ClaimKey, StreamName),
) -> Result<(), ReadError> {
    let mut statement = connection
        .prepare("SELECT namespace, key, name FROM claims LEFT JOIN streams ON number = stream ORDER BY 1, 2")
        .map_err(read_error)?;
    let mut rows = statement.query([]).map_err(read_error)?;
    while let Some(row) = rows.next().map_err(read_error)? {
        let key =
            ClaimKey { namespace: row.get(0).map_err(read_error)?, key: row.get(1).map_err(read_error)? };
        let name: Option<String> = row.get(2).map_err(read_error)?;
        let stream = stream_name(Place::Row(format!("claim `{key}`")), name.as_deref())?;
        visit(key, stream);
    }
    Ok(())
}
