//! Which node does by itself what needs doing once: the one whose connection holds the lock.

use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::database::{PATIENCE, PostgresDatabase, bounded};
use super::error::PostgresError;

/// An advisory lock of sessions; the number means nothing but this.
const LOCK: i64 = i64::from_be_bytes(*b"muniLead");

/// This node's candidacy. The server frees the lock when the connection ends, however it does.
#[derive(Default)]
pub(super) struct Lead(Mutex<Option<PgConnection>>);

impl Lead {
    /// Whether this node leads, if need be from now on.
    pub(super) async fn try_take(&self, database: &PostgresDatabase) -> bool {
        let mut connection = self.0.lock().await;
        let taken = database.among(try_take(&mut connection, database)).await;
        taken.unwrap_or_else(|error| {
            tracing::warn!(%error, "asking Postgres which node leads");
            *connection = None;
            false
        })
    }

    /// Lets another node lead.
    pub(super) async fn leave(&self) {
        *self.0.lock().await = None;
    }
}

async fn try_take(
    connection: &mut Option<PgConnection>,
    database: &PostgresDatabase,
) -> Result<bool, PostgresError> {
    let open = match connection {
        Some(open) => open,
        None => connection.insert(database.connect().await?),
    };
    // Who holds it may take it again.
    let taken = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK).fetch_one(open);
    Ok(bounded(PATIENCE, taken).await?)
}
