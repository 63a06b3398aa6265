//! Disclosures (RFC 9901 section 4.2.1): a private part of an event, of which the log holds only a salted
//! digest.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

#[cfg(test)]
mod tests;

/// One named private value, in the exact bytes its digest covers.
///
/// `encoded` is base64url, without padding, of the JSON array `[salt, name, value]`; the digest is base64url,
/// without padding, of the SHA-256 of the encoded characters. The salt makes a guess at the value impossible
/// to confirm; erasing the encoded form leaves a digest that says nothing and still proves that nothing else
/// stood there.
///
/// `Debug` shows the digest alone.
#[derive(Clone, Eq, PartialEq)]
pub struct Disclosure {
    name: String,
    value: Value,
    encoded: Zeroizing<String>,
    digest: String,
}

impl Disclosure {
    /// The disclosure of `value` under `name`. `salt` is fresh for each disclosure, or equal values show as
    /// equal digests.
    ///
    /// Fails on the names that RFC 9901 keeps for itself, `_sd` and `...`.
    pub fn new(name: &str, value: Value, salt: [u8; 32]) -> Result<Self, MalformedDisclosure> {
        refuse_reserved(name)?;
        let salt = URL_SAFE_NO_PAD.encode(salt);
        let json = serde_json::to_vec(&(salt, name, &value)).map_err(|_| MalformedDisclosure::Json)?;
        let encoded = URL_SAFE_NO_PAD.encode(Zeroizing::new(json));
        Ok(Self {
            name: name.to_owned(),
            value,
            digest: digest_of(&encoded),
            encoded: Zeroizing::new(encoded),
        })
    }

    /// Reads a disclosure of an object property, whatever wrote it. The encoded form is kept to the byte: its
    /// digest is that of the text given, not of our way to write it.
    pub fn parse(encoded: &str) -> Result<Self, MalformedDisclosure> {
        let json =
            Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| MalformedDisclosure::Encoding)?);
        let (_salt, name, value): (String, String, Value) =
            serde_json::from_slice(&json).map_err(|_| MalformedDisclosure::Json)?;
        refuse_reserved(&name)?;
        Ok(Self { name, value, digest: digest_of(encoded), encoded: Zeroizing::new(encoded.to_owned()) })
    }

    /// The name of the value. A name is not private: it is one of a fixed few.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The private value.
    #[must_use]
    pub const fn expose_value(&self) -> &Value {
        &self.value
    }

    /// The private encoded form: what is sealed in the vault, and handed to someone who may verify it.
    #[must_use]
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// The digest the log holds: 43 characters. A disclosure read from the vault is good only if this equals
    /// the digest in the event it belongs to.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Disclosure").field("digest", &self.digest).finish_non_exhaustive()
    }
}

fn digest_of(encoded: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(encoded.as_bytes()))
}

fn refuse_reserved(name: &str) -> Result<(), MalformedDisclosure> {
    if matches!(name, "_sd" | "...") {
        return Err(MalformedDisclosure::ReservedName);
    }
    Ok(())
}

/// Why a text is no disclosure of an object property. Says nothing of its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MalformedDisclosure {
    /// Not base64url without padding.
    #[error("read a disclosure: not base64url without padding")]
    Encoding,
    /// Not a JSON array of a salt, a name and a value.
    #[error("read a disclosure: not a JSON array of salt, name and value")]
    Json,
    /// RFC 9901 keeps `_sd` and `...` for itself.
    #[error("read a disclosure: a reserved name")]
    ReservedName,
}
