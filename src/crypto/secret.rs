//! Secrets that are shown once: `mcs_<id>_<body>_<tag><checksum>`, 89 characters, all fixed in width.
//!
//! | part | characters | what |
//! |---|---|---|
//! | `mcs` | 3 | the [kind](SecretKind), for people and for scanners |
//! | id | 16 | random base62; public, the secret's name in the log |
//! | body | 43 | 32 random bytes, base62: the secret proper |
//! | tag | 18 | the id of the tag key (1 byte) and 96 bits of HMAC-SHA-256, base62 |
//! | checksum | 6 | CRC-32 of all characters before it, base62 |
//!
//! The checksum lets anyone tell a typing error from a secret. The tag lets *us* tell a guess from a secret,
//! before anything is looked up or hashed: without the tag key nobody makes a secret that passes, not even
//! one who knows the id, and a secret of one environment or owner does not pass for another.

mod id;
mod kind;
mod leak;
mod mint;
mod presented;
mod tag;
#[cfg(test)]
mod tests;

pub use id::{MalformedSecretId, SecretId};
pub use kind::SecretKind;
pub use leak::has_secret;
pub use mint::{Minted, mint};
pub use presented::{MalformedSecret, Presented, WrongTag};
pub use tag::{Binding, DuplicateTagKey, TagKeys};

const BODY_BYTES: usize = 32;
const PREFIX: usize = 3;
const ID: std::ops::Range<usize> = PREFIX + 1..PREFIX + 1 + SecretId::LENGTH;
const BODY: std::ops::Range<usize> = ID.end + 1..ID.end + 1 + 43;
const TAG: std::ops::Range<usize> = BODY.end + 1..BODY.end + 1 + 18;
const CHECKSUM: std::ops::Range<usize> = TAG.end..TAG.end + 6;
const LENGTH: usize = CHECKSUM.end;

/// The checksum of what stands before it.
fn checksum_of(text: &[u8]) -> [u8; CHECKSUM.end - CHECKSUM.start] {
    let mut digits = [0; CHECKSUM.end - CHECKSUM.start];
    crate::base62::encode_into(&crc32fast::hash(text).to_be_bytes(), &mut digits);
    digits
}
