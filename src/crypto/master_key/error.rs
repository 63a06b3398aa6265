//! Why there is no master key, or not the one that is needed.

use std::io;
use std::path::PathBuf;

use super::MasterKeyId;
use crate::EntropyError;

/// Why a line is no master key. Says nothing of its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MalformedMasterKey {
    /// Not three words with one space between them, in UTF-8.
    #[error("read the master key: not a line of format, id and key")]
    Shape,
    /// Not a format this release knows.
    #[error("read the master key: the format is not muniment-master-key-v1")]
    Format,
    /// Not 32 bytes in base64url without padding.
    #[error("read the master key: the key is not 32 bytes in base64url without padding")]
    Key,
    /// The id is not that of the key: one of them was altered.
    #[error("read the master key: its id is not that of the key; the line is damaged")]
    Id,
}

/// Why a master key file could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file could not be opened or read.
    #[error("read the master key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner have access to the file.
    #[error(
        "read the master key file {path}: others have access to it (mode {mode:04o}); run: chmod 600 '{path}'",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold a master key.
    #[error("read the master key file {}: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: MalformedMasterKey,
    },
    /// Something is there already; it was left alone.
    #[error("create the master key file {}: it exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be made durable; nothing is left of it, unless the system refused that too.
    #[error("create the master key file {}: {source}", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No random bytes for a key.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// Why a data key did not unwrap.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum UnwrapError {
    /// The data key is whole, but another master key wrapped it.
    #[error("unwrap a data key: master key {wrapped_by} wrapped it, the one given is {given}")]
    WrongMasterKey {
        /// The master key it needs.
        wrapped_by: MasterKeyId,
        /// The master key at hand.
        given: MasterKeyId,
    },
    /// Altered, cut, or wrapped for another place.
    #[error("unwrap a data key: altered, or wrapped for another place")]
    Damaged,
}
