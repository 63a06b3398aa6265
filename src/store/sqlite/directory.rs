//! The directory that holds everything durable.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use super::schema::{self, ACTIVITY, COMPANION, KEYS, LOG, Schema};
use super::transfer::is_unfinished;
use crate::error::{Cause, OpenError};
use crate::event_log::WriteProbe;
use crate::node_directory::NodeDirectory;

/// The name, for a moment, of what is written to see whether anything can be.
const PROBE: &str = "write.probe";
/// A block of the file system: fewer bytes might find room where no more fit.
const PROBE_BYTES: usize = 4_096;

/// The directory of `log.db` (or `companion.db`) and `keys.db`, held by this process alone, or opened to read.
///
/// The lock is released when the last of the directory's clones, its log and its key store is dropped, or with the
/// process.
#[derive(Clone, Debug)]
pub struct DataDirectory {
    path: PathBuf,
    node: Option<NodeDirectory>,
    log_file: LogFile,
}

/// Where the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogFile {
    /// In `log.db`, all of it.
    Log,
    /// On a server, but for what is in `companion.db`.
    Companion,
}

impl LogFile {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Log => "log.db",
            Self::Companion => "companion.db",
        }
    }

    const fn schema(self) -> &'static Schema {
        match self {
            Self::Log => &LOG,
            Self::Companion => &COMPANION,
        }
    }

    /// Asks for the id of the log and the last position whose rows are in the file.
    pub(super) const fn state(self) -> &'static str {
        match self {
            Self::Log => "SELECT id, (SELECT coalesce(max(position), 0) FROM events) FROM log",
            Self::Companion => "SELECT id, (SELECT position FROM applied) FROM log",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Log => Self::Companion,
            Self::Companion => Self::Log,
        }
    }
}

