//! Views files: `views-<n>.db`, one of which the pointer file `live` names.

mod schema;

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use store::{EventLog, Position, ReadError};

pub(crate) use schema::create as create_tables;

use crate::digest::sha256;
use crate::error::{QueryError, ViewsError};
use crate::fold::{Checkpoint, Fold, checkpoints};
use crate::projection::Projection;
use crate::reader::Reader;

/// The folder of the views in a data directory.
const FOLDER: &str = "views";
/// The pointer file.
const POINTER: &str = "live";
/// How the files of comparisons begin.
const SCRATCH: &str = "verify-";
/// Idle connections kept for reading.
const MOST_READERS: usize = 8;
/// Pages of a new file: a client's state is one to three kilobytes, and several of them share a page.
const PAGE_BYTES: i32 = 16 * 1024;
/// States of clients, of about 3 KiB each, that a fold keeps in memory before it writes them, where it is alone: most
/// registries whole.
pub(crate) const MOST_HELD_ALONE: usize = 131_072;
/// The same beside a service.
pub(crate) const MOST_HELD_BESIDE: usize = 16_384;
/// The page cache of a fold that nobody reads.
const OFFLINE_CACHE_KIB: i32 = 64 * 1024;
/// How long a connection waits for another one; only opening and closing files ever makes one wait.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The folder that holds views files and their pointer.
#[derive(Clone, Debug)]
pub(crate) struct ViewsDirectory {
    path: PathBuf,
}

/// One views file, and the connections that read it.
pub(crate) struct ViewsFile {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    /// Whether nobody needs it once nobody reads it any more.
    remove: AtomicBool,
}

/// The file of a fold that is only compared, which is gone when that is over. It is locked meanwhile, so that nobody
/// takes it for one that was left over.
pub(crate) struct Scratch {
    pub(crate) path: PathBuf,
    _held: File,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// Which file a path named. SQLite goes on with a file that was deleted under it, and tells nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

/// Why a file cannot go on being used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it is damaged or no views file")]
    Damaged(#[from] rusqlite::Error),
    #[error("it was made with another schema")]
    AnotherSchema,
    #[error("it was folded from another log, or from events that are no longer in this one")]
    AnotherLog,
}

/// What a views file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The file.
    pub file: PathBuf,
    /// How far each view has come.
    pub checkpoints: Vec<Checkpoint>,
}

/// Looks at the live views of a data directory without changing anything, while a service may be using it; `None` if
/// there are none that this binary could go on with.
#[must_use]
pub fn inspect(data_directory: &Path) -> Option<Inspected> {
    let file = ViewsDirectory::of(data_directory).live()?;
    let connection = open_to_compare(&file).ok()?;
    let checkpoints = checkpoints(&connection, &crate::all()).ok()?;
    Some(Inspected { file, checkpoints })
}

impl ViewsDirectory {
    /// The folder in a data directory, whether it is there or not.
    pub(crate) fn of(data_directory: &Path) -> Self {
        Self { path: data_directory.join(FOLDER) }
    }

