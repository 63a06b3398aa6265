//! Writing activity: all that wait at one moment are one statement, which is a transaction by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Connection as _, PgConnection, Row as _};

use super::reader;
use crate::activity::request::{Asked, Request, refuse_all};
use crate::activity::vouchers::{Counted, Staged};
use crate::activity::{
    Activity, ActivityCommit, ActivityError, ClosedSegment, KeptVoucher, MOST_FORGOTTEN, VoucherChange,
};
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
            Ok(outcomes) => {
                for (request, outcome) in requests.drain(..).zip(outcomes) {
                    request.answer(outcome);
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

/// Where the log ended after each request, or why a request was refused.
type Outcomes = Vec<Result<Position, ActivityError>>;

/// A batch about vouchers and counts locks the activity log before it looks at them; any other is one statement.
async fn write_all(
    connection: &mut PgConnection,
    requests: &[Request],
    now: Timestamp,
) -> Result<Outcomes, sqlx::Error> {
    let decides = |commit: &ActivityCommit| !commit.vouchers.is_empty() || !commit.counts.is_empty();
    if !requests.iter().filter_map(commit_of).any(decides) {
        return write_admitted(connection, requests, vec![Ok(()); requests.len()], Staged::default(), now)
            .await;
    }
    let mut transaction = connection.begin().await?;
    let not_before: i64 = sqlx::query_scalar("SELECT lock_activity()").fetch_one(&mut *transaction).await?;
    let mut staged = Staged::default();
    look(&mut transaction, &mut staged, requests.iter().filter_map(commit_of)).await?;
    let at = Timestamp::from_microsecond(not_before).unwrap_or(now).max(now);
    let mut admit = |request| commit_of(request).map_or(Ok(()), |commit| staged.admit(commit, at));
    let admitted = requests.iter().map(&mut admit).collect();
    let outcomes = write_admitted(&mut transaction, requests, admitted, staged, now).await?;
    transaction.commit().await?;
    Ok(outcomes)
}

fn commit_of(request: &Request) -> Option<&ActivityCommit> {
    match &request.asked {
        Asked::Record(commit) => Some(commit),
        Asked::Close(_) | Asked::Forget(_) => None,
    }
}

/// Reads all that commits would change.
async fn look<'c>(
    connection: &mut PgConnection,
    staged: &mut Staged,
    commits: impl Iterator<Item = &'c ActivityCommit> + Clone,
) -> Result<(), sqlx::Error> {
    let keys: Vec<_> = commits.clone().flat_map(|commit| &commit.vouchers).map(VoucherChange::key).collect();
    let (kinds, ids): (Vec<_>, Vec<_>) = keys.iter().map(|(kind, id)| (*kind, id.as_str())).unzip();
    let found = sqlx::query(
        "SELECT item, data, expires_at, spent_at
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS asked (kind, id, item) JOIN vouchers USING (kind, id)",
    );
    let found = found.bind(kinds).bind(ids).fetch_all(&mut *connection).await?;
    let unreadable = |error| sqlx::Error::Decode(Box::<dyn std::error::Error + Send + Sync>::from(error));
    let mut kept: BTreeMap<u64, KeptVoucher> = BTreeMap::new();
    for row in &found {
        let item = number(row, 0).map_err(unreadable)?;
        kept.insert(item, reader::kept(row, 1).map_err(unreadable)?);
    }
    for (item, key) in (1..).zip(keys) {
        staged.voucher_is(key, kept.remove(&item));
    }
    let keys: Vec<&str> = commits.flat_map(|commit| &commit.counts).map(|count| count.key.as_str()).collect();
    let found = sqlx::query("SELECT key, count, expires_at FROM counts WHERE key = ANY ($1)");
    for row in found.bind(keys).fetch_all(connection).await? {
        let count = number(&row, 1).map_err(unreadable)?;
        let counted = Counted { count, expires_at: reader::time(&row, 2).map_err(unreadable)? };
        staged.count_is(row.try_get(0)?, Some(counted));
    }
    Ok(())
}

/// Writes what was admitted. What is closed or forgotten is so by statements of its own, rarely.
async fn write_admitted(
    connection: &mut PgConnection,
    requests: &[Request],
    admitted: Vec<Result<(), ActivityError>>,
    mut staged: Staged,
    now: Timestamp,
) -> Result<Outcomes, sqlx::Error> {
    let mut batch = Batch::default();
    for (request, admitted) in requests.iter().zip(&admitted) {
        if let (Asked::Record(commit), Ok(())) = (&request.asked, admitted) {
            batch.add(commit);
        }
    }
    let mut position = batch.append(connection, &mut staged, now).await?;
    let mut outcomes = Vec::with_capacity(requests.len());
    for (request, admitted) in requests.iter().zip(admitted) {
        if let Err(refused) = admitted {
            outcomes.push(Err(refused));
            continue;
        }
        match &request.asked {
            Asked::Record(commit) => position = Position::new(position.get() + commit.records.len() as u64),
            Asked::Close(segment) => close(connection, segment).await?,
            Asked::Forget(ended_before) => forget(connection, *ended_before).await?,
        }
        outcomes.push(Ok(position));
    }
    Ok(outcomes)
}

async fn forget(connection: &mut PgConnection, ended_before: Timestamp) -> Result<(), sqlx::Error> {
    let forget = sqlx::query("SELECT forget_vouchers($1, $2)");
    forget.bind(ended_before.as_microsecond()).bind(as_i64(MOST_FORGOTTEN)).execute(connection).await?;
    Ok(())
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
            let done = record.outcome == Outcome::Done;
            let client = record.client.as_deref().filter(|_| done);
            // A personal token is no client's.
            let credential = record.credential.as_deref().filter(|_| done);
            self.used.extend(credential.map(|credential| (credential, client.unwrap_or_default())));
            // Not each client has a credential, and two may have the same key.
            self.used.extend(client.map(|client| (client, client)));
        }
        let digests = commit.digests.iter();
        self.digests.extend(digests.map(|digest| (digest.credential.as_str(), digest.digest.as_slice())));
    }

    /// Writes it, and answers the position before its first record.
    async fn append(
        &self,
        connection: &mut PgConnection,
        staged: &mut Staged,
        now: Timestamp,
    ) -> Result<Position, sqlx::Error> {
        let query = sqlx::query(
            "SELECT append_activity($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                                    $19, $20, $21, $22, $23, $24, $25, $26, $27)",
        );
        let vouchers: Vec<_> =
            staged.changed_vouchers().map(|(key, kept)| (key.clone(), kept.clone())).collect();
        let counts: Vec<_> = staged.changed_counts().map(|(key, counted)| (key.clone(), *counted)).collect();
        let of_vouchers = |end: fn(&KeptVoucher) -> Option<i64>| -> Vec<Option<i64>> {
            vouchers.iter().map(|(_, kept)| end(kept)).collect()
        };
        let row = query
            .bind(now.as_microsecond())
            .bind(self.column(|record| record.kind.as_str()))
            .bind(self.column(|record| record.outcome.as_str()))
            .bind(self.column(|record| record.reason.as_deref()))
            .bind(self.column(|record| record.environment.as_deref()))
            .bind(self.column(|record| record.client.as_deref()))
            .bind(self.column(|record| record.credential.as_deref()))
            .bind(self.column(|record| record.token.as_deref()))
            .bind(self.column(|record| record.grant.as_deref()))
            .bind(self.column(|record| record.scope.as_deref()))
            .bind(self.column(|record| record.request_id.as_deref()))
            .bind(self.column(|record| as_i64(record.count)))
            .bind(self.column(|record| record.since.map(Timestamp::as_microsecond)))
            .bind(self.column(|record| record.source.as_ref().map(|source| source.token.as_slice())))
            .bind(self.column(|record| record.source.as_ref().map(|source| source.sealed.as_slice())))
            .bind(self.used.keys().copied().collect::<Vec<_>>())
            .bind(self.used.values().copied().collect::<Vec<_>>())
            .bind(self.digests.keys().copied().collect::<Vec<_>>())
            .bind(self.digests.values().copied().collect::<Vec<_>>())
            .bind(vouchers.iter().map(|((kind, _), _)| *kind).collect::<Vec<_>>())
            .bind(vouchers.iter().map(|((_, id), _)| id.as_str()).collect::<Vec<_>>())
            .bind(vouchers.iter().map(|(_, kept)| kept.data.as_slice()).collect::<Vec<_>>())
            .bind(of_vouchers(|kept| Some(kept.expires_at.as_microsecond())))
            .bind(of_vouchers(|kept| kept.spent_at.map(Timestamp::as_microsecond)))
            .bind(counts.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>())
            .bind(counts.iter().map(|(_, counted)| as_i64(counted.count)).collect::<Vec<_>>())
            .bind(counts.iter().map(|(_, counted)| counted.expires_at.as_microsecond()).collect::<Vec<_>>())
            .fetch_one(connection)
            .await?;
        Ok(Position::new(number(&row, 0).map_err(|error| sqlx::Error::Decode(error.into()))?))
    }

    fn column<T>(&self, value: impl Fn(&'b Activity) -> T) -> Vec<T> {
        self.records.iter().map(|record| value(record)).collect()
    }
}