impl DataDirectory {
    /// Opens the directory for this process alone; creates it (mode 0700) and its files if there are none, and brings
    /// the files to the newest schema.
    ///
    /// # Errors
    /// See [`OpenError`]. A log without keys is refused, and keys in use without a log; what a first start leaves that was
    /// cut off is not.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, LogFile::Log)
    }

    /// As [`Self::open`], of a log whose entries a server keeps: in the place of `log.db` there is `companion.db`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_companion(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, LogFile::Companion)
    }

    fn open_with(path: &Path, log_file: LogFile) -> Result<Self, OpenError> {
        let directory = Self::make(path, log_file)?;
        directory.expect_whole()?;
        directory.marry()?;
        Ok(directory)
    }

    /// As [`Self::open`], for a log that is to be moved here: it brings its identity along.
    pub(super) fn make(path: &Path, log_file: LogFile) -> Result<Self, OpenError> {
        let node = Some(NodeDirectory::open(path)?);
        let directory = Self { path: path.to_owned(), node, log_file };
        if directory.path.join(log_file.other().name()).exists() {
            return Err(OpenError::LogElsewhere { path: path.to_owned(), file: log_file.other().name() });
        }
        directory.check_files()?;
        // The keys come first: a crash in between leaves keys that nothing was sealed with.
        KEYS.migrate(&directory.keys())?;
        directory.log_schema().migrate(&directory.log())?;
        ACTIVITY.migrate(&directory.activity())?;
        Ok(directory)
    }

    /// Holds a directory that is there, for this process alone, and changes nothing in it.
    pub(super) fn hold(path: &Path) -> Result<Self, OpenError> {
        let directory = Self::there(path)?;
        directory.expect(LogFile::Log)?;
        if directory.keys_are_of_this_log()? {
            Ok(Self { node: Some(NodeDirectory::open(path)?), ..directory })
        } else {
            Err(OpenError::KeysOfAnotherLog(directory.path))
        }
    }

    /// Whether there is a log, in whatever schema; changes nothing.
    ///
    /// # Errors
    /// [`OpenError::Missing`] if there is none; others if it cannot be told.
    pub fn exists(path: &Path) -> Result<(), OpenError> {
        Self::there(path).map(drop)
    }

    fn there(path: &Path) -> Result<Self, OpenError> {
        let companion = path.join(LogFile::Companion.name()).exists();
        let log_file = if companion { LogFile::Companion } else { LogFile::Log };
        let directory = Self { path: path.to_owned(), node: None, log_file };
        if directory.check_files()? { Ok(directory) } else { Err(OpenError::Missing(path.to_owned())) }
    }

    /// Opens the directory to read, while a service may be using it. Nothing in it is created or changed.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        let directory = Self::there(path)?;
        directory.expect_whole()?;
        KEYS.open_to_read(&directory.keys())?;
        Ok(directory)
    }

    /// Whether `keys.db` was made for this log; keys that have not met a log yet are nobody's.
    ///
    /// # Errors
    /// When one of the files cannot be read.
    pub fn keys_are_of_this_log(&self) -> Result<bool, OpenError> {
        let id_in = |schema: &Schema, path: &Path, id: &str| -> Result<Option<Vec<u8>>, OpenError> {
            let read = schema.open_to_read(path)?.query_row(id, [], |row| row.get(0));
            read.map_err(|source| schema::open_error(path, source))
        };
        let log = id_in(self.log_schema(), &self.log(), "SELECT id FROM log")?;
        let keys = id_in(&KEYS, &self.keys(), "SELECT log_id FROM key_file")?;
        Ok(keys.is_none_or(|keys| log == Some(keys)))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What tells whether anything can be written here.
    pub(super) fn write_probe(&self) -> WriteProbe {
        let path = self.path.join(PROBE);
        Box::new(move || probe(&path).map_err(|error| Arc::new(error) as Cause))
    }

    /// Whether it was opened to read.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.node.is_none()
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join(self.log_file.name())
    }

    pub(super) fn log_file(&self) -> LogFile {
        self.log_file
    }

    pub(super) fn log_schema(&self) -> &'static Schema {
        self.log_file.schema()
    }

    /// Refuses a directory of another kind of log.
    pub(super) fn expect(&self, log_file: LogFile) -> Result<(), OpenError> {
        if self.log_file == log_file {
            return Ok(());
        }
        Err(OpenError::LogElsewhere { path: self.path.clone(), file: self.log_file.name() })
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.path.join("keys.db")
    }

    pub(super) fn activity(&self) -> PathBuf {
        self.path.join("activity.db")
    }

    /// Whether there is a log; refuses what cannot be the work of a first start that was cut off.
    fn check_files(&self) -> Result<bool, OpenError> {
        let to_write = !self.is_read_only();
        match (self.log_schema().exists(&self.log(), to_write)?, KEYS.exists(&self.keys(), to_write)?) {
            (true, false) => Err(OpenError::KeysMissing(self.path.clone())),
            (false, true) if self.keys_are_in_use()? => Err(OpenError::LogMissing(self.path.clone())),
            (log, _) => Ok(log),
        }
    }

    /// Refuses a log that was not moved here completely.
    fn expect_whole(&self) -> Result<(), OpenError> {
        let log = self.log();
        let connection = self.log_schema().open_to_read(&log)?;
        match is_unfinished(&connection) {
            Ok(false) => Ok(()),
            Ok(true) => Err(OpenError::Unfinished(self.path.clone())),
            Err(source) => Err(schema::open_error(&log, source)),
        }
    }

    fn keys_are_in_use(&self) -> Result<bool, OpenError> {
        let path = self.keys();
        let married = "SELECT count(*) FROM key_file WHERE log_id IS NOT NULL";
        let connection = KEYS.open_to_read(&path)?;
        connection
            .query_row(married, [], |row| row.get(0))
            .map_err(|source| schema::open_error(&path, source))
    }

    /// Binds the keys to the log at their first meeting; later only looks whether it is still the same log.
    fn marry(&self) -> Result<(), OpenError> {
        let (log, keys) = (self.log(), self.keys());
        let log_id: Vec<u8> = self
            .log_schema()
            .open_to_read(&log)?
            .query_row("SELECT id FROM log", [], |row| row.get(0))
            .map_err(|source| schema::open_error(&log, source))?;
        let married = |connection: &Connection| -> rusqlite::Result<bool> {
            connection.execute("UPDATE key_file SET log_id = ?1 WHERE log_id IS NULL", [&log_id])?;
            connection.query_row("SELECT log_id = ?1 FROM key_file", [&log_id], |row| row.get(0))
        };
        match married(&KEYS.open_to_write(&keys)?) {
            Ok(true) => Ok(()),
            Ok(false) => Err(OpenError::KeysOfAnotherLog(self.path.clone())),
            Err(source) => Err(schema::open_error(&keys, source)),
        }
    }
}

/// The file has a name only until it is open, so that nothing stays behind, whatever happens.
fn probe(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    std::fs::remove_file(path)?;
    file.write_all(&[0; PROBE_BYTES])?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
