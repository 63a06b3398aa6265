//! An embedded instance as one side of a transfer.

mod parts;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use rusqlite::types::{Value as SqlValue, ValueRef};
use rusqlite::{Connection, TransactionBehavior, params_from_iter};
use uuid::Uuid;

pub(super) use self::parts::{File, kept};
use super::checkpoint::checkpoint;
use super::directory::LogFile;
use super::keys::wipe;
use super::reader::read_error;
use super::schema::{ACTIVITY, KEYS, Schema, open_error};
use super::{DataDirectory, verify};
use crate::error::{OpenError, Place, ReadError};
use crate::position::Position;
use crate::transfer::{Kept, Kind, Part, Row, Side, TransferError, Value, Which};
use crate::verify::{Defect, Verified};

/// After so many pages the write-ahead log of a file that is filled is copied into it: SQLite's own number.
const AUTOCHECKPOINT: u32 = 1_000;

/// The files of a data directory, held by this process alone.
pub struct SqliteSide {
    log: Mutex<Connection>,
    keys: Mutex<Connection>,
    activity: Mutex<Connection>,
    /// Keeps the lock for as long as the files are open.
    _directory: DataDirectory,
}

impl SqliteSide {
    /// Opens what is to be moved. Nothing of it is changed.
    ///
    /// # Errors
    /// See [`OpenError`]; among others if a service uses it.
    pub fn source(path: &Path) -> Result<Self, OpenError> {
        Self::of(DataDirectory::hold(path)?)
    }

    /// The same of a directory that this process holds already.
    pub(super) fn of(directory: DataDirectory) -> Result<Self, OpenError> {
        Self::open(directory, Schema::open_to_read)
    }

    /// Opens the place to which something is to be moved; makes it if it is not there.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn target(path: &Path) -> Result<Self, OpenError> {
        Self::target_of(path, LogFile::Log)
    }

    /// The same of a directory of any kind.
    pub(super) fn target_of(path: &Path, log_file: LogFile) -> Result<Self, OpenError> {
        Self::open(DataDirectory::make(path, log_file)?, |schema, file| {
            let connection = schema.open_to_write(file)?;
            connection
                .pragma_update(None, "wal_autocheckpoint", AUTOCHECKPOINT)
                .map_err(|source| open_error(file, source))?;
            Ok(connection)
        })
    }

    fn open(
        directory: DataDirectory,
        connect: impl Fn(&Schema, &Path) -> Result<Connection, OpenError>,
    ) -> Result<Self, OpenError> {
        Ok(Self {
            log: Mutex::new(connect(directory.log_schema(), &directory.log())?),
            keys: Mutex::new(connect(&KEYS, &directory.keys())?),
            activity: Mutex::new(connect(&ACTIVITY, &directory.activity())?),
            _directory: directory,
        })
    }

    /// The file of the log, or of what is beside it.
    pub(super) fn log(&self) -> MutexGuard<'_, Connection> {
        self.file(File::Log)
    }

    /// Removes rows of a part and adds others, in one durable transaction.
    pub(super) fn write(&self, part: Part, gone: &[Row], added: &[Row]) -> Result<(), TransferError> {
        let (file, kept) = kept(part);
        write(&mut self.file(file), &kept, gone, added)
    }

    fn file(&self, file: File) -> MutexGuard<'_, Connection> {
        let connection = match file {
            File::Log => &self.log,
            File::Keys => &self.keys,
            File::Activity => &self.activity,
        };
        connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Side for SqliteSide {
    async fn log_id(&self) -> Result<Uuid, TransferError> {
        let id = self.file(File::Log).query_row("SELECT id FROM log", [], |row| row.get(0));
        Ok(Uuid::from_bytes(id.map_err(read_error)?))
    }

    async fn is_unfinished(&self) -> Result<bool, TransferError> {
        Ok(is_unfinished(&self.file(File::Log)).map_err(read_error)?)
    }

    async fn count(&self, part: Part) -> Result<u64, TransferError> {
        let (file, kept) = kept(part);
        count(&self.file(file), &kept)
    }

    async fn rows(&self, part: Part, which: Which<'_>, limit: usize) -> Result<Vec<Row>, TransferError> {
        let (file, kept) = kept(part);
        select(&self.file(file), &kept, part, which, limit)
    }

    async fn begin(&self, log_id: Uuid) -> Result<(), TransferError> {
        let begin = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute("INSERT OR IGNORE INTO transfer DEFAULT VALUES", [])?;
            transaction.execute("UPDATE log SET id = ?1 WHERE id <> ?1", [log_id.as_bytes()])?;
            transaction.commit()
        };
        begin(&mut self.file(File::Log)).map_err(write_error)?;
        let marry = "UPDATE key_file SET log_id = ?1";
        self.file(File::Keys).execute(marry, [log_id.as_bytes()]).map_err(write_error)?;
        Ok(())
    }

    async fn replace(&self, part: Part, gone: &[Row], added: &[Row]) -> Result<(), TransferError> {
        self.write(part, gone, added)
    }

    async fn verify(
        &self,
        progress: &mut (dyn FnMut(Position) + Send),
        report: &mut (dyn FnMut(Defect) + Send),
    ) -> Result<Verified, TransferError> {
        Ok(verify::verify(&self.file(File::Log), progress, report)?)
    }

    async fn finish(&self) -> Result<(), TransferError> {
        // What was removed since an earlier attempt may be the key of somebody who was erased.
        wipe(&self.file(File::Keys)).map_err(|error| TransferError::Write(Arc::new(error)))?;
        checkpoint(&self.file(File::Activity), "TRUNCATE");
        let log = self.file(File::Log);
        log.execute("DELETE FROM transfer", []).map_err(write_error)?;
        checkpoint(&log, "TRUNCATE");
        Ok(())
    }
}

