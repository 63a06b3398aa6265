//! `/environments/{environment}/initial_access_tokens`: who may register clients by the protocol (RFC 7591).

pub(crate) mod issue;
pub(crate) mod list;
pub(crate) mod revoke;

use domain::{
    Admission, MemberId,
    admission::{InitialAccessToken, InitialAccessTokenState},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// The initial access tokens of an environment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InitialAccessTokens {
    /// Those that work, and the newest 200 that ended; newest first.
    items: Vec<ShownInitialAccessToken>,
    /// How many clients there are that registered themselves.
    registered_clients: usize,
}

/// An initial access token, as far as anyone may know it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownInitialAccessToken {
    id: String,
    label: String,
    /// The beginning of its text.
    hint: String,
    #[schema(value_type = String, pattern = "^(active|used_up|expired|revoked)$")]
    state: InitialAccessTokenState,
    /// The member who made it, and answers for its clients. It works as long as that member may create clients here.
    #[schema(value_type = String, format = Uuid)]
    member_id: MemberId,
    /// The scopes that its clients can have at most; null is whatever the environment lets.
    scope: Option<String>,
    /// How many clients it registers.
    max_uses: u32,
    /// How many it has registered.
    uses: u32,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

impl InitialAccessTokens {
    fn of(admission: &Admission, now: Timestamp) -> Self {
        Self {
            items: admission
                .tokens
                .iter()
                .rev()
                .map(|token| ShownInitialAccessToken::of(token, now))
                .collect(),
            registered_clients: admission.clients.len(),
        }
    }
}

impl ShownInitialAccessToken {
    fn of(token: &InitialAccessToken, now: Timestamp) -> Self {
        Self {
            id: token.id.to_string(),
            label: token.label.clone(),
            hint: token.hint.clone(),
            state: token.state(now),
            member_id: token.member_id,
            scope: token.scope.as_ref().map(domain::oauth::ScopeSet::to_wire),
            max_uses: token.max_uses,
            uses: token.uses,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
    }
}
