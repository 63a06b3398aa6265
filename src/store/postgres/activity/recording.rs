//! Writing activity: all that wait at one moment are one statement, which is a transaction by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::activity::request::{Asked, Request, refuse_all};
use crate::activity::{Activity, ActivityCommit, ClosedSegment};
use crate::clock::Clock;
use crate::commit::Outcome;
use crate::error::Cause;
use crate::position::Position;
use crate::postgres::database::{PostgresDatabase, bounded};
use crate::postgres::reader::number;
use crate::postgres::thread::{Writing, Written};
use crate::rows::as_i64;

/// As the log's.
const PATIENCE: Duration = Duration::from_secs(10);

/// The activity log's side of its writer.
pub(super) struct Recording {
    pub(super) database: PostgresDatabase,
    pub(super) clock: Arc<dyn Clock>,
}

/// What a batch writes: its records, and of each credential the last use and the last digest.
#[derive(Default)]
struct Batch<'b> {
    records: Vec<&'b Activity>,
    used: BTreeMap<&'b str, &'b str>,
    digests: BTreeMap<&'b str, &'b [u8]>,
}

impl Writing for Recording {
    type Request = Request;

    async fn connect(&mut self) -> Result<PgConnection, Cause> {
        self.database.connect().await.map_err(|error| Arc::new(error) as Cause)
    }

    async fn write(&mut self, connection: &mut PgConnection, requests: &mut Vec<Request>) -> Written {
        let now = self.clock.now();
        match bounded(PATIENCE, write_all(connection, requests, now)).await {
            Ok(positions) => {
                for (request, position) in requests.drain(..).zip(positions) {
                    request.answer(Ok(position));
                }
                Written::Done
            }
            Err(error) => {
                let cause: Cause = Arc::new(error);
                tracing::error!(error = %cause, records = requests.len(), "writing activity");
                refuse_all(requests, &cause);
                Written::Broken
            }
        }
    }

    fn refuse(&self, requests: &mut Vec<Request>, cause: &Cause) {
        refuse_all(requests, cause);
    }
}

/// Answers where the log ended after each request. What is closed is closed by statements of its own, rarely.
async fn write_all(
    connection: &mut PgConnection,
    requests: &[Request],
    now: Timestamp,
) -> Result<Vec<Position>, sqlx::Error> {
    let mut batch = Batch::default();
    for request in requests {
        if let Asked::Record(commit) = &request.asked {
            batch.add(commit);
        }
    }
    let mut position = batch.record(connection, now).await?;
    let mut positions = Vec::with_capacity(requests.len());
    for request in requests {
        match &request.asked {
            Asked::Record(commit) => position = Position::new(position.get() + commit.records.len() as u64),
            Asked::Close(segment) => close(connection, segment).await?,
        }
        positions.push(position);
    }
    Ok(positions)
}

async fn close(connection: &mut PgConnection, segment: &ClosedSegment) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT close_segment($1, $2, $3, $4, $5)")
        .bind(segment.number.get())
        .bind(as_i64(segment.first.get()))
        .bind(as_i64(segment.last.get()))
        .bind(segment.root.as_slice())
        .bind(segment.number.end())
        .execute(connection)
        .await?;
    Ok(())
}

impl<'b> Batch<'b> {
    fn add(&mut self, commit: &'b ActivityCommit) {
        for record in &commit.records {
            self.records.push(record);
            if let (Outcome::Done, Some(credential)) = (record.outcome, &record.credential) {
                // A personal token is no client's.
                let client = record.client.as_deref().unwrap_or_default();
                self.used.insert(credential, client);
            }
        }
        let digests = commit.digests.iter();
        self.digests.extend(digests.map(|digest| (digest.credential.as_str(), digest.digest.as_slice())));
    }

    /// Writes it, and answers the position before its first record.
    async fn record(&self, connection: &mut PgConnection, now: Timestamp) -> Result<Position, sqlx::Error> {
        let query = sqlx::query(
            "SELECT record_activity($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        );
        let row = query
            .bind(now.as_microsecond())
            .bind(self.column(|record| record.kind.as_str()))
            .bind(self.column(|record| record.outcome.as_str()))
            .bind(self.column(|record| record.reason.as_deref()))
            .bind(self.column(|record| record.environment.as_deref()))
            .bind(self.column(|record| record.client.as_deref()))
            .bind(self.column(|record| record.credential.as_deref()))
            .bind(self.column(|record| record.request_id.as_deref()))
            .bind(self.column(|record| as_i64(record.count)))
            .bind(self.column(|record| record.since.map(Timestamp::as_microsecond)))
            .bind(self.column(|record| record.source.as_ref().map(|source| source.token.as_slice())))
            .bind(self.column(|record| record.source.as_ref().map(|source| source.sealed.as_slice())))
            .bind(self.used.keys().copied().collect::<Vec<_>>())
            .bind(self.used.values().copied().collect::<Vec<_>>())
            .bind(self.digests.keys().copied().collect::<Vec<_>>())
            .bind(self.digests.values().copied().collect::<Vec<_>>())
            .fetch_one(connection)
            .await?;
        Ok(Position::new(number(&row, 0).map_err(|error| sqlx::Error::Decode(error.into()))?))
    }

    fn column<T>(&self, value: impl Fn(&'b Activity) -> T) -> Vec<T> {
        self.records.iter().map(|record| value(record)).collect()
    }
}
