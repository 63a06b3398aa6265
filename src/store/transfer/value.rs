//! A value of a row, whatever the database.

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A value of a row. Their order is that of the databases.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// There is none.
    Nothing,
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// The id of a command or a person; nil is nobody.
    Id(Uuid),
}

impl Value {
    /// Adds the value to a digest, so that no two lists of values add the same.
    pub(super) fn absorb(&self, sha256: &mut Sha256) {
        let (kind, bytes) = match self {
            Self::Nothing => (0, &[][..]),
            Self::Number(number) => (1, &number.to_be_bytes()[..]),
            Self::Text(text) => (2, text.as_bytes()),
            Self::Bytes(bytes) => (3, bytes.as_slice()),
            Self::Id(id) => (4, &id.as_bytes()[..]),
        };
        sha256.update([kind]);
        sha256.update((bytes.len() as u64).to_be_bytes());
        sha256.update(bytes);
    }
}

/// Bytes are not shown: they may be a key.
impl std::fmt::Debug for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => formatter.write_str("Nothing"),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Bytes(bytes) => write!(formatter, "({} bytes)", bytes.len()),
            Self::Id(id) => write!(formatter, "{id}"),
        }
    }
}
