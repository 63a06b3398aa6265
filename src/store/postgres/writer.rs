//! Writing commits: all that wait at one moment are decided together and written by one statement, which is a transaction
//! by itself and refuses if the log is not where it was when they were decided.
//!
//! A node that writes alone decides on what it remembers: a batch is one round trip. Where that does not tell, one query reads
//! what the commits name: two round trips, and the head of the log is locked during the second only. If another node was
//! faster the batch is decided again, behind the lock.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Executor as _, PgConnection};

use super::batch::Batch;
use super::database::{PATIENCE, PostgresDatabase, bounded};
use super::error::may_be_recorded;
use super::facts::{Facts, Wanted, clock_stream};
use super::head::{Frontier, read_tail};
use super::remembered::Remembered;
use super::thread::{Writing, Written};
use crate::error::Cause;
use crate::request::{Request, refuse_all, refuse_staged};
use crate::shared::DoubtInPanic;
use crate::staging::{Failure, Moment, Staged, is_tolerated, stage};
use crate::stream::StreamName;

/// An append waits for the disks of all servers that must have it, and for other nodes. After this its outcome is unknown.
const APPEND_PATIENCE: Duration = Duration::from_secs(10);

/// The log's side of its writer.
pub(super) struct Commits {
    database: PostgresDatabase,
    frontier: Arc<Frontier>,
    clock_stream: StreamName,
    remembered: Remembered,
}

/// What a batch is decided on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ground {
    Remembered,
    Read,
    /// As read, while nobody else can write.
    Locked,
}

/// Why a batch has to be decided again, on firmer ground.
enum Again {
    /// What is remembered does not tell, or was not so.
    Unsure,
    /// Another node was faster.
    Moved,
    Failed(Cause),
}

impl Commits {
    pub(super) fn new(database: PostgresDatabase, frontier: Arc<Frontier>) -> Result<Self, Failure> {
        let remembered = Remembered::default();
        Ok(Self { database, frontier, clock_stream: clock_stream()?, remembered })
    }
}

impl Writing for Commits {
    type Request = Request;

    async fn connect(&mut self) -> Result<PgConnection, Cause> {
        self.remembered.forget();
        let cause = |error: sqlx::Error| -> Cause { Arc::new(error) };
        let mut connection = self.database.connect().await.map_err(|error| Arc::new(error) as Cause)?;
        if self.frontier.shared.is_in_doubt() {
            bounded(APPEND_PATIENCE, connection.execute("SELECT fence_log()")).await.map_err(cause)?;
            tracing::warn!("the outcome of a failed transaction of the log is known now");
        }
        let (tail, _) = read_tail(&mut connection, None).await.map_err(|error| Arc::new(error) as Cause)?;
        tracing::debug!(head = %tail.head, "connected to write");
        let process = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection);
        self.frontier.write_as(bounded(PATIENCE, process).await.map_err(cause)?);
        self.frontier.shared.settled();
        Ok(connection)
    }

    async fn write(&mut self, connection: &mut PgConnection, requests: &mut Vec<Request>) -> Written {
        let frontier = Arc::clone(&self.frontier);
        let _doubt = DoubtInPanic(&frontier.shared);
        for ground in [Ground::Remembered, Ground::Read, Ground::Locked] {
            match self.try_write(connection, requests, ground).await {
                Ok(written) => return written,
                Err(Again::Unsure) => {}
                Err(Again::Moved) => self.remembered.forget(),
                Err(Again::Failed(cause)) => {
                    // Nothing of it was sent: nothing of it can ever be found.
                    tracing::error!(error = %cause, commits = requests.len(), "deciding what to write to the log");
                    refuse_all(requests, &cause, false);
                    return Written::Broken;
                }
            }
        }
        // Behind the lock nobody is faster; whatever it was, the requests are answered by being dropped.
        Written::Broken
    }

    fn refuse(&self, requests: &mut Vec<Request>, cause: &Cause) {
        // One of them may be the retry of a commit that is in doubt.
        refuse_all(requests, cause, self.frontier.shared.is_in_doubt());
    }
}

