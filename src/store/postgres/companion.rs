//! What several nodes share of a log whose entries a server of events keeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres};
use uuid::Uuid;

use super::database::{PATIENCE, PostgresDatabase, bounded};
use super::error::{PostgresError, may_be_recorded, read_error};
use super::lead::Lead;
use super::reader::get;
use crate::error::{Cause, ReadError};
use crate::position::Position;
use crate::rows::as_i64;
use crate::staged_batch::{Batch, Bytes, CredentialRow, Rows, TokenRow, damaged};

/// Staging waits for the disks of all servers that must have it.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// The companion in the tables of a Postgres database: what is staged, and what of each commit is kept beside its entries.
pub struct PostgresCompanion {
    database: PostgresDatabase,
    lead: Lead,
    /// What was sent before it is not staged any more.
    fence: AtomicI64,
}

/// Why a batch is not staged.
pub(crate) struct NotStaged {
    pub(crate) cause: Cause,
    /// Unless it is, and only the answer was lost.
    pub(crate) may_be_staged: bool,
}

impl PostgresCompanion {
    /// Opens the companion in a database that was migrated.
    ///
    /// # Errors
    /// When the database does not answer, or holds a log itself.
    pub fn open(database: &PostgresDatabase) -> Result<Self, PostgresError> {
        let asked = database.clone();
        let (holds_log, fence) = database.wait(async move {
            let mut connection = asked.connect().await?;
            let found = sqlx::query_as("SELECT EXISTS (SELECT FROM log_events), fence FROM companion_head");
            Ok::<(bool, i64), PostgresError>(bounded(PATIENCE, found.fetch_one(&mut connection)).await?)
        })?;
        if holds_log {
            return Err(PostgresError::AnotherUse { found: "a log" });
        }
        Ok(Self { database: database.clone(), lead: Lead::default(), fence: AtomicI64::new(fence) })
    }

    /// How far batches have arrived, and the id under which the server has the last entry of the last one.
    pub(crate) fn arrived(&self) -> Result<(Position, Option<Uuid>), ReadError> {
        let rows = self.rows(sqlx::query("SELECT position, event_id FROM companion_head"))?;
        let row = rows.first().ok_or_else(no_head)?;
        Ok((position(row, 0)?, get(row, 1)?))
    }

    /// All batches that nothing is known to stand at the position of, the oldest first.
    pub(crate) fn staged(&self) -> Result<Vec<Batch>, ReadError> {
        let staged = "SELECT number, first_position, last_position, entries, rows FROM companion_batches
                      WHERE entries IS NOT NULL ORDER BY number";
        self.batches(sqlx::query(staged))
    }

    /// All batches that begin at this position; one that arrived comes first, and without its entries.
    pub(crate) fn at(&self, first: Position) -> Result<Vec<Batch>, ReadError> {
        let at = "SELECT number, first_position, last_position, entries, rows FROM companion_batches
                  WHERE first_position = $1 ORDER BY entries IS NOT NULL, number";
        self.batches(sqlx::query(at).bind(as_i64(first.get())))
    }

    fn batches(&self, query: Query<'static, Postgres, PgArguments>) -> Result<Vec<Batch>, ReadError> {
        self.rows(query)?.iter().map(|row| self.batch(row)).collect()
    }

    fn batch(&self, row: &PgRow) -> Result<Batch, ReadError> {
        let number: i64 = get(row, 0)?;
        let entries: Option<Vec<Vec<u8>>> = get(row, 3)?;
        let rows: Vec<Rows> =
            serde_json::from_str(&get::<String>(row, 4)?).map_err(|error| damaged(&error.to_string()))?;
        let mut batch = Batch {
            number,
            first: position(row, 1)?,
            last: position(row, 2)?,
            arrived: entries.is_none(),
            entries: entries.unwrap_or_default(),
            rows,
        };
        let credentials = "SELECT command_position, id, sealed FROM companion_credentials WHERE batch = $1";
        for row in self.rows(sqlx::query(credentials).bind(number))? {
            let kept = CredentialRow { id: get(&row, 1)?, sealed: Bytes(get(&row, 2)?) };
            of_commit(&mut batch, position(&row, 0)?)?.credentials.push(kept);
        }
        let tokens = "SELECT command_position, token, person FROM companion_tokens WHERE batch = $1";
        for row in self.rows(sqlx::query(tokens).bind(number))? {
            let kept = TokenRow { token: Bytes(get(&row, 1)?), person: get(&row, 2)? };
            of_commit(&mut batch, position(&row, 0)?)?.lookup_tokens.push(kept);
        }
        Ok(batch)
    }

