//! What may be asked of a member.

use std::collections::BTreeSet;

use super::event::IssuedToken;
use crate::{MemberId, Permission, Role, SecretId};

/// A request to change one member.
#[derive(Clone, Debug)]
pub enum MemberCommand {
    /// Enrol it.
    CreateMember(CreateMember),
    /// Give it other roles.
    ChangeRoles {
        /// All of its roles from now on.
        roles: BTreeSet<Role>,
    },
    /// A further personal token.
    IssueToken(IssueToken),
    /// Stop one token.
    RevokeToken {
        /// Which one.
        token_id: SecretId,
    },
}

/// Enrol a member; who it is goes into the vault in the same commit.
#[derive(Clone, Debug)]
pub struct CreateMember {
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// The token it begins with, if any: the first admin's.
    pub token: Option<IssuedToken>,
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
    /// How long it lives.
    pub expires_in_seconds: u32,
    /// Digest of the verifier's disclosure.
    pub commitment: String,
    /// The token that it is made with, if a member makes it.
    pub made_with: Option<MadeWith>,
}

/// The token that makes another one.
#[derive(Clone, Debug)]
pub struct MadeWith {
    /// Whose it is.
    pub member: MemberId,
    /// Which one.
    pub token: SecretId,
}
