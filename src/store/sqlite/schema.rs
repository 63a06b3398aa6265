//! Opening the database files: is it ours, is it of our time, and how is it to be used.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rustix::{fs::Access, io::Errno};

use super::at_rest::open_to_read;
use crate::error::OpenError;

/// How long one connection waits for another; only another process could make it wait this long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// A kind of database file: how it is told from others, and the steps to its newest schema.
pub(super) struct Schema {
    application_id: i32,
    /// After so many pages in the write-ahead log a commit copies them into the file; 0 leaves that to a checkpointer.
    autocheckpoint: u32,
    steps: &'static [&'static str],
    /// A file in the same directory whose tables its connections see as well.
    attached: Option<&'static Attached>,
}

/// A file that is opened with another one.
struct Attached {
    name: &'static str,
    schema: Schema,
}

pub(super) const LOG: Schema = Schema {
    application_id: i32::from_be_bytes(*b"Mlog"),
    autocheckpoint: 0,
    steps: &[
        include_str!("../../../migrations/sqlite/0001_create_log.sql"),
        include_str!("../../../migrations/sqlite/0002_create_commands.sql"),
        include_str!("../../../migrations/sqlite/0003_create_claims.sql"),
        include_str!("../../../migrations/sqlite/0004_create_vault.sql"),
        include_str!("../../../migrations/sqlite/0005_create_writer_epoch.sql"),
        include_str!("../../../migrations/sqlite/0006_create_lookup_tokens.sql"),
        include_str!("../../../migrations/sqlite/0008_find_claims_by_stream.sql"),
        include_str!("../../../migrations/sqlite/0009_create_transfer.sql"),
    ],
    attached: None,
};

/// All of a log but its entries, which a server keeps; in the tables that an embedded log has.
pub(super) const COMPANION: Schema = Schema {
    application_id: i32::from_be_bytes(*b"Mcom"),
    autocheckpoint: 0,
    steps: &[
        include_str!("../../../migrations/sqlite/0002_create_commands.sql"),
        include_str!("../../../migrations/sqlite/0003_create_claims.sql"),
        include_str!("../../../migrations/sqlite/0004_create_vault.sql"),
        include_str!("../../../migrations/sqlite/0005_create_writer_epoch.sql"),
        include_str!("../../../migrations/sqlite/0006_create_lookup_tokens.sql"),
        include_str!("../../../migrations/sqlite_companion/0001_create_companion.sql"),
        include_str!("../../../migrations/sqlite_companion/0002_create_transfer.sql"),
    ],
    attached: Some(&REPLICA),
};

/// The entries, as they were read from the server: they can always be read again.
const REPLICA: Attached = Attached {
    name: "replica.db",
    schema: Schema {
        application_id: i32::from_be_bytes(*b"Mrep"),
        autocheckpoint: 0,
        steps: &[include_str!("../../../migrations/sqlite/0001_create_log.sql")],
        attached: None,
    },
};

pub(super) const KEYS: Schema = Schema {
    application_id: i32::from_be_bytes(*b"Mkey"),
    autocheckpoint: 1_000, // SQLite's own
    steps: &[
        include_str!("../../../migrations/sqlite_keys/0001_create_keys.sql"),
        include_str!("../../../migrations/sqlite_keys/0002_add_to_be_wiped.sql"),
    ],
    attached: None,
};

pub(super) const ACTIVITY: Schema = Schema {
    application_id: i32::from_be_bytes(*b"Mact"),
    autocheckpoint: 0,
    steps: &[
        include_str!("../../../migrations/sqlite_activity/0001_create_activity.sql"),
        include_str!("../../../migrations/sqlite_activity/0002_create_vouchers.sql"),
    ],
    attached: None,
};

enum Found {
    /// Neither a mark nor a table. A crash before the first step leaves that: the journal mode is set outside of it.
    Nothing,
    Ours {
        steps: usize,
    },
}