    /// Keeps out what this node has sent and not heard of: what is not staged after it never will be.
    pub(crate) fn keep_out(&self) -> Result<(), ReadError> {
        let fenced = self.write(sqlx::query("SELECT fence_companion()")).map_err(read_error)?;
        self.fence.store(get(&fenced, 0)?, Ordering::Release);
        Ok(())
    }

    /// Makes a batch durable that is about to be appended; `false` if something stands at its position already, or another
    /// node has put up a fence.
    pub(crate) fn stage(&self, batch: &mut Batch) -> Result<bool, NotStaged> {
        let never = |cause: Cause| NotStaged { cause, may_be_staged: false };
        let Apart { rows, credential_positions, ids, sealed, token_positions, tokens, persons } =
            Apart::of(batch).map_err(|error| never(Arc::new(error)))?;
        let stage = sqlx::query("SELECT stage_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
            .bind(self.fence.load(Ordering::Acquire))
            .bind(as_i64(batch.first.get()))
            .bind(batch.entries.clone())
            .bind(rows)
            .bind(credential_positions)
            .bind(ids)
            .bind(sealed)
            .bind(token_positions)
            .bind(tokens)
            .bind(persons);
        let staged = self
            .write(stage)
            .map_err(|error| NotStaged { may_be_staged: may_be_recorded(&error), cause: Arc::new(error) })?;
        let number: Option<i64> = get(&staged, 0).map_err(|error| never(Arc::new(error)))?;
        if number.is_none() {
            let fence = self.rows(sqlx::query("SELECT fence FROM companion_head"));
            let fence = fence.and_then(|rows| get(rows.first().ok_or_else(no_head)?, 0));
            self.fence.store(fence.map_err(|error| never(Arc::new(error)))?, Ordering::Release);
        }
        batch.number = number.unwrap_or_default();
        Ok(number.is_some())
    }

    /// Remembers that a batch has arrived on the server, and destroys what it says.
    pub(crate) fn settle(&self, batch: &Batch, last_event: Uuid) -> Result<(), ReadError> {
        let (mut destroyed_positions, mut destroyed) = (Vec::new(), Vec::new());
        let (mut forgotten_positions, mut forgotten) = (Vec::new(), Vec::new());
        for commit in &batch.rows {
            let position = as_i64(commit.first.get());
            destroyed_positions.extend(commit.destroyed_credentials.iter().map(|_| position));
            destroyed.extend(commit.destroyed_credentials.iter().cloned());
            forgotten_positions.extend(commit.forgotten_persons.iter().map(|_| position));
            forgotten.extend(commit.forgotten_persons.iter().copied());
        }
        let settle = sqlx::query("SELECT settle_batch($1, $2, $3, $4, $5, $6)")
            .bind(batch.number)
            .bind(last_event)
            .bind(destroyed_positions)
            .bind(destroyed)
            .bind(forgotten_positions)
            .bind(forgotten);
        self.write(settle).map(drop).map_err(read_error)
    }

    /// Whether this node leads, if need be from now on.
    pub(crate) async fn leads(&self) -> bool {
        self.lead.try_take(&self.database).await
    }

    /// Lets another node lead.
    pub(crate) async fn leave(&self) {
        self.lead.leave().await;
    }

    /// Writes what means nothing, durably.
    pub(crate) fn probe(&self) -> Result<(), Cause> {
        let database = self.database.clone();
        let probed = self.database.wait(async move { database.probe_writing().await });
        probed.map_err(|error| Arc::new(error) as Cause)
    }

    fn rows(&self, query: Query<'static, Postgres, PgArguments>) -> Result<Vec<PgRow>, ReadError> {
        let (database, readers) = (self.database.clone(), self.database.readers());
        let read = async move { database.patiently(&readers, query.fetch_all(&readers)).await };
        self.database.wait(read).map_err(read_error)
    }

    fn write(&self, query: Query<'static, Postgres, PgArguments>) -> Result<PgRow, sqlx::Error> {
        let (database, readers) = (self.database.clone(), self.database.readers());
        self.database
            .wait(async move { database.within(WRITE_WITHIN, &readers, query.fetch_one(&readers)).await })
    }
}

/// What a batch changes beside the entries: what may have to be destroyed apart from the rest.
struct Apart {
    rows: String,
    credential_positions: Vec<i64>,
    ids: Vec<String>,
    sealed: Vec<Vec<u8>>,
    token_positions: Vec<i64>,
    tokens: Vec<Vec<u8>>,
    persons: Vec<Option<Uuid>>,
}

impl Apart {
    fn of(batch: &Batch) -> serde_json::Result<Self> {
        let mut rows = batch.rows.clone();
        let (mut credential_positions, mut ids, mut sealed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut token_positions, mut tokens, mut persons) = (Vec::new(), Vec::new(), Vec::new());
        for commit in &mut rows {
            for credential in commit.credentials.drain(..) {
                credential_positions.push(as_i64(commit.first.get()));
                ids.push(credential.id);
                sealed.push(credential.sealed.0);
            }
            for token in commit.lookup_tokens.drain(..) {
                token_positions.push(as_i64(commit.first.get()));
                tokens.push(token.token.0);
                persons.push(token.person);
            }
        }
        let rows = serde_json::to_string(&rows)?;
        Ok(Self { rows, credential_positions, ids, sealed, token_positions, tokens, persons })
    }
}

/// Writes a batch as one that has arrived, by the owner's role.
pub(super) async fn keep_arrived(connection: &mut PgConnection, batch: &Batch) -> Result<(), sqlx::Error> {
    let apart = Apart::of(batch).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let keep = "INSERT INTO companion_batches (first_position, last_position, rows) VALUES ($1, $2, $3)
                RETURNING number";
    let number: i64 = sqlx::query_scalar(keep)
        .bind(as_i64(batch.first.get()))
        .bind(as_i64(batch.last.get()))
        .bind(apart.rows)
        .fetch_one(&mut *connection)
        .await?;
    let credentials = "INSERT INTO companion_credentials
                       SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bytea[])";
    sqlx::query(credentials)
        .bind(number)
        .bind(apart.credential_positions)
        .bind(apart.ids)
        .bind(apart.sealed)
        .execute(&mut *connection)
        .await?;
    let tokens =
        "INSERT INTO companion_tokens SELECT $1, * FROM unnest($2::bigint[], $3::bytea[], $4::uuid[])";
    sqlx::query(tokens)
        .bind(number)
        .bind(apart.token_positions)
        .bind(apart.tokens)
        .bind(apart.persons)
        .execute(&mut *connection)
        .await
        .map(drop)
}

