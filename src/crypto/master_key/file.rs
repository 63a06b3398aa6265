//! The file of the master key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::{MalformedMasterKey, MasterKey, MasterKeyError};
use crate::Entropy;

/// Longer than any line of ours, in bytes: what is longer is some other file.
const LONGEST: usize = 256;

impl MasterKey {
    /// Reads the file at `path`. Refuses one to which its group or others have any access: a key they may
    /// have read is none.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let unreadable = |source| MasterKeyError::Read { path: path.to_owned(), source };
        let malformed = |source| MasterKeyError::Malformed { path: path.to_owned(), source };

        let file = File::open(path).map_err(unreadable)?;
        // Of the open file, not of the path: it cannot be exchanged between the check and the read.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Exposed { path: path.to_owned(), mode });
        }
        // Room for all of it from the start: a buffer that grows leaves copies of the key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 * LONGEST));
        file.take(LONGEST as u64).read_to_end(&mut bytes).map_err(unreadable)?;
        let line = str::from_utf8(&bytes).map_err(|_| malformed(MalformedMasterKey::Shape))?;
        Self::parse_line(line).map_err(malformed)
    }

    /// Makes a fresh key and the file at `path` for it, readable by its owner alone. When this returns, file
    /// and directory entry are on disk. Never replaces a file: losing the only master key loses everything
    /// sealed under it.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> Result<Self, MasterKeyError> {
        let master_key = Self::random(entropy)?;
        let uncreatable = |source| MasterKeyError::Create { path: path.to_owned(), source };

        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
                if source.kind() == io::ErrorKind::AlreadyExists {
                    MasterKeyError::Exists { path: path.to_owned() }
                } else {
                    uncreatable(source)
                }
            })?;
        if let Err(source) = write_durably(file, path, master_key.to_line().as_bytes()) {
            // Half a key is of no use and would be in the way of the next attempt. The first error is the one
            // to tell.
            let _ = fs::remove_file(path);
            return Err(uncreatable(source));
        }
        Ok(master_key)
    }
}

fn write_durably(mut file: File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}
