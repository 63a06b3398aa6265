//! Reading views.

use rusqlite::{Connection, Row};
use store::Position;

use crate::error::QueryError;

/// One moment of all views: everything read through it belongs together. Read-only.
///
/// It blocks; only the point query that [`Views::read_point`](crate::Views::read_point) is for may run on an async
/// worker.
pub struct Reader {
    connection: Connection,
}

impl Reader {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn into_connection(self) -> Connection {
        self.connection
    }

    /// The position that every view has reached: what is read now is at least that new.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub fn position(&self) -> Result<Position, QueryError> {
        let lowest: Option<i64> = self
            .connection
            .prepare_cached("SELECT min(position) FROM checkpoint")?
            .query_row([], |row| row.get(0))?;
        Ok(Position::new(lowest.map_or(0, as_unsigned)))
    }
}

/// A position or revision as SQLite keeps it; neither exceeds 2^53 - 1.
pub(crate) fn as_signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The other way; the schema refuses negative ones.
pub(crate) fn as_unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A position or revision in a column.
pub(crate) fn as_number(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get(column).map(as_unsigned)
}
