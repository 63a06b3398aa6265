//! The master key: the one secret the server is given. It wraps random data keys and does nothing else, so
//! that it can be replaced by wrapping them anew.
//!
//! Its text, in a file or an environment variable, is one line: `muniment-master-key-v1 <key id, 8 hex
//! digits> <base64url of 32 bytes, without padding>`. The id is derived from the key, so that a damaged line
//! is noticed when it is read rather than when it has sealed something.
//!
//! Wrapped form of a data key: one format byte `0x01`, the 4 bytes of the master key's id, the sealed key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::framing::frame;
use crate::{DataKey, Entropy, EntropyError, ExposeSecret, SecretString};

mod error;
mod file;
#[cfg(test)]
mod tests;

pub use error::{MalformedMasterKey, MasterKeyError, UnwrapError};

const LINE_FORMAT: &str = "muniment-master-key-v1";
const WRAP_FORMAT: u8 = 0x01;
const ID_END: usize = 1 + 4;

/// The key that wraps the data keys.
pub struct MasterKey {
    id: MasterKeyId,
    key: DataKey,
    wrapping: DataKey,
}

impl MasterKey {
    /// A fresh key that is nowhere kept yet; [`create`](Self::create) makes one in a file.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        DataKey::random(entropy).map(Self::from_key)
    }

    /// Reads the line from an environment variable. One line feed at its end is allowed, no other space.
    pub fn parse(line: &SecretString) -> Result<Self, MalformedMasterKey> {
        Self::parse_line(line.expose_secret())
    }

    /// Which key this is. Not a secret.
    #[must_use]
    pub const fn id(&self) -> MasterKeyId {
        self.id
    }

    /// Wraps `data_key` so that it can be kept. It unwraps only as the same `place`.
    pub fn wrap(
        &self,
        place: DataKeyRef<'_>,
        data_key: &DataKey,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, EntropyError> {
        let sealed = self.wrapping.seal(&place.context(), data_key.expose_bytes(), entropy)?;
        Ok([&[WRAP_FORMAT], &self.id.0[..], &sealed].concat())
    }

    /// Unwraps what [`wrap`](Self::wrap) wrapped. Another master key is told apart from damage by the id the
    /// form carries.
    pub fn unwrap(&self, place: DataKeyRef<'_>, wrapped: &[u8]) -> Result<DataKey, UnwrapError> {
        let (header, sealed) = wrapped.split_at_checked(ID_END).ok_or(UnwrapError::Damaged)?;
        if header[0] != WRAP_FORMAT {
            return Err(UnwrapError::Damaged);
        }
        if header[1..] != self.id.0 {
            let wrapped_by = MasterKeyId([header[1], header[2], header[3], header[4]]);
            return Err(UnwrapError::WrongMasterKey { wrapped_by, given: self.id });
        }
        let bytes = self.wrapping.open(&place.context(), sealed).map_err(|_| UnwrapError::Damaged)?;
        DataKey::from_slice(&bytes).ok_or(UnwrapError::Damaged)
    }

    fn from_key(key: DataKey) -> Self {
        let id = key.derive("master-key/id");
        let [a, b, c, d, ..] = *id.expose_bytes();
        Self { id: MasterKeyId([a, b, c, d]), wrapping: key.derive("master-key/wrap"), key }
    }

    fn parse_line(line: &str) -> Result<Self, MalformedMasterKey> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        let mut words = line.split(' ');
        let (Some(format), Some(id), Some(key), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(MalformedMasterKey::Shape);
        };
        if format != LINE_FORMAT {
            return Err(MalformedMasterKey::Format);
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(key).map_err(|_| MalformedMasterKey::Key)?);
        let master_key = Self::from_key(DataKey::from_slice(&bytes).ok_or(MalformedMasterKey::Key)?);
        if master_key.id.to_string() != id {
            return Err(MalformedMasterKey::Id);
        }
        Ok(master_key)
    }

    fn to_line(&self) -> Zeroizing<String> {
        let key = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.key.expose_bytes()));
        // `concat` allocates once, at the final length; `format` would grow and leave pieces of the key behind.
        Zeroizing::new([LINE_FORMAT, " ", &self.id.to_string(), " ", &key, "\n"].concat())
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MasterKey({}, [secret])", self.id)
    }
}

/// Names a master key without telling anything of it: 4 bytes derived from the key, shown as 8 hex digits.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct MasterKeyId([u8; 4]);

impl fmt::Display for MasterKeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// Which data key a wrapped form holds: a form moved to another row does not unwrap there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DataKeyRef<'a> {
    /// What the key is for, e.g. `person`, `event`, `tag`.
    pub purpose: &'a str,
    /// Which one of that purpose.
    pub id: &'a str,
}

impl DataKeyRef<'_> {
    fn context(self) -> Vec<u8> {
        frame(&[b"muniment/data-key", self.purpose.as_bytes(), self.id.as_bytes()])
    }
}
