//! A member and its personal tokens. Who it is, is sealed; this is what it may do.

use app::ChangedMember;
use domain::{MemberId, Permission, member::PersonalToken};
use jiff::Timestamp;
use serde::Serialize;
use store::{Position, Revision};
use utoipa::ToSchema;

use crate::service::Service;

/// A member as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) member_id: MemberId,
    pub(crate) roles: Vec<&'static str>,
    /// Everything that the roles allow.
    pub(crate) permissions: Vec<&'static str>,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// Every token it ever had, oldest first; never a token's text.
    pub(crate) tokens: Vec<Token>,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    pub(crate) revision: Revision,
    /// A position at which it was so.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
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
    /// Whether it authenticates.
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
}

impl Member {
    pub(crate) fn new(service: &Service, member: &ChangedMember) -> Self {
        let ChangedMember { member_id, membership, revision, position, replayed: _ } = member;
        let now = service.app.log().now();
        Self {
            member_id: *member_id,
            roles: membership.roles.iter().map(|role| role.as_str()).collect(),
            permissions: names(&membership.permissions()),
            created_at: membership.created_at,
            tokens: membership.tokens.iter().map(|token| Token::new(token, now)).collect(),
            revision: *revision,
            position: *position,
        }
    }
}

impl Token {
    fn new(token: &PersonalToken, now: Timestamp) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.clone(),
            hint: token.hint.clone(),
            permissions: names(&token.permissions),
            live: token.live(now),
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
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
