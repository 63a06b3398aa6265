//! What a refusal of Postgres means.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::error::{Place, ReadError, UNFINISHED};

/// Why a Postgres database could not be opened or migrated. No message holds the password of an address.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The address is none.
    #[error("reading the address of the Postgres database")]
    Address(#[source] sqlx::Error),
    /// The file of the certificates that are believed cannot be read.
    #[error("reading the certificates of `sslrootcert` from `{}`", .file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file has none.
    #[error("`{}`, which `sslrootcert` names, holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// The database does not answer, or refuses.
    #[error("asking the Postgres database")]
    Database(#[from] sqlx::Error),
    /// The system gave no threads.
    #[error("starting the threads that talk to Postgres")]
    Threads(#[from] std::io::Error),
    /// The server follows another one, or takes no writes: the log's head would lag behind.
    #[error("the Postgres server takes no writes: it is a standby, or set to read only")]
    ReadOnly,
    /// There is no schema yet.
    #[error("the database has no schema `muniment`: run `muniment migrate` with the owner's address")]
    NotMigrated,
    /// The schema lacks steps.
    #[error(
        "the database's schema is {found}, {known} is needed: run `muniment migrate` with the owner's address"
    )]
    OlderSchema {
        /// Its schema.
        found: usize,
        /// The schema that this program needs.
        known: usize,
    },
    /// A newer program has migrated the database.
    #[error("a newer program has migrated the database: its schema is {found}, this program knows {known}")]
    NewerSchema {
        /// Its schema.
        found: usize,
        /// The newest schema that this program knows.
        known: usize,
    },
    /// A step was taken that is not the one that this program has under its number.
    #[error("step `{0}` of the database's schema is not the one that this program knows")]
    ChangedStep(String),
    /// The role could change what is recorded.
    #[error(
        "the role `{0}` owns the log or may change what is recorded: serve with the role that `muniment migrate` grants to"
    )]
    Privileged(String),
    /// A transfer from or to the database is under way.
    #[error("a log is being moved from or to this database: wait until `muniment migrate-log` is done")]
    Moving,
    /// A transfer to the database was begun and is not finished.
    #[error("opening the database: {UNFINISHED}")]
    Unfinished,
    /// The role that is to be granted to is not there.
    #[error("there is no role `{0}`: create it with CREATE ROLE … LOGIN PASSWORD …, then migrate again")]
    NoSuchRole(String),
    /// What the database holds of a log is not what it is opened as.
    #[error("the database is {found}: it is not what this address was used as before")]
    AnotherUse {
        /// What it is.
        found: &'static str,
    },
    /// The newest events could not be read.
    #[error("reading where the log ends")]
    Read(#[from] ReadError),
}

/// What a failed read means: a damaged database, or one that cannot be read now.
pub(super) fn read_error(error: sqlx::Error) -> ReadError {
    let said = error.as_database_error().and_then(DatabaseError::code);
    // data_corrupted and index_corrupted
    let damaged = said.is_some_and(|code| matches!(&*code, "XX001" | "XX002"))
        || matches!(
            error,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound
        );
    if damaged {
        let place = Place::Row("a row of the database".to_owned());
        ReadError::Corrupt { place, detail: error.to_string() }
    } else {
        ReadError::Unavailable(Arc::new(error))
    }
}

/// Whether the transaction of a failed statement may be recorded nevertheless. It is not if the server said what is wrong
/// with the statement and goes on; everything else may be the loss of an answer.
pub(super) fn may_be_recorded(error: &sqlx::Error) -> bool {
    let Some(refusal) = error.as_database_error() else {
        // What cannot be encoded was never sent.
        return !matches!(error, sqlx::Error::Encode(_));
    };
    let severity = refusal.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    !matches!(severity, Some(PgSeverity::Error))
}
