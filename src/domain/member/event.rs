//! What happened to a member.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::MemberStatus;
use crate::{Change, MemberId, Permission, Reach, RoleGrant, SecretId, event::events};

events! {
    /// The events of a `member-<id>` stream.
    MemberEvent {
        /// It exists; name and e-mail are a private part.
        Created(MemberCreated) = "member.created", 2;
        /// It is called otherwise, or reached elsewhere; how is a private part.
        DetailsChanged(DetailsChanged) = "member.details_changed", 1;
        /// It may do other things.
        RolesChanged(RolesChanged) = "member.roles_changed", 2;
        /// None of its tokens works until it is enabled.
        Deactivated(StatusChanged) = "member.deactivated", 1;
        /// Its tokens work again.
        Enabled(StatusChanged) = "member.enabled", 1;
        /// It has a further personal token.
        TokenIssued(TokenIssued) = "member.token_issued", 2;
        /// One of its tokens stopped working.
        TokenRevoked(TokenRevoked) = "member.token_revoked", 1;
        /// It has a password, or another one than before.
        PasswordSet(PasswordSet) = "member.password_set", 1;
        /// It has no password any more.
        PasswordRemoved(PasswordRemoved) = "member.password_removed", 1;
        /// It signs in with the codes of a device, too, or of another one than before.
        TotpEnrolled(TotpEnrolled) = "member.totp_enrolled", 1;
        /// It has no device any more, and no recovery codes.
        TotpRemoved(TotpRemoved) = "member.totp_removed", 1;
        /// It signs in with one more passkey, too.
        PasskeyRegistered(PasskeyRegistered) = "member.passkey_registered", 1;
        /// One of its passkeys signs it in no more.
        PasskeyRemoved(PasskeyRemoved) = "member.passkey_removed", 1;
        /// It has recovery codes, or others than before.
        RecoveryCodesIssued(RecoveryCodesIssued) = "member.recovery_codes_issued", 1;
    }
}

/// What a member begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberCreated {
    /// Its roles.
    pub roles: BTreeSet<RoleGrant>,
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
    /// Where it may do it at most.
    #[serde(default, rename = "environments", skip_serializing_if = "Reach::is_everywhere")]
    pub reach: Reach,
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

/// Which details changed; neither the old ones nor the new ones are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailsChanged {
    /// What is not as it was.
    pub details: BTreeSet<MemberDetail>,
}

/// Something that tells who a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberDetail {
    /// What it is called.
    Name,
    /// Where mail reaches it.
    Email,
}

/// Old and new status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusChanged {
    /// Active or inactive.
    pub status: Change<MemberStatus>,
}

/// Old and new roles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesChanged {
    /// The whole sets.
    pub roles: Change<BTreeSet<RoleGrant>>,
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

/// A password, of which nothing is said here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSet {
    /// The id of its verifier in the vault.
    pub id: SecretId,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
    /// The verifier in whose place it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<SecretId>,
}

/// One password less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRemoved {
    /// The id that its verifier had.
    pub id: SecretId,
}

/// A device, of whose secret nothing is said here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpEnrolled {
    /// The id of its secret in the vault.
    pub id: SecretId,
    /// Digest of the secret's disclosure in the vault.
    pub commitment: String,
    /// The secret of the device in whose place it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<SecretId>,
}

/// One device less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TotpRemoved {
    /// The id that its secret had.
    pub id: SecretId,
    /// The recovery codes that went with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_codes: Option<SecretId>,
}

/// A passkey, of which nothing is said here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRegistered {
    /// The id of what is kept of it in the vault.
    pub id: SecretId,
    /// Digest of the disclosure of that.
    pub commitment: String,
}

/// One passkey less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRemoved {
    /// The id of what was kept of it in the vault.
    pub id: SecretId,
    /// The recovery codes that went with it, if it was the last second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_codes: Option<SecretId>,
}

/// Recovery codes, of which nothing is said here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecoveryCodesIssued {
    /// The id of their digests in the vault.
    pub id: SecretId,
    /// Digest of the digests' disclosure in the vault.
    pub commitment: String,
    /// Those in whose place they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<SecretId>,
}
