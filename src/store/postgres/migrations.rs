//! Bringing a database to the newest schema, and seeing whether it is there.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use super::address::options;
use super::database::{bounded, connect};
use super::error::PostgresError;

/// One migration at a time; the number means nothing but this.
const LOCK: i64 = i64::from_be_bytes(*b"muniment");

/// A step may build an index over everything.
const PATIENCE: Duration = Duration::from_secs(3_600);

macro_rules! steps {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../migrations/postgres/", $name, ".sql"))),)*]
    };
}

/// In order, and for ever: a step that was taken somewhere is never edited.
const STEPS: &[(&str, &str)] = steps![
    "0001_create_log"
    "0002_create_commands"
    "0003_create_claims"
    "0004_create_vault"
    "0005_create_lookup_tokens"
    "0006_create_append"
    "0007_create_events_view"
    "0008_create_activity"
    "0009_create_keys"
    "0010_create_transfer"
    "0011_create_companion"
    "0012_fence_companion"
    "0013_create_vouchers"
    "0014_replace_vouchers"
];

const GRANTS: &str = include_str!("../../../migrations/postgres/grants.sql");

const CREATE_SCHEMA: &str = "
CREATE SCHEMA IF NOT EXISTS muniment;
CREATE TABLE IF NOT EXISTS muniment.migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  checksum bytea NOT NULL,
  taken_at timestamptz NOT NULL DEFAULT now()
);";

/// Takes the steps that a database has not taken, as the owner of the schema, and grants the service's `role` what it needs.
/// Answers the names of the steps taken. Everything or nothing is done; who comes meanwhile waits.
///
/// # Errors
/// See [`PostgresError`]: among others if a step that was taken is not the one that this program knows.
pub async fn migrate_postgres(url: &str, role: &str) -> Result<Vec<&'static str>, PostgresError> {
    let options = options(url)?.options([("lock_timeout", "0")]);
    let mut connection = connect(&options).await?;
    bounded(PATIENCE, sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut connection)).await?;
    let known = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    if !sqlx::query_scalar(known).bind(role).fetch_one(&mut connection).await? {
        return Err(PostgresError::NoSuchRole(role.to_owned()));
    }
    let mut transaction = connection.begin().await?;
    transaction.execute(sqlx::raw_sql(CREATE_SCHEMA)).await?;
    let taken = taken(&mut transaction).await?;
    let missing = &STEPS[taken..];
    for (number, (name, step)) in (taken..).zip(missing) {
        bounded(PATIENCE, transaction.execute(sqlx::raw_sql(step))).await?;
        let record = "INSERT INTO migrations (number, name, checksum)
                      VALUES ($1, $2, sha256(convert_to($3, 'UTF8')))";
        let number = i32::try_from(number + 1).unwrap_or(i32::MAX);
        sqlx::query(record).bind(number).bind(name).bind(step).execute(&mut *transaction).await?;
    }
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    transaction.execute(sqlx::raw_sql(&GRANTS.replace("{role}", &quoted))).await?;
    transaction.commit().await?;
    // The lock goes with the connection.
    connection.close().await?;
    Ok(missing.iter().map(|(name, _)| *name).collect())
}

/// Fails unless every step was taken, and no other.
pub(super) async fn expect_newest(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let exists = "SELECT to_regclass('muniment.migrations') IS NOT NULL";
    if !sqlx::query_scalar(exists).fetch_one(&mut *connection).await? {
        return Err(PostgresError::NotMigrated);
    }
    let found = taken(connection).await?;
    if found < STEPS.len() {
        return Err(PostgresError::OlderSchema { found, known: STEPS.len() });
    }
    Ok(())
}

/// How many steps were taken, all of which are the ones that are known.
async fn taken(connection: &mut PgConnection) -> Result<usize, PostgresError> {
    let names: Vec<_> = STEPS.iter().map(|(name, _)| *name).collect();
    let steps: Vec<_> = STEPS.iter().map(|(_, step)| *step).collect();
    let compare = "SELECT migrations.name,
                          coalesce(migrations.name = known.name
                                   AND migrations.checksum = sha256(convert_to(known.step, 'UTF8')), false)
                   FROM migrations
                   LEFT JOIN unnest($1::text[], $2::text[]) WITH ORDINALITY AS known (name, step, number)
                          ON known.number = migrations.number
                   ORDER BY migrations.number";
    let taken = sqlx::query(compare).bind(names).bind(steps).fetch_all(connection).await?;
    if taken.len() > STEPS.len() {
        return Err(PostgresError::NewerSchema { found: taken.len(), known: STEPS.len() });
    }
    for row in &taken {
        if !row.try_get::<bool, _>(1)? {
            return Err(PostgresError::ChangedStep(row.try_get(0)?));
        }
    }
    Ok(taken.len())
}

/// Fails if the role of the connection could change what is recorded.
pub(super) async fn expect_no_privilege(connection: &mut PgConnection) -> Result<(), PostgresError> {
    let privileged = "SELECT current_user::text,
                             has_table_privilege('muniment.log_events', 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
                             OR pg_has_role((SELECT relowner FROM pg_class
                                             WHERE oid = 'muniment.log_events'::regclass), 'MEMBER')";
    let row = sqlx::query(privileged).fetch_one(connection).await?;
    if row.try_get::<bool, _>(1)? { Err(PostgresError::Privileged(row.try_get(0)?)) } else { Ok(()) }
}

/// Whether the role of the connection may do what the owner of the log may.
pub(super) async fn owns_log(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let owns = "SELECT pg_has_role((SELECT relowner FROM pg_class
                                    WHERE oid = 'muniment.log_events'::regclass), 'MEMBER')";
    sqlx::query_scalar(owns).fetch_one(connection).await
}
