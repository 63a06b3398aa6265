//! The secret that signs payloads, in the form of Standard Webhooks: `whsec_<base64 of 32 bytes, with
//! padding>`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{DataKey, Entropy, EntropyError, SecretString};

#[cfg(test)]
mod tests;

pub(crate) const PREFIX: &str = "whsec_";

/// A signing secret. Unlike the others it must be kept in a form that can be read again, for both sides sign
/// with it: sealed.
pub struct SigningSecret(pub(crate) DataKey);

impl SigningSecret {
    /// A fresh secret.
    pub fn mint(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        DataKey::random(entropy).map(Self)
    }

    /// Reads the form that [`reveal`](Self::reveal) writes.
    pub fn parse(text: &str) -> Result<Self, MalformedSigningSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(MalformedSigningSecret::Prefix)?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| MalformedSigningSecret::Key)?);
        DataKey::from_slice(&bytes).map(Self).ok_or(MalformedSigningSecret::Key)
    }

    /// The text its owner is given.
    #[must_use]
    pub fn reveal(&self) -> SecretString {
        let encoded = Zeroizing::new(STANDARD.encode(self.expose_key()));
        SecretString::from([PREFIX, &encoded].concat())
    }

    /// The key of the signature: the bytes, not their text.
    #[must_use]
    pub const fn expose_key(&self) -> &[u8; DataKey::LENGTH] {
        self.0.expose_bytes()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningSecret([secret])")
    }
}

/// Why a text is no signing secret of ours. Says nothing of its content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MalformedSigningSecret {
    /// Does not begin with `whsec_`.
    #[error("read a signing secret: the prefix is not whsec_")]
    Prefix,
    /// Not 32 bytes in base64 with padding.
    #[error("read a signing secret: the key is not 32 bytes in base64")]
    Key,
}
