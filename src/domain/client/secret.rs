//! What the log knows of a secret: its id, its times and a commitment to the verifier in the vault.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{ExpiryMoved, IssuedSecret, IssuedSigningSecret};
use crate::SecretId;

/// A client secret, as far as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Its id, part of its text.
    pub id: SecretId,
    /// What its maker called it.
    pub label: Option<String>,
    /// The beginning of its text, up to a part of the id: never of the secret part.
    pub hint: String,
    /// When it was issued.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// It does not authenticate before.
    #[serde(with = "crate::time::micros::option")]
    pub not_before: Option<Timestamp>,
    /// It does not authenticate from here on; `None` is never.
    #[serde(with = "crate::time::micros::option")]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(with = "crate::time::micros::option")]
    pub revoked_at: Option<Timestamp>,
    /// Digest of the verifier's disclosure: a verifier swapped in the vault no longer fits it.
    pub commitment: String,
}

/// Whether a secret authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretState {
    /// Not yet: before its `not_before`.
    Pending,
    /// It does.
    Active,
    /// No longer: its time is over.
    Expired,
    /// No longer: someone revoked it.
    Revoked,
}

impl Secret {
    pub(super) fn issued(issued: &IssuedSecret, at: Timestamp) -> Self {
        Self {
            id: issued.id.clone(),
            label: issued.label.clone(),
            hint: issued.hint.clone(),
            created_at: at,
            not_before: issued.not_before,
            expires_at: issued.expires_at,
            revoked_at: None,
            commitment: issued.commitment.clone(),
        }
    }

    /// Revoked for good: whatever comes later does not move the time.
    pub(super) fn revoke(&mut self, at: Timestamp) {
        self.revoked_at.get_or_insert(at);
    }

    /// Earlier if `end` is, never later.
    pub(super) fn expire_by(&mut self, end: Timestamp) {
        self.expires_at = Some(self.expires_at.map_or(end, |expiry| expiry.min(end)));
    }

    /// Whether it authenticates at `now`.
    pub fn state(&self, now: Timestamp) -> SecretState {
        if self.revoked_at.is_some() {
            SecretState::Revoked
        } else if self.expires_at.is_some_and(|end| end <= now) {
            SecretState::Expired
        } else if self.not_before.is_some_and(|start| start > now) {
            SecretState::Pending
        } else {
            SecretState::Active
        }
    }

    /// Whether it authenticates at `now` or will later: what a revocation or a rotation has to end.
    pub fn usable(&self, now: Timestamp) -> bool {
        matches!(self.state(now), SecretState::Active | SecretState::Pending)
    }
}

/// A new secret beside those that it replaces, until the overlap ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The new one.
    pub secret_id: SecretId,
    /// All that could be used when it came.
    pub replaces: Vec<SecretId>,
    /// Those of them that end earlier than they would have.
    pub moved: Vec<ExpiryMoved>,
    /// When the last of them ends.
    #[serde(with = "crate::time::micros")]
    pub ends_at: Timestamp,
}

/// The secret that signs a client's payloads; the value itself is sealed in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningSecret {
    /// Its id.
    pub id: SecretId,
    /// When it was issued.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// Digest of the value's disclosure.
    pub commitment: String,
}

impl SigningSecret {
    pub(super) fn issued(issued: &IssuedSigningSecret, at: Timestamp) -> Self {
        Self { id: issued.id.clone(), created_at: at, commitment: issued.commitment.clone() }
    }
}

/// A signing secret that was replaced and still verifies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousSigningSecret {
    /// The secret.
    pub secret: SigningSecret,
    /// It verifies nothing from here on.
    #[serde(with = "crate::time::micros")]
    pub expires_at: Timestamp,
}
