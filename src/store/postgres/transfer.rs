//! The database of an instance as one side of a transfer.

mod parts;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{Connection as _, Executor as _, PgConnection, Postgres, Row as _};
use tokio::sync::Mutex;
use uuid::Uuid;

use self::parts::kept;
use super::address::options;
use super::companion::{self, PostgresCompanion};
use super::database::{PATIENCE, PostgresDatabase, Purpose, bounded, connect};
use super::error::{PostgresError, read_error};
use super::migrations::{expect_newest, owns_log};
use super::verify;
use crate::error::{Place, ReadError};
use crate::position::Position;
use crate::staged_batch::Batch;
use crate::transfer::{Column, Kind, Part, Row, Side, TransferError, Value, Which};
use crate::verify::{Defect, Verified};

/// An advisory lock of sessions: shared by all who serve, whole for who moves. The number means nothing but this.
const LOCK: i64 = i64::from_be_bytes(*b"muniMove");

/// Counting and writing may walk whole tables.
const LONG: Duration = Duration::from_secs(600);

/// Keeps the log from being moved for as long as the connection lasts; refuses one that is being moved, or was moved here in
/// part.
pub(super) async fn hinder(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let taken = sqlx::query_scalar("SELECT pg_try_advisory_lock_shared($1)").bind(LOCK);
    if !bounded(PATIENCE, taken.fetch_one(&mut *connection)).await? {
        return Err(PostgresError::Moving);
    }
    if is_unfinished(connection).await? { Err(PostgresError::Unfinished) } else { Ok(()) }
}

async fn is_unfinished(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let unfinished = sqlx::query_scalar("SELECT EXISTS (SELECT FROM transfer)");
    bounded(PATIENCE, unfinished.fetch_one(connection)).await
}

/// What a database is for.
#[derive(Clone, Copy)]
enum Holds {
    Log,
    Companion,
}

/// A database that nobody serves from, while this is open. It belongs to the runtime that opened it.
pub struct PostgresSide {
    connection: Mutex<PgConnection>,
    /// Of the same place, for what reads ahead on threads.
    database: PostgresDatabase,
}

impl PostgresSide {
    /// Opens what is to be moved, by the role of the service or the owner's. Nothing of it is changed.
    ///
    /// # Errors
    /// See [`TransferError`]; among others if a node is connected.
    pub async fn source(url: &str) -> Result<Self, TransferError> {
        let side = Self::open(url, Holds::Log).await?;
        let unchanged = "SET default_transaction_read_only = on";
        side.connection.lock().await.execute(unchanged).await.map_err(PostgresError::from)?;
        Ok(side)
    }

    /// Opens the place to which something is to be moved, by the owner's role; it must have been migrated.
    ///
    /// # Errors
    /// See [`TransferError`]; among others if a node is connected.
    pub async fn target(url: &str) -> Result<Self, TransferError> {
        Self::open(url, Holds::Log).await?.owned().await
    }

    /// The same of what is beside a log on a server of events, of which it has activity and keys alone.
    pub(crate) async fn companion_source(url: &str) -> Result<Self, TransferError> {
        Self::open(url, Holds::Companion).await
    }

    /// As [`Self::companion_source`], as a place to which something is to be moved.
    pub(crate) async fn companion_target(url: &str) -> Result<Self, TransferError> {
        Self::open(url, Holds::Companion).await?.owned().await
    }

    /// The companion, for as long as nobody else is there.
    pub(crate) fn companion(&self) -> Result<PostgresCompanion, PostgresError> {
        PostgresCompanion::open(&self.database)
    }

