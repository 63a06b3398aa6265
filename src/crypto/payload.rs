//! What a signing secret does to a payload: signs it, and encrypts it. `docs/payloads.md` says it for whoever writes
//! the other side; neither construction may ever change.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;
use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use crate::framing::keyed;
use crate::{Entropy, EntropyError, SigningSecret};

#[cfg(test)]
mod tests;

/// Bytes of a signature.
pub const SIGNATURE_LENGTH: usize = 32;
/// What the key of encryption is derived for. The secret itself is never a key of a cipher, and what signs other things
/// than payloads must derive a key of its own: this one signs whatever a client asks for.
const ENCRYPTION: &str = "payload-encryption";
const NONCE_LENGTH: usize = 12;
const TAG_LENGTH: usize = 16;

impl SigningSecret {
    /// HMAC-SHA-256 (RFC 2104) under the secret's 32 bytes, over the payload and nothing else.
    #[must_use]
    pub fn sign(&self, payload: &[u8]) -> [u8; SIGNATURE_LENGTH] {
        keyed(&self.0).chain_update(payload).finalize().into_bytes().into()
    }

    /// Whether [`sign`](Self::sign) gives this signature, in time that does not depend on where it differs.
    #[must_use]
    pub fn verifies(&self, payload: &[u8], signature: &[u8]) -> bool {
        keyed(&self.0).chain_update(payload).verify_slice(signature).is_ok()
    }

    /// Encrypts a payload: JWE in compact serialisation (RFC 7516 section 7.1), `dir` and `A256GCM` (RFC 7518), under a
    /// key derived by HKDF-SHA-256 (RFC 5869) without salt, `info` = `muniment/v1/payload-encryption`. `kid` says which
    /// secret it was.
    ///
    /// The nonce is random, so that one secret is good for 2^32 payloads.
    #[expect(clippy::expect_used, reason = "the cipher refuses only plaintexts above 64 GiB")]
    pub fn encrypt(&self, kid: &str, payload: &[u8], entropy: &dyn Entropy) -> Result<String, EntropyError> {
        let header = serde_json::json!({ "alg": "dir", "enc": "A256GCM", "kid": kid }).to_string();
        let header = URL_SAFE_NO_PAD.encode(header);
        let nonce: [u8; NONCE_LENGTH] = entropy.array()?;
        let sealed = self
            .cipher()
            .encrypt(&Nonce::from(nonce), Payload { msg: payload, aad: header.as_bytes() })
            .expect("the plaintext is shorter than 64 GiB");
        let (ciphertext, tag) = sealed.split_at(sealed.len() - TAG_LENGTH);
        let [nonce, ciphertext, tag] = [&nonce, ciphertext, tag].map(|part| URL_SAFE_NO_PAD.encode(part));
        Ok(format!("{header}..{nonce}.{ciphertext}.{tag}"))
    }

    /// The payload of a JWE that [`encrypt`](Self::encrypt) made, or anybody else who derived the same key.
    pub fn decrypt(&self, jwe: &Jwe) -> Result<Zeroizing<Vec<u8>>, ForgedJwe> {
        let payload = Payload { msg: &jwe.sealed, aad: jwe.header.as_bytes() };
        self.cipher().decrypt(&Nonce::from(jwe.nonce), payload).map(Zeroizing::new).map_err(|_| ForgedJwe)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.0.derive(ENCRYPTION).expose_bytes().into())
    }
}

/// A JWE whose form and header are those that we read. Nothing in it is authentic before it is decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwe {
    /// As it stands: it is what the tag is over.
    header: String,
    kid: Option<String>,
    nonce: [u8; NONCE_LENGTH],
    /// Ciphertext and tag.
    sealed: Vec<u8>,
}

/// The members of a header that mean something here; RFC 7516 section 4 says to ignore others.
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    kid: Option<String>,
    /// Compression would tell by its length what was encrypted.
    zip: Option<IgnoredAny>,
    /// Names extensions that must be understood, and we know none.
    crit: Option<IgnoredAny>,
}

impl Jwe {
    /// Reads compact serialisation.
    pub fn parse(text: &str) -> Result<Self, MalformedJwe> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(MalformedJwe::Form);
        let [header, key, nonce, ciphertext, tag] = [part()?, part()?, part()?, part()?, part()?];
        if parts.next().is_some() || !key.is_empty() {
            return Err(MalformedJwe::Form);
        }
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| MalformedJwe::Form);
        let fields: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| MalformedJwe::Header)?;
        if fields.alg != "dir" || fields.enc != "A256GCM" || fields.zip.is_some() || fields.crit.is_some() {
            return Err(MalformedJwe::Header);
        }
        let nonce = decoded(nonce)?.try_into().map_err(|_| MalformedJwe::Form)?;
        let tag = decoded(tag)?;
        if tag.len() != TAG_LENGTH {
            return Err(MalformedJwe::Form);
        }
        let mut sealed = decoded(ciphertext)?;
        sealed.extend_from_slice(&tag);
        Ok(Self { header: header.to_owned(), kid: fields.kid, nonce, sealed })
    }

    /// The secret that it says it was encrypted with.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

/// Why a text is no JWE that we read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MalformedJwe {
    /// Not five parts in base64url without padding, the second one empty, of the lengths that A256GCM has.
    #[error("read a JWE: not in compact serialisation with `dir`")]
    Form,
    /// Another algorithm, or something that would have to be understood.
    #[error("read a JWE: the header is not of `dir` and `A256GCM`, without `zip` and `crit`")]
    Header,
}

/// Another secret, or not one bit the same: the cipher cannot say which.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("decrypt a JWE: wrong key, or altered")]
pub struct ForgedJwe;
