//! What may be asked of a member.

use std::collections::BTreeSet;

use super::event::{IssuedToken, MemberDetail};
use crate::{MemberId, OwnRoles, Permission, Reach, RoleGrant, SecretId};

/// A request to change one member.
#[derive(Clone, Debug)]
pub enum MemberCommand {
    /// Enrol it.
    CreateMember(CreateMember),
    /// Call it otherwise, or reach it elsewhere; how goes into the vault in the same commit.
    ChangeDetails {
        /// What is not as it was.
        details: BTreeSet<MemberDetail>,
    },
    /// Give it other roles.
    ChangeRoles(ChangeRoles),
    /// Let none of its tokens work until it is enabled.
    Deactivate {
        /// Whether another member is an administrator who can sign in.
        another_administrator: bool,
    },
    /// Let its tokens work again.
    Enable,
    /// A further personal token.
    IssueToken(IssueToken),
    /// Stop one token.
    RevokeToken {
        /// Which one.
        token_id: SecretId,
        /// Whether it may be the last one that an administrator can sign in with.
        allow_lockout: bool,
        /// Whether another member is an administrator who can sign in.
        another_administrator: bool,
    },
    /// Give it a password, in place of the one that it has.
    SetPassword(NewCredential),
    /// Let it have no password any more.
    RemovePassword,
    /// Ask for the codes of a device beside its password.
    EnrolTotp(EnrolTotp),
    /// Ask for one more passkey beside its password.
    RegisterPasskey(RegisterPasskey),
    /// Ask for one of its passkeys no more.
    RemovePasskey {
        /// Which one.
        passkey_id: SecretId,
    },
    /// Recovery codes, in place of those that it has.
    IssueRecoveryCodes(NewCredential),
    /// Ask for its password alone again.
    RemoveTotp,
}

/// Enrol a member; who it is goes into the vault in the same commit.
#[derive(Clone, Debug)]
pub struct CreateMember {
    /// Its roles, as they were asked for.
    pub roles: Vec<RoleGrant>,
    /// What those of them allow that are not built in.
    pub own_roles: OwnRoles,
    /// The token it begins with, if any: the first admin's.
    pub token: Option<IssuedToken>,
    /// The password it begins with, if any.
    pub password: Option<NewCredential>,
}

/// Enrol a device that has proved to have the secret.
#[derive(Clone, Debug)]
pub struct EnrolTotp {
    /// The device's secret.
    pub totp: NewCredential,
    /// The digests of its recovery codes.
    pub recovery_codes: NewCredential,
}

/// Register a passkey that has answered a challenge.
#[derive(Clone, Debug)]
pub struct RegisterPasskey {
    /// What is kept of it.
    pub passkey: NewCredential,
    /// The digests of its recovery codes, if it has none yet.
    pub recovery_codes: Option<NewCredential>,
}

/// Something that goes into the vault in the same commit: a verifier of a password, a device's secret, digests of codes.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Its id.
    pub id: SecretId,
    /// Digest of its disclosure in the vault.
    pub commitment: String,
}

/// Give a member other roles.
#[derive(Clone, Debug)]
pub struct ChangeRoles {
    /// All of its roles from now on, as they were asked for.
    pub roles: Vec<RoleGrant>,
    /// What those of them allow that are not built in.
    pub own_roles: OwnRoles,
    /// Whether another member is an administrator who can sign in.
    pub another_administrator: bool,
}

/// A personal token that was minted for this command.
#[derive(Clone, Debug)]
pub struct IssueToken {
    /// Its id.
    pub id: SecretId,
    /// What its maker calls it.
    pub label: String,
    /// The beginning of its text.
    pub hint: String,
    /// What it may do at most: a part of what its member may do.
    pub permissions: BTreeSet<Permission>,
    /// Where it may do it at most.
    pub reach: Reach,
    /// How long it lives.
    pub expires_in_seconds: u32,
    /// Digest of the verifier's disclosure.
    pub commitment: String,
    /// The token that it is made with, if a member makes it.
    pub made_with: Option<MadeWith>,
    /// What the member's own roles allow.
    pub own_roles: OwnRoles,
}

/// The token that makes another one.
#[derive(Clone, Debug)]
pub struct MadeWith {
    /// Whose it is.
    pub member: MemberId,
    /// Which one.
    pub token: SecretId,
}