impl Commits {
    async fn try_write(
        &mut self,
        connection: &mut PgConnection,
        requests: &mut Vec<Request>,
        ground: Ground,
    ) -> Result<Written, Again> {
        let facts = self.facts(connection, requests, ground).await?;
        let (mut batch, staged) = self.decide(facts, requests, ground)?;
        match append(connection, &mut batch, ground).await {
            Ok(true) => {}
            Ok(false) => return Err(Again::Moved),
            // Something is there that was assumed not to be.
            Err(error) if ground == Ground::Remembered && is_taken(&error) => return Err(Again::Unsure),
            Err(error) => {
                let outcome_unknown = may_be_recorded(&error);
                if outcome_unknown {
                    self.frontier.shared.doubt();
                }
                let cause: Cause = Arc::new(error);
                tracing::error!(error = %cause, commits = requests.len(), outcome_unknown, "committing to the log");
                refuse_staged(requests, staged, batch.begins().head, &cause, outcome_unknown);
                return Ok(Written::Broken);
            }
        }
        let (begins, ends) = (batch.begins(), batch.ends());
        let (facts, moved) = batch.into_parts();
        self.remembered.learn(begins, facts);
        self.frontier.advance(begins.head, ends, moved);
        for (request, staged) in requests.drain(..).zip(staged) {
            request.answer(staged);
        }
        Ok(Written::Done)
    }

    async fn facts(
        &mut self,
        connection: &mut PgConnection,
        requests: &[Request],
        ground: Ground,
    ) -> Result<Facts, Again> {
        let commits = requests.iter().map(|request| &*request.commit);
        if ground == Ground::Remembered {
            return self.remembered.facts(commits).ok_or(Again::Unsure);
        }
        let failed = |error: sqlx::Error| Again::Failed(Arc::new(error));
        if ground == Ground::Locked {
            let lock = connection.execute(sqlx::raw_sql("BEGIN; SELECT lock_log()"));
            bounded(APPEND_PATIENCE, lock).await.map_err(failed)?;
        }
        let wanted = Wanted::of(commits, &self.clock_stream);
        match tokio::time::timeout(PATIENCE, wanted.read(connection)).await {
            Ok(facts) => facts.map_err(|error| Again::Failed(Arc::new(error))),
            Err(elapsed) => Err(Again::Failed(Arc::new(elapsed))),
        }
    }

    fn decide(
        &self,
        facts: Facts,
        requests: &[Request],
        ground: Ground,
    ) -> Result<(Batch, Vec<Staged>), Again> {
        let now = self.frontier.shared.clock.now();
        let at = match facts.tail.last_at {
            Some(last_at) if is_tolerated(now, last_at) => last_at,
            // Where the stream stands that is to tell of it is not remembered.
            Some(last_at) if now < last_at && ground == Ground::Remembered => return Err(Again::Unsure),
            Some(_) | None => now,
        };
        let moment = Moment::new(at);
        let mut batch = Batch::new(facts);
        let mut staged = Vec::with_capacity(requests.len());
        for request in requests {
            let decided = stage(&mut batch, &request.commit, &moment);
            let decided = decided.map_err(|failure| Again::Failed(Cause::from(failure)))?;
            // A refusal is no guess: the first attempt of this very command may be what moved the stream.
            if decided.is_err() && ground == Ground::Remembered {
                return Err(Again::Unsure);
            }
            staged.push(decided);
        }
        Ok((batch, staged))
    }
}

/// Makes the batch durable, if anything was accepted; `false` if another node was faster.
async fn append(
    connection: &mut PgConnection,
    batch: &mut Batch,
    ground: Ground,
) -> Result<bool, sqlx::Error> {
    let accepted = !batch.is_empty();
    let write = async {
        let appended = !accepted || batch.append(connection).await?;
        if ground == Ground::Locked {
            connection.execute(if accepted { "COMMIT" } else { "ROLLBACK" }).await?;
        }
        Ok(appended)
    };
    bounded(APPEND_PATIENCE, write).await
}

/// Whether a unique key was taken already; nothing was written then.
fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
