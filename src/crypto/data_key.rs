//! A 256-bit key, and the keys for single purposes derived from it.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{Entropy, EntropyError};

#[cfg(test)]
mod tests;

/// A 256-bit symmetric key, wiped from memory on drop. It cannot be cloned: share it behind an `Arc`.
///
/// One key, one purpose: [`derive`](Self::derive) a key per purpose from a stored one rather than use the
/// stored one twice.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; DataKey::LENGTH]);

impl DataKey {
    /// Length of the key, in bytes.
    pub const LENGTH: usize = 32;

    /// A fresh key.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut key = Self([0; Self::LENGTH]);
        entropy.fill(&mut key.0)?;
        Ok(key)
    }

    /// The key with exactly these bytes. The caller wipes its own copy.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The key in `bytes`, if there are exactly as many as a key has. The caller wipes its own copy.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The key itself.
    #[must_use]
    pub const fn expose_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The key for the purpose `label`: HKDF-SHA-256 (RFC 5869) without salt, `info` = `muniment/v1/` and the
    /// label. Keys of different labels tell nothing of each other or of this one. Labels are part of the
    /// format: never change one.
    #[must_use]
    #[expect(clippy::expect_used, reason = "32 bytes is one block of HKDF-SHA-256, which yields 255")]
    pub fn derive(&self, label: &str) -> Self {
        let mut derived = Self([0; Self::LENGTH]);
        Hkdf::<Sha256>::new(None, &self.0)
            .expand_multi_info(&[b"muniment/v1/", label.as_bytes()], &mut derived.0)
            .expect("a key is within the length HKDF can yield");
        derived
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DataKey([secret])")
    }
}
