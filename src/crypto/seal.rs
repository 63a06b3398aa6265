//! Sealing: a value nobody can read, alter or move to another place without the key.
//!
//! Sealed form: one format byte `0x01`, the 24-byte nonce, the ciphertext, the 16-byte tag.

use chacha20poly1305::aead::{Aead, AeadInOut, Payload};
use chacha20poly1305::{KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::{DataKey, Entropy, EntropyError};

#[cfg(test)]
mod tests;

const FORMAT: u8 = 0x01;
const NONCE_END: usize = 1 + 24;
const TAG_LENGTH: usize = 16;

impl DataKey {
    /// Bytes a seal adds to its plaintext.
    pub const SEAL_OVERHEAD: usize = NONCE_END + TAG_LENGTH;

    /// Seals `plaintext` with XChaCha20-Poly1305 under a fresh random nonce, so that sealing one value twice
    /// gives two different results. `context` is authenticated and not stored: it names the place the value
    /// belongs to (table, id), and the value opens nowhere else.
    ///
    /// The cipher does not commit to its key: who holds two keys can make one sealed form open to two values.
    /// Where that matters, the plaintext is committed to elsewhere, as the log does with the digest of a
    /// [`Disclosure`](crate::Disclosure).
    #[expect(clippy::expect_used, reason = "the cipher refuses only plaintexts above 256 GiB")]
    pub fn seal(
        &self,
        context: &[u8],
        plaintext: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, EntropyError> {
        let nonce: XNonce = entropy.array()?.into();
        let mut sealed = Vec::with_capacity(plaintext.len() + Self::SEAL_OVERHEAD);
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag: Tag = self
            .cipher()
            .encrypt_inout_detached(&nonce, context, (&mut sealed[NONCE_END..]).into())
            .expect("the plaintext is shorter than 256 GiB");
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens what [`seal`](Self::seal) sealed under this key for this `context`. Nothing of a value that
    /// fails is returned.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if sealed.len() < Self::SEAL_OVERHEAD {
            return Err(OpenError::TooShort { length: sealed.len() });
        }
        if sealed[0] != FORMAT {
            return Err(OpenError::UnknownFormat { found: sealed[0] });
        }
        let nonce = XNonce::try_from(&sealed[1..NONCE_END]).map_err(|_| OpenError::Forged)?;
        let payload = Payload { msg: &sealed[NONCE_END..], aad: context };
        self.cipher().decrypt(&nonce, payload).map(Zeroizing::new).map_err(|_| OpenError::Forged)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.expose_bytes().into())
    }
}

/// Why a sealed value did not open.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// Shorter than an empty value would be.
    #[error("open a sealed value: {length} bytes is too short")]
    TooShort {
        /// Bytes there are.
        length: usize,
    },
    /// Damaged, or written by a later release.
    #[error("open a sealed value: unknown format {found:#04x}")]
    UnknownFormat {
        /// The first byte.
        found: u8,
    },
    /// Another key, another context, or not one bit the same: the cipher cannot say which.
    #[error("open a sealed value: wrong key, wrong context, or altered")]
    Forged,
}
