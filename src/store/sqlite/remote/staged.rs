//! Batches on their way to the server, as the companion of one node keeps them until something stands at their position.

use rusqlite::{Connection, params};

use crate::error::ReadError;
use crate::position::Position;
use crate::rows::as_i64;
use crate::sqlite::reader::read_error;
use crate::staged_batch::{Batch, damaged};

/// Writes a batch into the open transaction, and gives it its number.
pub(super) fn write(connection: &Connection, batch: &mut Batch) -> Result<(), ReadError> {
    let rows = serde_json::to_string(&batch.rows).map_err(|error| damaged(&error.to_string()))?;
    let write = |batch: &mut Batch| -> rusqlite::Result<()> {
        connection
            .prepare_cached("INSERT INTO staged (first_position, rows) VALUES (?1, ?2)")?
            .execute(params![as_i64(batch.first.get()), rows])?;
        batch.number = connection.last_insert_rowid();
        let mut insert = connection
            .prepare_cached("INSERT INTO staged_entries (batch, position, entry) VALUES (?1, ?2, ?3)")?;
        for (position, entry) in (batch.first.get()..).zip(&batch.entries) {
            insert.execute(params![batch.number, as_i64(position), entry])?;
        }
        Ok(())
    };
    write(batch).map_err(read_error)
}

/// All batches that nothing stands at the position of, as far as this file knows; the oldest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<Batch>, ReadError> {
    // Somebody else may settle one of them in the meantime.
    let snapshot = connection.unchecked_transaction().map_err(read_error)?;
    let numbers = || -> rusqlite::Result<Vec<i64>> {
        snapshot
            .prepare_cached("SELECT number FROM staged ORDER BY 1")?
            .query_map([], |row| row.get(0))?
            .collect()
    };
    let batches = numbers().map_err(read_error)?;
    batches.into_iter().map(|number| read(&snapshot, number)).collect()
}

fn read(connection: &Connection, number: i64) -> Result<Batch, ReadError> {
    let read = || -> rusqlite::Result<(u64, String, Vec<Vec<u8>>)> {
        let (first, rows) = connection
            .prepare_cached("SELECT first_position, rows FROM staged WHERE number = ?1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let entries = connection
            .prepare_cached("SELECT entry FROM staged_entries WHERE batch = ?1 ORDER BY position")?
            .query_map([number], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok((first, rows, entries))
    };
    let (first, rows, entries) = read().map_err(read_error)?;
    let rows = serde_json::from_str(&rows).map_err(|error| damaged(&error.to_string()))?;
    let last = Position::new((first + entries.len() as u64).saturating_sub(1));
    Ok(Batch { number, first: Position::new(first), last, arrived: false, entries, rows })
}

/// Removes, in the open transaction, what something stands at the position of.
pub(super) fn remove_up_to(connection: &Connection, position: Position) -> rusqlite::Result<()> {
    let numbers: Vec<i64> = connection
        .prepare_cached("SELECT number FROM staged WHERE first_position <= ?1")?
        .query_map([as_i64(position.get())], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    numbers.into_iter().try_for_each(|number| remove(connection, number))
}

/// Removes one batch, in the open transaction.
pub(super) fn remove(connection: &Connection, number: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM staged_entries WHERE batch = ?1")?.execute([number])?;
    connection.prepare_cached("DELETE FROM staged WHERE number = ?1")?.execute([number])?;
    Ok(())
}
