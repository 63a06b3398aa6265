//! What happened to a member.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Change, MemberId, Permission, Role, SecretId, event::events};

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
    /// The token of the same member that made it: it ends when that one is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<SecretId>,
    /// Who made it for the member; absent if the member did, or the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<MemberId>,
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
    /// Those that it had made, and they in turn: they stopped with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub descendants: Vec<SecretId>,
}
