//! The rules that refuse a command on a client.

use jiff::Timestamp;

use crate::{SecretId, Violation};

/// Why a command on a client was refused; each variant is one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The stream has events already.
    #[error("the client exists already")]
    AlreadyExists,
    /// The stream has no events.
    #[error("no such client")]
    NotFound,
    /// It was deleted; nothing changes it any more.
    #[error("the client was deleted")]
    Deleted,
    /// Only an active client can be deactivated.
    #[error("the client is not active")]
    NotActive,
    /// Only an inactive client can be enabled.
    #[error("the client is not inactive")]
    NotInactive,
    /// A public client has no secrets.
    #[error("a public client has no secrets")]
    PublicClient,
    /// The client has no such secret.
    #[error("the client has no secret `{0}`")]
    NoSuchSecret(SecretId),
    /// The secret is revoked or expired already.
    #[error("the secret `{0}` no longer works")]
    SecretNotUsable(SecretId),
    /// It is the last one that works, and the command did not say that this is meant.
    #[error("`{0}` is the last secret that works: revoking it locks the client out")]
    LastSecret(SecretId),
    /// There is no overlap to end: it is over, or there was none, or it is that of another secret.
    #[error("no such rotation is under way")]
    NoRotation,
    /// A second overlap would put an end to the first one that nobody asked for, and leave nothing to cancel.
    #[error("the rotation to `{secret_id}` is under way until {ends_at}")]
    RotationUnderWay {
        /// The new secret of the overlap that is under way.
        secret_id: SecretId,
        /// When it is over by itself.
        ends_at: Timestamp,
    },
    /// The client has not asked for its payloads to be encrypted.
    #[error("the client's `payload_encryption` is off")]
    PayloadEncryptionOff,
    /// More live secrets than can be told apart.
    #[error("the client has {most} usable secrets already: revoke one first")]
    TooManySecrets {
        /// The most there can be.
        most: usize,
    },
}