/// Forgets what an earlier attempt has written, by the owner's role.
pub(super) async fn forget(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM companion_batches").execute(&mut *connection).await?;
    let begin = "UPDATE companion_head SET position = 0, event_id = NULL";
    sqlx::query(begin).execute(connection).await.map(drop)
}

/// Says with which batch the log ends, by the owner's role.
pub(super) async fn end_with(
    connection: &mut PgConnection,
    position: Position,
    event_id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE companion_head SET position = $1, event_id = $2")
        .bind(as_i64(position.get()))
        .bind(event_id)
        .execute(connection)
        .await
        .map(drop)
}

/// Fails if the database holds a log itself: its keys are that log's.
pub(super) async fn expect_no_log(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let log = sqlx::query_scalar("SELECT EXISTS (SELECT FROM log_events)");
    if bounded(PATIENCE, log.fetch_one(connection)).await? {
        return Err(PostgresError::AnotherUse { found: "a log" });
    }
    Ok(())
}

/// Fails if the database is the companion of a log that is kept elsewhere: an empty one would be begun here.
pub(super) async fn expect_none(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let companion = sqlx::query_scalar("SELECT EXISTS (SELECT FROM companion_batches)");
    if bounded(PATIENCE, companion.fetch_one(connection)).await? {
        return Err(PostgresError::AnotherUse { found: "the companion of a log on a server of events" });
    }
    Ok(())
}

fn no_head() -> ReadError {
    read_error(sqlx::Error::RowNotFound)
}

fn position(row: &PgRow, column: usize) -> Result<Position, ReadError> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map(Position::new).map_err(|error| damaged(&error.to_string()))
}

fn of_commit(batch: &mut Batch, position: Position) -> Result<&mut Rows, ReadError> {
    let commit = batch.rows.iter_mut().find(|commit| commit.first == position);
    commit.ok_or_else(|| damaged("rows belong to a commit that is not in the batch"))
}