    /// The folder in a data directory, created if it is not there.
    pub(crate) fn create(data_directory: &Path) -> Result<Self, ViewsError> {
        let directory = Self::of(data_directory);
        fs::create_dir_all(&directory.path).map_err(ViewsError::directory(&directory.path))?;
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that the pointer names, if there is one.
    pub(crate) fn live(&self) -> Option<PathBuf> {
        let name = fs::read_to_string(self.path.join(POINTER)).ok()?;
        number(name.trim_end())?;
        Some(self.path.join(name.trim_end())).filter(|file| file.is_file())
    }

    /// The live file if it can go on being used, otherwise a new one in its place. Removes what a crash left over.
    pub(crate) fn open_or_replace(&self, log: &dyn EventLog) -> Result<ViewsFile, ViewsError> {
        self.remove_abandoned();
        let Some(path) = self.live() else {
            tracing::info!(directory = %self.path.display(), "there are no views yet: folding the log");
            return self.replace(None);
        };
        let file = ViewsFile::new(path);
        match file.check(log)? {
            Ok(()) => {
                self.remove_others(&file);
                Ok(file)
            }
            Err(reason) => {
                tracing::warn!(file = %file.path.display(), %reason, "the views cannot be used: folding the log again");
                self.replace(Some(&file))
            }
        }
    }

    /// A new, empty file in the place of the live one, which is removed. Never of the same name, even if the old one
    /// is gone already: whoever still has that would open this one.
    pub(crate) fn replace(&self, old: Option<&ViewsFile>) -> Result<ViewsFile, ViewsError> {
        fs::create_dir_all(&self.path).map_err(ViewsError::directory(&self.path))?;
        let path = self.path_after(old.and_then(ViewsFile::number).unwrap_or(0))?;
        let create =
            |path: &Path| schema::create(&open_writer(path, OpenFlags::SQLITE_OPEN_CREATE)?, &crate::all());
        create(&path).map_err(ViewsError::database(&path))?;
        let file = ViewsFile::new(path);
        self.make_live(&file)?;
        Ok(file)
    }

    /// The path of the file after all that are there.
    pub(crate) fn next_path(&self) -> Result<PathBuf, ViewsError> {
        self.path_after(0)
    }

    fn path_after(&self, old: u64) -> Result<PathBuf, ViewsError> {
        let newest = self
            .files()
            .map_err(ViewsError::directory(&self.path))?
            .into_iter()
            .map(|(number, _)| number)
            .max();
        Ok(self.path.join(format!("views-{}.db", newest.unwrap_or(0).max(old) + 1)))
    }

    /// Moves the pointer to a file, durably and in one step, and removes the others.
    pub(crate) fn make_live(&self, file: &ViewsFile) -> Result<(), ViewsError> {
        self.point_to(file)?;
        self.remove_others(file);
        Ok(())
    }

    /// Moves the pointer to a file, durably and in one step. The others stay, for whoever reads them.
    pub(crate) fn point_to(&self, file: &ViewsFile) -> Result<(), ViewsError> {
        file.remove.store(false, Ordering::Relaxed);
        let name = file.path.file_name().unwrap_or_default();
        self.write_pointer(name.as_encoded_bytes()).map_err(ViewsError::directory(&self.path.join(POINTER)))
    }

    fn write_pointer(&self, name: &[u8]) -> io::Result<()> {
        let next = self.path.join("live.next");
        let mut pointer = File::create(&next)?;
        pointer.write_all(name)?;
        pointer.sync_all()?;
        fs::rename(&next, self.path.join(POINTER))?;
        File::open(&self.path)?.sync_all()
    }

    /// A file of its own for a comparison. Those of comparisons that were killed are removed.
    pub(crate) fn scratch(&self) -> io::Result<Scratch> {
        self.remove_abandoned();
        let path = self.path.join(format!("{SCRATCH}{}.db", std::process::id()));
        let held = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        held.try_lock()?;
        Ok(Scratch { path, _held: held })
    }

    /// Removes the files of comparisons that nobody makes any more: the lock on them went with the process.
    pub(crate) fn remove_abandoned(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries.flatten() {
            let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(SCRATCH));
            if ours && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
                // What cannot be removed costs room and nothing else.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// A file that cannot be removed costs room and nothing else.
    fn remove_others(&self, live: &ViewsFile) {
        for (_, path) in self.files().unwrap_or_default() {
            if !path.as_os_str().as_encoded_bytes().starts_with(live.path.as_os_str().as_encoded_bytes())
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::warn!(file = %path.display(), %error, "an old views file cannot be removed");
            }
        }
    }

    /// All views files and what SQLite keeps beside them, with their numbers.
    fn files(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let Some(name) = name.to_str() else { continue };
            let main = name.trim_end_matches("-wal").trim_end_matches("-shm").trim_end_matches("-journal");
            files.extend(number(main).map(|number| (number, self.path.join(name))));
        }
        Ok(files)
    }
}

/// The number in the name of a views file.
fn number(name: &str) -> Option<u64> {
    name.strip_prefix("views-")?.strip_suffix(".db")?.parse().ok()
}

