//! Who keeps what is staged: the node for itself alone, or a database for several.

use std::sync::Arc;

use rusqlite::Connection;

use super::staged;
use crate::error::{Cause, ReadError};
use crate::position::Position;
use crate::postgres::{NotStaged, PostgresCompanion};
use crate::sqlite::commits::may_come_back;
use crate::sqlite::reader::read_error;
use crate::staged_batch::Batch;

/// Where batches stand until the server has them.
pub(super) enum Keeper {
    /// In this node's companion, which nobody else has.
    Node,
    /// In a database, which also keeps what arrived: the companion of each node is made of that.
    Shared(Arc<PostgresCompanion>),
}

impl Keeper {
    /// All batches that nothing is known to stand at the position of, the oldest first.
    pub(super) fn staged(&self, connection: &Connection) -> Result<Vec<Batch>, ReadError> {
        match self {
            Self::Node => staged::all(connection),
            Self::Shared(companion) => companion.staged(),
        }
    }

    /// All batches of this position; first, and without its entries, the one that is known to have arrived.
    pub(super) fn at(&self, connection: &Connection, first: Position) -> Result<Vec<Batch>, ReadError> {
        match self {
            Self::Node => staged::all(connection),
            Self::Shared(companion) => companion.at(first),
        }
    }

    /// Makes durable what is about to be appended; `false` if something stands there already.
    pub(super) fn stage(&self, connection: &Connection, batch: &mut Batch) -> Result<bool, NotStaged> {
        match self {
            Self::Node => stage_here(connection, batch).map(|()| true),
            Self::Shared(companion) => companion.stage(batch),
        }
    }

    /// Keeps out what was sent and not heard of. In the node's own file nothing is under way that long.
    pub(super) fn keep_out(&self) -> Result<(), ReadError> {
        self.shared().map_or(Ok(()), PostgresCompanion::keep_out)
    }

    /// Takes back what the server refused; `false` if somebody else may be about to append it.
    pub(super) fn withdraw(&self, connection: &Connection, batch: &Batch) -> Result<bool, ReadError> {
        match self {
            Self::Node => {
                let transaction = connection.unchecked_transaction().map_err(read_error)?;
                staged::remove(&transaction, batch.number).map_err(read_error)?;
                transaction.commit().map_err(read_error)?;
                Ok(true)
            }
            Self::Shared(_) => Ok(false),
        }
    }

    /// The companion of several nodes, if it is that.
    pub(super) fn shared(&self) -> Option<&PostgresCompanion> {
        match self {
            Self::Node => None,
            Self::Shared(companion) => Some(companion),
        }
    }
}

fn stage_here(connection: &Connection, batch: &mut Batch) -> Result<(), NotStaged> {
    let never = |error: ReadError| NotStaged { cause: Arc::new(error), may_be_staged: false };
    let transaction = connection.unchecked_transaction().map_err(|error| never(read_error(error)))?;
    staged::write(&transaction, batch).map_err(never)?;
    // What comes back after a crash is appended then.
    transaction
        .commit()
        .map_err(|error| NotStaged { may_be_staged: may_come_back(&error), cause: Arc::new(error) as Cause })
}
