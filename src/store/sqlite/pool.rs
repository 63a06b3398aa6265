//! Connections that cannot write, each lent to one reader at a time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::schema::Schema;
use crate::error::{OpenError, ReadError};

/// As many connections are kept when nobody reads; each holds a page cache.
const MAX_IDLE: usize = 8;

/// The reading connections of one file.
pub(super) struct Pool {
    schema: &'static Schema,
    file: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(super) fn open(schema: &'static Schema, file: PathBuf) -> Result<Self, OpenError> {
        let first = schema.open_to_read(&file)?;
        Ok(Self { schema, file, idle: Mutex::new(vec![first]) })
    }

    /// Runs `read` on a connection of its own. A connection that failed is not used again.
    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let lent = self.idle().pop();
        let connection = match lent {
            Some(connection) => connection,
            None => self
                .schema
                .open_to_read(&self.file)
                .map_err(|error| ReadError::Unavailable(Arc::new(error)))?,
        };
        let answer = read(&connection)?;
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        Ok(answer)
    }

    /// Lets go of the connections, and of the empty write-ahead log that stays if one that cannot write is the last to
    /// close: it would keep the file from being read where nothing can be written. Reads open others.
    pub(super) fn settle(&self) {
        self.idle().clear();
        // What cannot be removed now is removed when the file is opened the next time.
        let _ = self.schema.open_to_write(&self.file);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
