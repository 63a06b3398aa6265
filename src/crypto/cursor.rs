//! Cursors of lists: a place in a list that a client holds for us and cannot make up.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;

use crate::DataKey;
use crate::framing::{HmacSha256, absorb, keyed};

#[cfg(test)]
mod tests;

const MAC_LENGTH: usize = 16;

/// Signs and verifies cursors: base64url, without padding, of the payload and the first 16 bytes of its
/// HMAC-SHA-256.
///
/// A cursor is authentic, not secret: who holds it can read its payload. It never expires.
#[derive(Clone)]
pub struct CursorKey(HmacSha256);

impl CursorKey {
    /// Longest cursor looked at, in characters: a longer one is refused unread.
    pub const MAX_LENGTH: usize = 2048;

    /// The cursors under `key`.
    #[must_use]
    pub fn new(key: &DataKey) -> Self {
        Self(keyed(&key.derive("cursor")))
    }

    /// The cursor for `payload`, good for the list `scope` alone. A payload should stay below 1500 bytes, for
    /// a cursor longer than [`MAX_LENGTH`](Self::MAX_LENGTH) does not verify.
    #[must_use]
    pub fn sign(&self, scope: &str, payload: &[u8]) -> String {
        let mac = self.mac(scope, payload).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([payload, &mac[..MAC_LENGTH]].concat())
    }

    /// The payload of a `cursor` that [`sign`](Self::sign) made for the list `scope`; compared in constant
    /// time.
    pub fn verify(&self, scope: &str, cursor: &str) -> Result<Vec<u8>, ForgedCursor> {
        if cursor.len() > Self::MAX_LENGTH {
            return Err(ForgedCursor);
        }
        let mut payload = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| ForgedCursor)?;
        let mac = payload.split_off(payload.len().checked_sub(MAC_LENGTH).ok_or(ForgedCursor)?);
        self.mac(scope, &payload).verify_truncated_left(&mac).map_err(|_| ForgedCursor)?;
        Ok(payload)
    }

    fn mac(&self, scope: &str, payload: &[u8]) -> HmacSha256 {
        absorb(self.0.clone(), &[scope.as_bytes(), payload])
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CursorKey([secret])")
    }
}

/// The cursor is none of ours, or of another list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("read a cursor: not one that this list gave out")]
pub struct ForgedCursor;
