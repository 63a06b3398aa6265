//! Writing commits: all that wait at one moment are decided on the facts of one query and written by one statement, which
//! is a transaction by itself.
//!
//! So a batch is two round trips, and the head of the log is locked during the second only. If another node was faster the
//! batch is decided again, this time behind the lock.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Executor as _, PgConnection};

use super::batch::Batch;
use super::database::{PATIENCE, PostgresDatabase, bounded};
use super::error::may_be_recorded;
use super::facts::{Wanted, clock_stream};
use super::head::{Frontier, read_tail};
use super::thread::{Writing, Written};
use crate::error::Cause;
use crate::prepared::PreparedCommit;
use crate::request::{Request, refuse_all, refuse_staged};
use crate::shared::DoubtInPanic;
use crate::staging::{Failure, Moment, Staged, stage};
use crate::stream::StreamName;

/// An append waits for the disks of all servers that must have it, and for other nodes. After this its outcome is unknown.
const APPEND_PATIENCE: Duration = Duration::from_secs(10);

/// Nodes' clocks differ. An event that would be earlier than the last one by no more than this is recorded at the time of
/// the last one, and no clock is said to have gone back.
const TOLERATED_SKEW: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// The log's side of its writer.
pub(super) struct Commits {
    database: PostgresDatabase,
    frontier: Arc<Frontier>,
    clock_stream: StreamName,
}

impl Commits {
    pub(super) fn new(database: PostgresDatabase, frontier: Arc<Frontier>) -> Result<Self, Failure> {
        Ok(Self { database, frontier, clock_stream: clock_stream()? })
    }
}

impl Writing for Commits {
    type Request = Request;

    async fn connect(&self) -> Result<PgConnection, Cause> {
        let cause = |error: sqlx::Error| -> Cause { Arc::new(error) };
        let mut connection = self.database.connect().await.map_err(|error| Arc::new(error) as Cause)?;
        if self.frontier.shared.is_in_doubt() {
            bounded(APPEND_PATIENCE, connection.execute("SELECT fence_log()")).await.map_err(cause)?;
            tracing::warn!("the outcome of a failed transaction of the log is known now");
        }
        let (tail, _) = read_tail(&mut connection, None).await.map_err(|error| Arc::new(error) as Cause)?;
        tracing::debug!(head = %tail.head, "connected to write");
        self.frontier.shared.settled();
        Ok(connection)
    }

    async fn write(&self, connection: &mut PgConnection, requests: &mut Vec<Request>) -> Written {
        let _doubt = DoubtInPanic(&self.frontier.shared);
        match self.try_write(connection, requests, false).await {
            Some(written) => written,
            // Others write, too: the second attempt is behind the lock, and nobody can be faster.
            None => self.try_write(connection, requests, true).await.unwrap_or(Written::Broken),
        }
    }

    fn refuse(&self, requests: &mut Vec<Request>, cause: &Cause) {
        // One of them may be the retry of a commit that is in doubt.
        refuse_all(requests, cause, self.frontier.shared.is_in_doubt());
    }
}

impl Commits {
    /// `None` if another node was faster.
    async fn try_write(
        &self,
        connection: &mut PgConnection,
        requests: &mut Vec<Request>,
        locked: bool,
    ) -> Option<Written> {
        let decided = async {
            if locked {
                connection.execute("BEGIN").await?;
                connection.execute("SELECT lock_log()").await?;
            }
            Ok::<_, sqlx::Error>(())
        };
        let begun = bounded(APPEND_PATIENCE, decided).await.map_err(|error| Arc::new(error) as Cause);
        let decided = match begun {
            Ok(()) => self.decide(connection, requests).await,
            Err(cause) => Err(cause),
        };
        let (mut batch, staged) = match decided {
            Ok(decided) => decided,
            Err(cause) => {
                // Nothing of it was sent: nothing of it can ever be found.
                tracing::error!(error = %cause, commits = requests.len(), "deciding what to write to the log");
                refuse_all(requests, &cause, false);
                return Some(Written::Broken);
            }
        };
        match append(connection, &mut batch, locked).await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                let outcome_unknown = may_be_recorded(&error);
                if outcome_unknown {
                    self.frontier.shared.doubt();
                }
                let cause: Cause = Arc::new(error);
                tracing::error!(error = %cause, commits = requests.len(), outcome_unknown, "committing to the log");
                refuse_staged(requests, staged, batch.begins().head, &cause, outcome_unknown);
                return Some(Written::Broken);
            }
        }
        if !batch.is_empty() {
            let (begins, ends) = (batch.begins().head, batch.ends());
            self.frontier.advance(begins, ends, batch.into_moved());
        }
        for (request, staged) in requests.drain(..).zip(staged) {
            request.answer(staged);
        }
        Some(Written::Done)
    }

    async fn decide(
        &self,
        connection: &mut PgConnection,
        requests: &[Request],
    ) -> Result<(Batch, Vec<Staged>), Cause> {
        let commits = || requests.iter().map(|request| &*request.commit);
        let wanted = Wanted::of(commits(), &self.clock_stream);
        let facts = tokio::time::timeout(PATIENCE, wanted.read(connection)).await;
        let facts = match facts {
            Ok(facts) => facts.map_err(|error| Arc::new(error) as Cause)?,
            Err(elapsed) => return Err(Arc::new(elapsed)),
        };
        let now = self.frontier.shared.clock.now();
        let at = match facts.tail.last_at {
            Some(last_at) if now < last_at && last_at.duration_since(now) <= TOLERATED_SKEW => last_at,
            Some(_) | None => now,
        };
        let moment = Moment::new(at);
        let mut batch = Batch::new(facts);
        let decide = |commit: &PreparedCommit| stage(&mut batch, commit, &moment).map_err(Cause::from);
        let staged = commits().map(decide).collect::<Result<Vec<_>, _>>()?;
        Ok((batch, staged))
    }
}

/// Makes the batch durable, if anything was accepted; `false` if another node was faster. Behind the lock nobody is.
async fn append(connection: &mut PgConnection, batch: &mut Batch, locked: bool) -> Result<bool, sqlx::Error> {
    let accepted = !batch.is_empty();
    let write = async {
        let appended = !accepted || batch.append(connection).await?;
        if locked {
            connection.execute(if accepted { "COMMIT" } else { "ROLLBACK" }).await?;
        }
        Ok(appended)
    };
    bounded(APPEND_PATIENCE, write).await
}
