//! Hearing of what other nodes append. Only a wake-up: whoever misses one looks for himself within a second.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::task::JoinHandle;

use super::database::PostgresDatabase;
use super::head::HeadReader;

/// How long to wait before listening anew.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The task that listens, for as long as this lives.
pub(super) struct Listener(JoinHandle<()>);

impl Listener {
    pub(super) fn start(database: &PostgresDatabase, head: HeadReader) -> Self {
        let database_of_task = database.clone();
        Self(database.handle().spawn(async move {
            loop {
                if let Err(error) = listen(&database_of_task, &head).await {
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

async fn listen(database: &PostgresDatabase, head: &HeadReader) -> Result<(), sqlx::Error> {
    let own = PgPoolOptions::new().max_connections(1).connect_with(database.options().clone()).await?;
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen("muniment_log").await?;
    loop {
        // What was said before it listened, it did not hear.
        head.look();
        // `None` is a lost connection.
        if listener.try_recv().await?.is_none() {
            return Ok(());
        }
    }
}
