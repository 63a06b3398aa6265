//! The public name of a secret.

use std::fmt;
use std::str::FromStr;

use crate::{Entropy, EntropyError, base62};

/// Characters of the time in an id that has one.
const TIME: usize = 7;

/// The public name of a secret: 16 characters of base62, about 95 random bits. It may be logged, shown and
/// put in a URL.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SecretId(String);

impl SecretId {
    /// Length of an id, in characters.
    pub const LENGTH: usize = 16;

    /// A fresh id.
    pub fn random(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let digits = base62::random::<{ Self::LENGTH }>(entropy)?;
        Ok(Self(digits.into_iter().map(char::from).collect()))
    }

    /// A fresh id that comes after those of earlier milliseconds: 7 characters of the time, and about 53 random bits, which
    /// tell apart what is made within one millisecond. For what is made often and looked up by its id; it tells when.
    pub fn in_time(milliseconds: u64, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut digits = [0; Self::LENGTH];
        let (time, random) = digits.split_at_mut(TIME);
        // 62^7 milliseconds are reached in the year 2081: then the order begins again.
        base62::encode_into(&(milliseconds % 62_u64.pow(TIME as u32)).to_be_bytes(), time);
        random.copy_from_slice(&base62::random::<{ Self::LENGTH - TIME }>(entropy)?);
        Ok(Self(digits.into_iter().map(char::from).collect()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretId {
    type Err = MalformedSecretId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != Self::LENGTH || !base62::all_digits(text.as_bytes()) {
            return Err(MalformedSecretId);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<SecretId> for String {
    fn from(id: SecretId) -> Self {
        id.0
    }
}

/// The text is no id of a secret.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("read the id of a secret: not 16 characters of 0-9, A-Z and a-z")]
pub struct MalformedSecretId;