    /// Writes batches as ones that have arrived, all or none, in the place of any; the log ends with the last of them.
    pub(crate) async fn keep_arrived(
        &self,
        next: &mut (dyn FnMut() -> Result<Option<Batch>, TransferError> + Send),
        last_event: Uuid,
    ) -> Result<(), TransferError> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await.map_err(write_error)?;
        bounded(LONG, companion::forget(&mut transaction)).await.map_err(write_error)?;
        let mut end = Position::ORIGIN;
        while let Some(batch) = next()? {
            let kept = companion::keep_arrived(&mut transaction, &batch);
            bounded(LONG, kept).await.map_err(write_error)?;
            end = batch.last;
        }
        let ended = companion::end_with(&mut transaction, end, last_event);
        bounded(PATIENCE, ended).await.map_err(write_error)?;
        bounded(LONG, transaction.commit()).await.map_err(write_error)
    }

    async fn owned(self) -> Result<Self, TransferError> {
        let side = self;
        let owns = owns_log(&mut *side.connection.lock().await).await.map_err(PostgresError::from)?;
        if owns { Ok(side) } else { Err(TransferError::NotOwner) }
    }

    async fn open(url: &str, holds: Holds) -> Result<Self, TransferError> {
        let mut connection = connect(&options(url)?).await?;
        expect_newest(&mut connection).await?;
        match holds {
            Holds::Log => companion::expect_none(&mut connection).await?,
            Holds::Companion => companion::expect_no_log(&mut connection).await?,
        }
        let taken = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(LOCK);
        if !bounded(PATIENCE, taken.fetch_one(&mut connection)).await.map_err(PostgresError::from)? {
            return Err(TransferError::InUse);
        }
        let database = PostgresDatabase::new(url, Purpose::Moving)?;
        Ok(Self { connection: Mutex::new(connection), database })
    }
}

#[async_trait]
impl Side for PostgresSide {
    async fn log_id(&self) -> Result<Uuid, TransferError> {
        let id = sqlx::query_scalar("SELECT id FROM log");
        let mut connection = self.connection.lock().await;
        Ok(bounded(PATIENCE, id.fetch_one(&mut *connection)).await.map_err(read_error)?)
    }

    async fn is_unfinished(&self) -> Result<bool, TransferError> {
        Ok(is_unfinished(&mut *self.connection.lock().await).await.map_err(read_error)?)
    }

    async fn count(&self, part: Part) -> Result<u64, TransferError> {
        let count = kept(part).count();
        let mut connection = self.connection.lock().await;
        let counted = sqlx::query_scalar::<_, i64>(&count).fetch_one(&mut *connection);
        Ok(bounded(LONG, counted).await.map_err(read_error)?.unsigned_abs())
    }

    async fn rows(&self, part: Part, which: Which<'_>, limit: usize) -> Result<Vec<Row>, TransferError> {
        let key = match which {
            Which::After(Some(key)) | Which::At(key) => key,
            Which::After(None) | Which::Last => &[],
        };
        let select = kept(part).select(part, which, limit, '$');
        let query = key.iter().fold(sqlx::query(&select), bind);
        let mut connection = self.connection.lock().await;
        let rows = bounded(LONG, query.fetch_all(&mut *connection)).await.map_err(read_error)?;
        rows.iter().map(|row| decode(part, row)).collect()
    }

