//! HMAC-SHA-256 over a list of byte strings, framed so that no two lists feed it the same bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::DataKey;

/// HMAC-SHA-256 with its key already absorbed: cloning it costs less than keying it anew.
pub(crate) type HmacSha256 = Hmac<Sha256>;

/// HMAC-SHA-256 under `key`. RFC 2104 pads a key shorter than the block with zeros, which spares us the
/// fallible constructor.
pub(crate) fn keyed(key: &DataKey) -> HmacSha256 {
    let mut block = zeroize::Zeroizing::new([0; 64]);
    block[..DataKey::LENGTH].copy_from_slice(key.expose_bytes());
    HmacSha256::new((&*block).into())
}

/// Absorbs `parts`, each behind its length as a 64-bit big-endian integer: `["ab", "c"]` and `["a", "bc"]`
/// differ.
pub(crate) fn absorb(mut mac: HmacSha256, parts: &[&[u8]]) -> HmacSha256 {
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac
}

/// The same framing as bytes, for what is authenticated by a seal.
pub(crate) fn frame(parts: &[&[u8]]) -> Vec<u8> {
    let mut framed = Vec::with_capacity(parts.iter().map(|part| 8 + part.len()).sum());
    for part in parts {
        framed.extend_from_slice(&(part.len() as u64).to_be_bytes());
        framed.extend_from_slice(part);
    }
    framed
}
