//! Digests of views, by which two folds of one log are compared.

use std::fmt::Write as _;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use sha2::{Digest, Sha256};

use crate::projection::Projection;

/// The SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest of a view: all rows of all its tables in the order of their keys. Two views are equal if their digests
/// are; indexes, free pages and the order of writing do not show in it.
pub(crate) fn of_view(views: &Connection, projection: &dyn Projection) -> Result<String, rusqlite::Error> {
    let mut digest = Sha256::new();
    let mut bytes = Vec::new();
    for table in projection.tables() {
        digest.update(table.as_bytes());
        digest.update([0]);
        let mut statement = views.prepare(&rows_in_order(views, table)?)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            bytes.clear();
            append(&mut bytes, row)?;
            digest.update(&bytes);
        }
    }
    Ok(hex(&digest.finalize()))
}

/// SQL for all rows of a table in the order of its primary key.
pub(crate) fn rows_in_order(views: &Connection, table: &str) -> Result<String, rusqlite::Error> {
    Ok(format!("SELECT * FROM {table} ORDER BY {}", key_columns(views, table)?.join(", ")))
}

/// The names of the columns of a table's primary key, in its order.
pub(crate) fn key_columns(views: &Connection, table: &str) -> Result<Vec<String>, rusqlite::Error> {
    views
        .prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?
        .query_map([table], |row| row.get(0))?
        .collect()
}

/// Each value with its type and length, so that no two rows give the same bytes.
fn append(bytes: &mut Vec<u8>, row: &Row<'_>) -> Result<(), rusqlite::Error> {
    let mut value = |kind: u8, value: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value);
    };
    for column in 0..row.as_ref().column_count() {
        match row.get_ref(column)? {
            ValueRef::Null => value(0, &[]),
            ValueRef::Integer(number) => value(1, &number.to_be_bytes()),
            ValueRef::Real(number) => value(2, &number.to_be_bytes()),
            ValueRef::Text(text) => value(3, text),
            ValueRef::Blob(blob) => value(4, blob),
        }
    }
    Ok(())
}
