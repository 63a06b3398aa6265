//! A member and its personal tokens. Who it is, is sealed; this is what it may do.

use std::collections::{BTreeMap, BTreeSet};

use app::{ChangedMember, Fault};
use domain::{
    EnvironmentName, MemberId, Permission, Reach,
    member::{MemberStatus, PersonalToken},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::{Position, Revision};
use utoipa::ToSchema;

use crate::service::Service;

/// A member as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) member_id: MemberId,
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) roles: Vec<RoleGrant>,
    #[schema(value_type = String, pattern = "^(active|inactive)$")]
    pub(crate) status: MemberStatus,
    /// Everything that the roles allow.
    #[serde(flatten)]
    pub(crate) rights: Rights,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// The tokens that are neither revoked nor expired, oldest first; never a token's text. `/tokens` lists all.
    pub(crate) tokens: Vec<Token>,
    /// When it was given the password that it has; null if it has none.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) password_set_at: Option<Timestamp>,
    /// Since when it signs in with the codes of its device, too; null if it does not.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) totp_enrolled_at: Option<Timestamp>,
    /// The passkeys that it signs in with, oldest first; what it calls them, it alone is shown.
    pub(crate) passkeys: Vec<Passkey>,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    pub(crate) revision: Revision,
    /// A position at which it was so.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
}

/// A passkey, as far as anyone may know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Passkey {
    id: String,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
}

/// Who a member is, for who asked for it and may know.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Identity {
    /// Left out unless private parts were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Left out unless private parts were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Only there, and true, if private parts were asked for and there are none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased: Option<bool>,
}

impl Identity {
    /// What was opened of a member.
    pub(crate) fn opened(part: Option<&Value>) -> Self {
        let text = |field: &str| part.and_then(|part| part.get(field)?.as_str()).map(str::to_owned);
        Self { name: text("name"), email: text("email"), erased: part.is_none().then_some(true) }
    }
}

/// A role, and where it holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoleGrant {
    role: String,
    /// Left out if it holds everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    environments: Option<BTreeSet<EnvironmentName>>,
}

/// What somebody may do, and where.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rights {
    /// What they may do everywhere.
    permissions: Vec<&'static str>,
    /// What they may do beside that in single environments, by the environment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    permissions_in: BTreeMap<EnvironmentName, Vec<&'static str>>,
}

/// A personal token, as far as anyone may know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) label: String,
    /// The beginning of its text: a part of the id, never of the secret.
    pub(crate) hint: String,
    /// What it may do at most.
    pub(crate) permissions: Vec<&'static str>,
    /// Where it may do it at most; left out if it has no limit of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub(crate) environments: Option<BTreeSet<EnvironmentName>>,
    /// The token of the same member that made it; it ends with that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<String>,
    /// Whether it is neither revoked nor expired.
    pub(crate) live: bool,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) expires_at: Timestamp,
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) revoked_at: Option<Timestamp>,
    /// When it was last used, exact to the hour: uses within the hour after this one are not told apart. Null if it never
    /// was; left null in answers to commands.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_used_at: Option<Timestamp>,
}

impl Member {
    pub(crate) fn new(service: &Service, member: &ChangedMember) -> Self {
        let ChangedMember { member_id, membership, rights, revision, position, replayed: _ } = member;
        let now = service.app.log().now();
        Self {
            member_id: *member_id,
            identity: Identity::default(),
            roles: membership.roles.iter().map(RoleGrant::from).collect(),
            status: membership.status,
            rights: rights.into(),
            created_at: membership.created_at,
            tokens: membership
                .tokens
                .iter()
                .filter(|token| token.live(now))
                .map(|token| Token::new(token, now))
                .collect(),
            password_set_at: membership.password.as_ref().map(|password| password.set_at),
            totp_enrolled_at: membership.totp.as_ref().map(|totp| totp.since),
            passkeys: membership
                .passkeys
                .iter()
                .map(|passkey| Passkey { id: passkey.id.to_string(), registered_at: passkey.since })
                .collect(),
            revision: *revision,
            position: *position,
        }
    }
}

impl From<&domain::RoleGrant> for RoleGrant {
    fn from(grant: &domain::RoleGrant) -> Self {
        Self { role: grant.role.to_string(), environments: grant.reach.environments().cloned() }
    }
}

impl From<&domain::Rights> for Rights {
    fn from(rights: &domain::Rights) -> Self {
        let mut shown = Self { permissions: Vec::new(), permissions_in: BTreeMap::new() };
        for (permission, reach) in rights.iter() {
            match reach {
                Reach::Everywhere => shown.permissions.push(permission.as_str()),
                Reach::Within(environments) => {
                    for environment in environments {
                        shown
                            .permissions_in
                            .entry(environment.clone())
                            .or_default()
                            .push(permission.as_str());
                    }
                }
            }
        }
        shown
    }
}

impl Token {
    pub(crate) fn new(token: &PersonalToken, now: Timestamp) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.clone(),
            hint: token.hint.clone(),
            permissions: names(&token.permissions),
            environments: token.reach.environments().cloned(),
            parent: token.parent.as_ref().map(ToString::to_string),
            live: token.live(now),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
            last_used_at: None,
        }
    }

    /// Says of each when it was last used.
    pub(crate) async fn show_uses(service: &Service, tokens: &mut [Self]) -> Result<(), Fault> {
        let ids: Vec<_> = tokens.iter().map(|token| token.id.clone()).collect();
        let used = service.app.activity().last_used(&ids).await?;
        for token in tokens {
            token.last_used_at = used.get(&token.id).copied();
        }
        Ok(())
    }
}

/// Permissions on the wire.
pub(crate) fn names<'a>(permissions: impl IntoIterator<Item = &'a Permission>) -> Vec<&'static str> {
    permissions.into_iter().map(|permission| permission.as_str()).collect()
}

/// The path of a member.
pub(crate) fn path(member: &ChangedMember) -> String {
    format!("/api/v1/members/{}", member.member_id)
}