impl ViewsFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, readers: Mutex::new(Vec::new()), remove: AtomicBool::new(false) }
    }

    /// Removes the file as soon as the last reader has let go of it, until when it can still be opened; unless the
    /// pointer is moved to it.
    pub(crate) fn remove_when_dropped(&self) {
        self.remove.store(true, Ordering::Relaxed);
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn number(&self) -> Option<u64> {
        number(self.path.file_name()?.to_str()?)
    }

    /// Which file the path names now; `None` if it names none or that cannot be told.
    pub(crate) fn identity(&self) -> Option<Identity> {
        fs::metadata(&self.path).ok().as_ref().map(Identity::of)
    }

    /// Whether the path names another file than it did, or none. What cannot be told now counts as no.
    pub(crate) fn is_gone(&self, was: Option<Identity>) -> bool {
        match fs::metadata(&self.path) {
            Ok(metadata) => Some(Identity::of(&metadata)) != was,
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }

    /// The connection that folds into the file; there is one at a time.
    pub(crate) fn writer(&self) -> Result<Connection, ViewsError> {
        open_writer(&self.path, OpenFlags::empty()).map_err(ViewsError::database(&self.path))
    }

    /// A connection of one's own that can only read.
    pub(crate) fn reader(&self) -> Result<Connection, rusqlite::Error> {
        open(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    /// Runs a query over one moment of the file.
    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| self.reader(), Ok).map_err(QueryError::Unopened)?;
        connection.prepare_cached("BEGIN")?.execute([])?;
        let reader = Reader::new(connection);
        let answer = query(&reader);
        let connection = reader.into_connection();
        connection.prepare_cached("ROLLBACK")?.execute([])?;
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < MOST_READERS {
            readers.push(connection);
        }
        answer.map_err(QueryError::while_reading)
    }

    /// Whether folding can go on in this file, for this binary and this log. The outer error is the log's.
    fn check(&self, log: &dyn EventLog) -> Result<Result<(), Unusable>, ViewsError> {
        let connection = match open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error.into())),
        };
        if let Err(reason) = schema::check(&connection) {
            return Ok(Err(reason));
        }
        match schema::tail(&connection) {
            Ok(None) => Ok(Ok(())),
            Ok(Some((position, digest))) if entry_digest(log, position)? == Some(digest) => Ok(Ok(())),
            Ok(Some(_)) => Ok(Err(Unusable::AnotherLog)),
            Err(error) => Ok(Err(error.into())),
        }
    }
}

impl Drop for ViewsFile {
    fn drop(&mut self) {
        if self.remove.load(Ordering::Relaxed) {
            // The last connection to close a file writes to it once more.
            self.readers.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
            for kept in ["", "-wal", "-shm", "-journal"] {
                let mut path = self.path.clone().into_os_string();
                path.push(kept);
                // What cannot be removed now is removed at the next start.
                let _ = fs::remove_file(path);
            }
        }
    }
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The digest of the entry at a position; `None` if the log is shorter.
fn entry_digest(log: &dyn EventLog, position: Position) -> Result<Option<[u8; 32]>, ReadError> {
    let mut digest = None;
    log.scan(Position::new(position.get().saturating_sub(1)), &mut |event| {
        digest = (event.position == position).then(|| sha256(event.entry));
        ControlFlow::Break(())
    })?;
    Ok(digest)
}

/// A fold into a new file that nobody reads yet, and that is worth nothing until it is finished: no write-ahead log,
/// nothing synchronised, and `most_held` states of clients in memory before they are written.
pub(crate) fn create_offline(
    path: &Path,
    most_held: usize,
    projections: Vec<Box<dyn Projection>>,
) -> Result<Fold, rusqlite::Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "memory")?;
    connection.pragma_update(None, "synchronous", "off")?;
    connection.pragma_update(None, "cache_size", -OFFLINE_CACHE_KIB)?;
    schema::create(&connection, &projections)?;
    Ok(Fold::open(connection, projections)?.holding_back(most_held))
}

/// Makes what was folded offline a file like any other: indexed, and on the disk before any pointer names it.
pub(crate) fn finish_offline(fold: Fold) -> Result<(), rusqlite::Error> {
    fold.create_indexes()?;
    let connection = fold.into_connection();
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.close().map_err(|(_, error)| error)
}

/// A connection that reads one moment of a file of this binary's schema for as long as it is open.
pub(crate) fn open_to_compare(path: &Path) -> Result<Connection, Unusable> {
    let connection = prepare(store::open_to_read(path, OpenFlags::SQLITE_OPEN_NO_MUTEX)?)?;
    connection.execute_batch("BEGIN")?;
    schema::check(&connection)?;
    Ok(connection)
}

/// WAL, so that readers never wait; not synchronised, because what is lost is folded again.
fn open_writer(path: &Path, create: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | create)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

fn open(path: &Path, mode: OpenFlags) -> Result<Connection, rusqlite::Error> {
    prepare(Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

fn prepare(connection: Connection) -> Result<Connection, rusqlite::Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