    async fn begin(&self, log_id: Uuid) -> Result<(), TransferError> {
        let mut connection = self.connection.lock().await;
        let begin = async {
            let mut transaction = connection.begin().await?;
            transaction.execute("INSERT INTO transfer DEFAULT VALUES ON CONFLICT DO NOTHING").await?;
            let identity = sqlx::query("UPDATE log SET id = $1 WHERE id <> $1").bind(log_id);
            identity.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        bounded(PATIENCE, begin).await.map_err(write_error)
    }

    async fn replace(&self, part: Part, gone: &[Row], added: &[Row]) -> Result<(), TransferError> {
        let kept = kept(part);
        let mut connection = self.connection.lock().await;
        let replace = async {
            let mut transaction = connection.begin().await?;
            for (name, rows, columns, statements) in
                [("gone", gone, part.key_columns(), kept.remove), ("added", added, part.columns(), kept.add)]
            {
                for statement in statements.iter().filter(|_| !rows.is_empty()) {
                    let sql = format!("{} {statement}", table(name, columns));
                    bind_columns(sqlx::query(&sql), rows, columns).execute(&mut *transaction).await?;
                }
            }
            transaction.commit().await
        };
        bounded(LONG, replace).await.map_err(write_error)
    }

    async fn verify(
        &self,
        progress: &mut (dyn FnMut(Position) + Send),
        report: &mut (dyn FnMut(Defect) + Send),
    ) -> Result<Verified, TransferError> {
        Ok(verify::verify(&self.database, progress, report)?)
    }

    async fn finish(&self) -> Result<(), TransferError> {
        let mut connection = self.connection.lock().await;
        bounded(PATIENCE, connection.execute("DELETE FROM transfer")).await.map_err(write_error)?;
        Ok(())
    }
}

fn write_error(error: sqlx::Error) -> TransferError {
    TransferError::Write(Arc::new(error))
}

/// What a statement takes rows from: an array for each column.
fn table(name: &str, columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let arrays = columns.iter().zip(1..).map(|((_, kind), number)| {
        let kind = match kind {
            Kind::Number => "bigint",
            Kind::Text => "text",
            Kind::Bytes => "bytea",
            Kind::Id => "uuid",
        };
        format!("${number}::{kind}[]")
    });
    let arrays = arrays.collect::<Vec<_>>().join(", ");
    format!("WITH {name} ({}) AS (SELECT * FROM unnest({arrays}))", names.join(", "))
}

type Asked<'q> = Query<'q, Postgres, PgArguments>;

fn bind_columns<'q>(mut query: Asked<'q>, rows: &'q [Row], columns: &[Column]) -> Asked<'q> {
    for (number, (_, kind)) in columns.iter().enumerate() {
        let values = rows.iter().map(|row| row.get(number).unwrap_or(&Value::Nothing));
        query = match kind {
            Kind::Number => query.bind(values.map(number_of).collect::<Vec<_>>()),
            Kind::Text => query.bind(values.map(text_of).collect::<Vec<_>>()),
            Kind::Bytes => query.bind(values.map(bytes_of).collect::<Vec<_>>()),
            Kind::Id => query.bind(values.map(id_of).collect::<Vec<_>>()),
        };
    }
    query
}

fn bind<'q>(query: Asked<'q>, value: &'q Value) -> Asked<'q> {
    match value {
        Value::Nothing => query,
        Value::Number(number) => query.bind(number),
        Value::Text(text) => query.bind(text),
        Value::Bytes(bytes) => query.bind(bytes),
        Value::Id(id) => query.bind(id),
    }
}

fn number_of(value: &Value) -> Option<i64> {
    if let Value::Number(number) = value { Some(*number) } else { None }
}

fn text_of(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

fn bytes_of(value: &Value) -> Option<&[u8]> {
    if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
}

fn id_of(value: &Value) -> Option<Uuid> {
    if let Value::Id(id) = value { Some(*id) } else { None }
}

fn decode(part: Part, row: &PgRow) -> Result<Row, TransferError> {
    let columns = part.columns().iter().enumerate();
    let values = columns.map(|(number, (name, kind))| {
        let value = match kind {
            Kind::Number => row.try_get(number).map(|value: Option<_>| value.map(Value::Number)),
            Kind::Text => row.try_get(number).map(|value: Option<_>| value.map(Value::Text)),
            Kind::Bytes => row.try_get(number).map(|value: Option<_>| value.map(Value::Bytes)),
            Kind::Id => row.try_get(number).map(|value: Option<_>| value.map(Value::Id)),
        };
        value.map(|value| value.unwrap_or(Value::Nothing)).map_err(|error| {
            let place = Place::Row(format!("a row of {part}"));
            ReadError::Corrupt { place, detail: format!("`{name}`: {error}") }.into()
        })
    });
    values.collect()
}