impl Schema {
    /// Whether a schema of ours is in the file. An empty file and an empty database are the beginnings of one.
    ///
    /// Only `to_write` can this be asked after a crash of the very first step, whose journal may have to be rolled back.
    pub(super) fn exists(&self, path: &Path, to_write: bool) -> Result<bool, OpenError> {
        // Asked, not opened: closing the file would let go of the locks that SQLite holds on it in this process.
        if rustix::fs::access(path, Access::READ_OK) == Err(Errno::ACCESS) {
            return Err(OpenError::Closed { path: path.to_owned(), source: Errno::ACCESS.into() });
        }
        if !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
            return Ok(false);
        }
        let flags = if to_write {
            OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE
        } else {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        };
        let found = self.inspect(path, &connect(path, flags)?)?;
        Ok(matches!(found, Found::Ours { .. }))
    }

    /// Creates the file if there is none, and takes the steps that it has not taken.
    pub(super) fn migrate(&self, path: &Path) -> Result<(), OpenError> {
        if let Some(attached) = self.attached {
            attached.schema.migrate_disposable(&path.with_file_name(attached.name))?;
        }
        let mut connection = connect(path, OpenFlags::default())?;
        let taken = match self.inspect(path, &connection)? {
            Found::Ours { steps } if steps == self.steps.len() => return Ok(()),
            Found::Ours { steps } => steps,
            Found::Nothing => 0,
        };
        self.take_steps(&mut connection, taken).map_err(|source| open_error(path, source))
    }

    fn take_steps(&self, connection: &mut Connection, taken: usize) -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for step in &self.steps[taken..] {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", self.application_id)?;
        transaction.pragma_update(None, "user_version", self.steps.len())?;
        transaction.commit()
    }

    /// A connection that may write. The journal mode is set at every opening: a copy that `VACUUM INTO` made has lost it.
    pub(super) fn open_to_write(&self, path: &Path) -> Result<Connection, OpenError> {
        let connection = connect(path, OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE)?;
        self.expect_newest(path, &connection)?;
        self.attach(path, &connection)?;
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = {}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;",
                self.autocheckpoint,
            ))
            .map_err(|source| open_error(path, source))?;
        Ok(connection)
    }

    /// A connection that cannot write.
    pub(super) fn open_to_read(&self, path: &Path) -> Result<Connection, OpenError> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        self.expect_newest(path, &connection)?;
        self.attach(path, &connection)?;
        Ok(connection)
    }

    /// As [`Self::migrate`], but a file that cannot be used is made anew: nothing is lost with it.
    pub(super) fn migrate_disposable(&self, file: &Path) -> Result<(), OpenError> {
        match self.migrate(file) {
            Err(OpenError::NotADatabase { .. } | OpenError::NotOurs(_) | OpenError::NewerSchema { .. }) => {}
            migrated => return migrated,
        }
        tracing::warn!(file = %file.display(), "a file that cannot be used is made anew");
        self.renew(file)
    }

    /// Empties the file.
    pub(super) fn renew(&self, file: &Path) -> Result<(), OpenError> {
        remove_database(file).map_err(|source| OpenError::Io { path: file.to_owned(), source })?;
        self.migrate(file)
    }

    /// Empties the attached file.
    pub(super) fn renew_attached(&self, path: &Path) -> Result<(), OpenError> {
        let Some(attached) = self.attached else { return Ok(()) };
        attached.schema.renew(&path.with_file_name(attached.name))
    }

    /// Losing the newest transactions of an attached file must be no loss: only those of the file itself are waited for.
    fn attach(&self, path: &Path, connection: &Connection) -> Result<(), OpenError> {
        let Some(Attached { name, schema }) = self.attached else { return Ok(()) };
        let file = path.with_file_name(name);
        if !file.exists() {
            return Err(OpenError::NoReplica(file));
        }
        drop(schema.open_to_read(&file)?);
        let attach = || -> rusqlite::Result<()> {
            connection.execute("ATTACH ?1 AS attached", [file.to_string_lossy()])?;
            connection.execute_batch("PRAGMA attached.synchronous = NORMAL;")
        };
        attach().map_err(|source| open_error(&file, source))
    }

    fn expect_newest(&self, path: &Path, connection: &Connection) -> Result<(), OpenError> {
        match self.inspect(path, connection)? {
            Found::Ours { steps } if steps == self.steps.len() => Ok(()),
            Found::Ours { steps } => Err(OpenError::OlderSchema {
                path: path.to_owned(),
                found: as_u32(steps),
                known: as_u32(self.steps.len()),
            }),
            Found::Nothing => Err(OpenError::NotOurs(path.to_owned())),
        }
    }

    fn inspect(&self, path: &Path, connection: &Connection) -> Result<Found, OpenError> {
        let (application_id, steps, objects): (i32, i64, i64) = connection
            .query_row(
                "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
                 FROM pragma_application_id, pragma_user_version",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .map_err(|source| open_error(path, source))?;
        if (application_id, steps, objects) == (0, 0, 0) {
            return Ok(Found::Nothing);
        }
        match usize::try_from(steps) {
            Ok(steps) if application_id == self.application_id && steps <= self.steps.len() => {
                Ok(Found::Ours { steps })
            }
            Ok(steps) if application_id == self.application_id => Err(OpenError::NewerSchema {
                path: path.to_owned(),
                found: as_u32(steps),
                known: as_u32(self.steps.len()),
            }),
            Ok(_) | Err(_) => Err(OpenError::NotOurs(path.to_owned())),
        }
    }
}

fn remove_database(file: &Path) -> std::io::Result<()> {
    for suffix in ["-wal", "-shm", ""] {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn as_u32(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    let open = || -> rusqlite::Result<Connection> {
        let connection = if flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY) {
            open_to_read(path, flags)?
        } else {
            Connection::open_with_flags(path, flags)?
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Removed values are overwritten: the vault's rows live in these files.
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")?;
        Ok(connection)
    };
    open().map_err(|source| open_error(path, source))
}

/// What SQLite's refusal to open a file means.
pub(super) fn open_error(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::NotADatabase { path, source }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => OpenError::ReadOnly {
            path,
            source: std::io::Error::new(std::io::ErrorKind::PermissionDenied, source),
        },
        _ => OpenError::Database { path, source },
    }
}
