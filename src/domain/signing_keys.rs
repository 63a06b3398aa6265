//! The keys that sign the tokens of an environment (RFC 7517), and their turns.
//!
//! All keys of an environment stand in one stream, so that what is signed with and what is published are one state. A key
//! is published some time before it signs, for those who keep the set, and after another has taken its place for as long as
//! something that it signed may be presented.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{EnvironmentName, SecretId, aggregate::cqrs_aggregate, event::events};

/// What a key signs with (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl SigningAlgorithm {
    /// Every one that tokens are signed with.
    pub const ALL: &'static [Self] = &[Self::Es256, Self::Rs256];

    /// The name in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.as_str() == text)
    }
}

/// The public members of a key (RFC 7517 section 4), without `kid`, `use` and `alg`: `kty` and what belongs to it.
pub type PublicMembers = BTreeMap<String, String>;

/// All keys of an environment, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeys {
    /// In the order of their making.
    pub keys: Vec<SigningKey>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its `kid`.
    pub id: SecretId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Its public half.
    pub public_key: PublicMembers,
    /// Digest of the private half's disclosure in the vault.
    pub commitment: String,
    /// When it was made.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// It signs from here on, until the next one of its algorithm does.
    #[serde(with = "crate::time::micros")]
    pub active_from: Timestamp,
    /// From here on nothing that it signed is believed.
    #[serde(with = "crate::time::micros::option")]
    pub retired_at: Option<Timestamp>,
}

events! {
    /// The events of a `signing_key-<environment>` stream.
    SigningKeyEvent {
        /// There is a further key.
        Created(SigningKeyCreated) = "signing_key.created", 1;
        /// Nothing that it signed is believed any more; its private half is destroyed.
        Retired(SigningKeyRetired) = "signing_key.retired", 1;
    }
}

/// A new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyCreated {
    /// Where it signs.
    pub environment: EnvironmentName,
    /// Its `kid`.
    pub key_id: SecretId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Its public half.
    pub public_key: PublicMembers,
    /// Digest of the private half's disclosure in the vault.
    pub commitment: String,
    /// It signs from here on.
    #[serde(with = "crate::time::micros")]
    pub active_from: Timestamp,
}

/// The end of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyRetired {
    /// Its `kid`.
    pub key_id: SecretId,
    /// What it signed with.
    pub algorithm: SigningAlgorithm,
}

/// A request to change the keys of an environment.
#[derive(Clone, Debug)]
pub enum SigningKeyCommand {
    /// Let a new key take its turn.
    RotateSigningKey(RotateSigningKey),
    /// Believe nothing any more that a key signed which has had its turn.
    RetireSigningKey {
        /// Its `kid`.
        key_id: SecretId,
    },
}

/// Let a new key take its turn.
#[derive(Clone, Debug)]
pub struct RotateSigningKey {
    /// Where it signs.
    pub environment: EnvironmentName,
    /// Its `kid`.
    pub key_id: SecretId,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// Its public half.
    pub public_key: PublicMembers,
    /// Digest of the private half's disclosure in the vault.
    pub commitment: String,
    /// It signs from here on; never earlier than now.
    pub active_from: Timestamp,
    /// Whether nothing that the others of its algorithm signed is believed from now on: one of them has leaked.
    pub retire_others: bool,
}

/// Why a command on keys was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// The environment has no key of this id.
    #[error("the environment has no signing key {0}")]
    NoSuchKey(SecretId),
    /// It was retired before.
    #[error("signing key {0} was retired before")]
    Retired(SecretId),
    /// Tokens are signed with it: another must take its turn first.
    #[error("signing key {0} is in use: rotate it first")]
    InUse(SecretId),
}

cqrs_aggregate!(SigningKeys, "signing_key", SigningKeyCommand, SigningKeyEvent, SigningKeyError);

impl SigningKeys {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "signing_key";

    /// What `command` does at `now`.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(
        &self,
        command: SigningKeyCommand,
        now: Timestamp,
    ) -> Result<Vec<SigningKeyEvent>, SigningKeyError> {
        match command {
            SigningKeyCommand::RotateSigningKey(rotate) => {
                let leaked = |key: &&SigningKey| {
                    rotate.retire_others && key.algorithm == rotate.algorithm && key.retired_at.is_none()
                };
                let retired: Vec<_> = self.keys.iter().filter(leaked).map(SigningKey::retired).collect();
                let active_from = if rotate.retire_others { now } else { rotate.active_from.max(now) };
                let created = SigningKeyEvent::Created(SigningKeyCreated {
                    environment: rotate.environment,
                    key_id: rotate.key_id,
                    algorithm: rotate.algorithm,
                    public_key: rotate.public_key,
                    commitment: rotate.commitment,
                    active_from,
                });
                Ok(std::iter::once(created).chain(retired).collect())
            }
            SigningKeyCommand::RetireSigningKey { key_id } => {
                let Some(key) = self.key(&key_id) else { return Err(SigningKeyError::NoSuchKey(key_id)) };
                if key.retired_at.is_some() {
                    return Err(SigningKeyError::Retired(key_id));
                }
                if self.signer(key.algorithm, now).is_some_and(|signer| signer.id == key_id) {
                    return Err(SigningKeyError::InUse(key_id));
                }
                Ok(vec![key.retired()])
            }
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &SigningKeyEvent, at: Timestamp) {
        match event {
            SigningKeyEvent::Created(created) => self.keys.push(SigningKey {
                id: created.key_id.clone(),
                algorithm: created.algorithm,
                public_key: created.public_key.clone(),
                commitment: created.commitment.clone(),
                created_at: at,
                active_from: created.active_from,
                retired_at: None,
            }),
            SigningKeyEvent::Retired(retired) => {
                for key in self.keys.iter_mut().filter(|key| key.id == retired.key_id) {
                    key.retired_at.get_or_insert(at);
                }
            }
        }
    }

    /// A key that there is, or was.
    pub fn key(&self, key_id: &SecretId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.id == *key_id)
    }

    /// The key that signs at `now`: of those whose turn has come the one whose turn came last.
    pub fn signer(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Option<&SigningKey> {
        let of_it = |key: &&SigningKey| key.algorithm == algorithm && key.active_from <= now;
        self.published().filter(of_it).max_by_key(|key| key.active_from)
    }

    /// The keys whose signatures are believed, or will be.
    pub fn published(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter().filter(|key| key.retired_at.is_none())
    }

    /// Whether the key that signs is so old that the next one should be made, unless it is there already.
    pub fn is_due(&self, algorithm: SigningAlgorithm, turn: SignedDuration, now: Timestamp) -> bool {
        let newest =
            self.published().filter(|key| key.algorithm == algorithm).map(|key| key.active_from).max();
        newest.is_none_or(|newest| newest + turn <= now)
    }

    /// Keys whose place was taken so long ago that nothing is valid any more that they signed.
    pub fn outlived(&self, longest: SignedDuration, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        self.published().filter(move |key| {
            let taken_over = self
                .published()
                .filter(|other| other.algorithm == key.algorithm && other.active_from > key.active_from)
                .map(|other| other.active_from)
                .min();
            taken_over.is_some_and(|since| since + longest <= now)
        })
    }
}

impl SigningKey {
    fn retired(&self) -> SigningKeyEvent {
        SigningKeyEvent::Retired(SigningKeyRetired { key_id: self.id.clone(), algorithm: self.algorithm })
    }
}
