//! The directory that one node has for itself, wherever its log is.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{process, thread};

use crate::error::OpenError;

/// Who is about to end may hold it this much longer, and so may a program that was just started and has not let go yet of
/// what it inherited.
const PATIENCE: Duration = Duration::from_millis(500);

/// A directory that is held by this process alone: of the views, the control socket, and, if it is embedded, the log.
///
/// The lock is on `muniment.lock`, which also says who holds it. It is released when the last clone is dropped, or with
/// the process.
#[derive(Clone, Debug)]
pub struct NodeDirectory {
    path: PathBuf,
    _lock: Arc<File>,
}

impl NodeDirectory {
    /// Opens the directory; creates it (mode 0700) if there is none.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another process holds it; and if it cannot be made or written to.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        create(path).map_err(|source| io_error(path, source))?;
        Ok(Self { path: path.to_owned(), _lock: Arc::new(lock(path)?) })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn create(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|level| !names_directory(level)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // The names of the directories must outlive a loss of power as well as what is in them.
    for parent in missing.iter().filter_map(|level| level.parent()) {
        File::open(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?.sync_all()?;
    }
    Ok(())
}

/// The empty path, above a relative one, is the working directory.
fn names_directory(path: &Path) -> bool {
    path.as_os_str().is_empty() || path.is_dir()
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join("muniment.lock");
    let open =
        || OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = open().map_err(|source| io_error(&path, source))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(PATIENCE / 20),
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: directory.to_owned(), pid: read_pid(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(io_error(&path, source)),
        }
    }
    write_pid(&mut file).map_err(|source| io_error(&path, source))?;
    Ok(file)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", process::id())
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    let path = path.to_owned();
    if matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) {
        OpenError::ReadOnly { path, source }
    } else {
        OpenError::Io { path, source }
    }
}
