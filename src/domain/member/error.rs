//! The rules that refuse a command on a member.

use crate::{SecretId, Violation};

/// Why a command on a member was refused; each variant is one rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The stream has events already.
    #[error("the member exists already")]
    AlreadyExists,
    /// The stream has no events.
    #[error("no such member")]
    NotFound,
    /// Only an active member can be deactivated.
    #[error("the member is not active")]
    NotActive,
    /// Only a deactivated member can be enabled.
    #[error("the member is not deactivated")]
    NotInactive,
    /// What would be said of the member could never be erased again.
    #[error("the member was erased")]
    Erased,
    /// Nobody else could manage members any more.
    #[error("no other administrator without limits could sign in")]
    LastAdministrator,
    /// The member has no such token.
    #[error("the member has no token `{0}`")]
    NoSuchToken(SecretId),
    /// The token is revoked or expired already.
    #[error("the token `{0}` no longer works")]
    TokenNotLive(SecretId),
    /// There is no password.
    #[error("the member has no password")]
    NoPassword,
    /// There is no device.
    #[error("the member has no second factor")]
    NoTotp,
    /// The member has no such passkey.
    #[error("the member has no passkey `{0}`")]
    NoSuchPasskey(SecretId),
    /// More passkeys than anybody has.
    #[error("the member has {most} passkeys already: remove one first")]
    TooManyPasskeys {
        /// The most there can be.
        most: usize,
    },
    /// More live tokens than can be told apart.
    #[error("the member has {most} live tokens already: revoke one first")]
    TooManyTokens {
        /// The most there can be.
        most: usize,
    },
}
