//! What happened to a member.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Change, Permission, Role, SecretId, event::events};

events! {
    /// The events of a `member-<id>` stream.
    MemberEvent {
        /// It exists; name and e-mail are a private part.
        Created(MemberCreated) = "member.created", 1;
        /// It may do other things.
        RolesChanged(RolesChanged) = "member.roles_changed", 1;
        /// It has a further personal token.
        TokenIssued(TokenIssued) = "member.token_issued", 1;
        /// One of its tokens stopped working.
        TokenRevoked(TokenRevoked) = "member.token_revoked", 1;
    }
}

/// What a member begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberCreated {
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// The token it begins with, if any: the first admin's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<IssuedToken>,
}

/// A personal token as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuedToken {
    /// Its id.
    pub id: SecretId,
    /// What its maker called it.
    pub label: String,
    /// The beginning of its text.
    pub hint: String,
    /// What it may do at most.
    pub permissions: BTreeSet<Permission>,
    /// It does not authenticate from here on.
    #[serde(with = "crate::time::micros")]
    pub expires_at: Timestamp,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
}

/// Old and new roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesChanged {
    /// The whole sets.
    pub roles: Change<BTreeSet<Role>>,
}

/// A further token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenIssued {
    /// The new one.
    pub token: IssuedToken,
}

/// One token revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRevoked {
    /// Which one.
    pub token_id: SecretId,
}
