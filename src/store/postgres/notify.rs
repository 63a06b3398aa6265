//! Hearing of what other nodes append. Only a wake-up: whoever misses one looks for himself within a second.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::task::JoinHandle;

use super::database::PostgresDatabase;
use super::head::{Frontier, HeadReader};

/// How long to wait before listening anew.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The task that listens, for as long as this lives.
pub(super) struct Listener(JoinHandle<()>);

impl Listener {
    pub(super) fn start(database: &PostgresDatabase, frontier: Arc<Frontier>, head: HeadReader) -> Self {
        let database_of_task = database.clone();
        Self(database.handle().spawn(async move {
            loop {
                if let Err(error) = listen(&database_of_task, &frontier, &head).await {
                    tracing::warn!(%error, "listening to Postgres");
                }
                tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
            }
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn listen(
    database: &PostgresDatabase,
    frontier: &Frontier,
    head: &HeadReader,
) -> Result<(), sqlx::Error> {
    let own = PgPoolOptions::new().max_connections(1).connect_with(database.options().clone()).await?;
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen("muniment_log").await?;
    // What was said before it listened, it did not hear.
    head.look();
    // `None` is a lost connection.
    while let Some(said) = listener.try_recv().await? {
        if !frontier.writes_as(said.process_id()) {
            head.look();
        }
    }
    Ok(())
}
