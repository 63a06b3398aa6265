//! Digests that only the holder of a key can compute.

use std::fmt;

use hmac::Mac;
use subtle::ConstantTimeEq;

use crate::DataKey;
use crate::framing::{HmacSha256, absorb, keyed};

#[cfg(test)]
mod tests;

/// HMAC-SHA-256 over lists of byte strings: for what is looked up by a value that must not be guessed from
/// the outside (e-mail tokens), and for what must be recognised again but not kept (requests, verified
/// secrets).
///
/// Its key is derived, so that a [`DataKey`] used here may not be confused with one that seals.
#[derive(Clone)]
pub struct KeyedDigest(HmacSha256);

impl KeyedDigest {
    /// The digests under `key`.
    #[must_use]
    pub fn new(key: &DataKey) -> Self {
        Self(keyed(&key.derive("keyed-digest")))
    }

    /// The digest of `parts` in the domain `label`. Each part is framed by its length: no two different
    /// lists, and no two labels, share a digest. Labels are part of the format: never change one.
    #[must_use]
    pub fn digest(&self, label: &str, parts: &[&[u8]]) -> [u8; 32] {
        absorb(absorb(self.0.clone(), &[label.as_bytes()]), parts).finalize().into_bytes().into()
    }

    /// Whether `expected` is the digest of `parts` in the domain `label`, in time that does not depend on
    /// where they differ. Use this, never `==`, when the other side was sent in.
    #[must_use]
    pub fn matches(&self, label: &str, parts: &[&[u8]], expected: &[u8]) -> bool {
        self.digest(label, parts).ct_eq(expected).into()
    }
}

impl fmt::Debug for KeyedDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyedDigest([secret])")
    }
}