/// How many rows a part has.
pub(super) fn count(file: &Connection, kept: &Kept) -> Result<u64, TransferError> {
    Ok(file.query_row(&kept.count(), [], |row| row.get(0)).map_err(read_error)?)
}

/// Up to `limit` of these rows of a part.
pub(super) fn select(
    file: &Connection,
    kept: &Kept,
    part: Part,
    which: Which<'_>,
    limit: usize,
) -> Result<Vec<Row>, TransferError> {
    let key = match which {
        Which::After(Some(key)) | Which::At(key) => key,
        Which::After(None) | Which::Last => &[],
    };
    let mut statement = file.prepare_cached(&kept.select(part, which, limit, '?')).map_err(read_error)?;
    let mut rows = statement.query(params_from_iter(key.iter().map(to_sql))).map_err(read_error)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(read_error)? {
        found.push(decode(part, row)?);
    }
    Ok(found)
}

/// Removes rows of a part and adds others, in one transaction.
pub(super) fn write(
    file: &mut Connection,
    kept: &Kept,
    gone: &[Row],
    added: &[Row],
) -> Result<(), TransferError> {
    let mut write = || -> rusqlite::Result<()> {
        let transaction = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (rows, statements) in [(gone, kept.remove), (added, kept.add)] {
            for row in rows {
                for statement in statements {
                    let mut statement = transaction.prepare_cached(statement)?;
                    let parameters = row.iter().take(statement.parameter_count()).map(to_sql);
                    statement.execute(params_from_iter(parameters))?;
                }
            }
        }
        transaction.commit()
    };
    write().map_err(write_error)
}

/// Whether a transfer to this log was begun and is not finished.
pub(super) fn is_unfinished(log: &Connection) -> rusqlite::Result<bool> {
    log.query_row("SELECT EXISTS (SELECT 1 FROM transfer)", [], |row| row.get(0))
}

pub(super) fn write_error(error: rusqlite::Error) -> TransferError {
    TransferError::Write(Arc::new(error))
}

fn to_sql(value: &Value) -> SqlValue {
    match value {
        Value::Nothing => SqlValue::Null,
        Value::Number(number) => SqlValue::Integer(*number),
        Value::Text(text) => SqlValue::Text(text.clone()),
        Value::Bytes(bytes) => SqlValue::Blob(bytes.clone()),
        // Whose it is that nobody knows.
        Value::Id(id) if id.is_nil() => SqlValue::Blob(Vec::new()),
        Value::Id(id) => SqlValue::Blob(id.as_bytes().to_vec()),
    }
}

fn decode(part: Part, row: &rusqlite::Row<'_>) -> Result<Row, TransferError> {
    let columns = part.columns().iter().enumerate();
    let values = columns.map(|(number, (name, kind))| {
        let found = row.get_ref(number).map_err(read_error)?;
        from_sql(*kind, found).ok_or_else(|| {
            let place = Place::Row(format!("a row of {part}"));
            ReadError::Corrupt { place, detail: format!("`{name}` is none") }.into()
        })
    });
    values.collect()
}

fn from_sql(kind: Kind, value: ValueRef<'_>) -> Option<Value> {
    match (kind, value) {
        (_, ValueRef::Null) => Some(Value::Nothing),
        (Kind::Number, ValueRef::Integer(number)) => Some(Value::Number(number)),
        (Kind::Text, ValueRef::Text(text)) => String::from_utf8(text.to_vec()).ok().map(Value::Text),
        (Kind::Bytes, ValueRef::Blob(bytes)) => Some(Value::Bytes(bytes.to_vec())),
        (Kind::Id, ValueRef::Blob([])) => Some(Value::Id(Uuid::nil())),
        (Kind::Id, ValueRef::Blob(bytes)) => Uuid::from_slice(bytes).ok().map(Value::Id),
        (Kind::Number | Kind::Text | Kind::Bytes | Kind::Id, _) => None,
    }
}
