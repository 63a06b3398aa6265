//! An environment: what it demands, and the developer terms it published.

use app::Configured;
use domain::environment::{ChannelDefaults, OpenEnvironment, ReasonRequired};
use domain::oauth::RedirectRule;
use jiff::Timestamp;
use serde::Serialize;
use store::{Position, Revision};
use utoipa::{
    ToSchema,
    openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
};

/// An environment as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Environment {
    pub(crate) name: String,
    pub(crate) policy: Policy,
    /// Versions of its developer terms, newest last; the newest must be accepted by new clients.
    pub(crate) terms: Vec<Terms>,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    pub(crate) revision: Revision,
    /// A position at which it was so.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
}

/// What an environment demands of the commands in it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Policy {
    /// `true`: every command must say why; or the names of those that must.
    #[schema(schema_with = reason_required)]
    pub(crate) reason_required: ReasonRequired,
    /// How long a secret lives if nothing else is asked.
    pub(crate) secret_lifetime_seconds: u32,
    pub(crate) max_secret_lifetime_seconds: u32,
    /// The longest overlap of a rotation.
    pub(crate) max_overlap_seconds: u32,
    pub(crate) access_token_lifetime_seconds: u32,
    pub(crate) refresh_token_lifetime_seconds: u32,
    pub(crate) code_lifetime_seconds: u32,
    /// Where codes may be sent, beside the exceptions of single clients.
    #[schema(value_type = String, pattern = "^(https_or_loopback|https_only)$")]
    pub(crate) redirect_rule: RedirectRule,
    /// What stands for what the compatibility API does not send.
    pub(crate) compatibility_defaults: Channel,
    /// What stands for what dynamic registration (RFC 7591) does not send.
    pub(crate) registration_defaults: Channel,
}

/// What stands for what a channel does not send of a new client.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Channel {
    /// The type of its clients; null makes none.
    pub(crate) client_type: Option<String>,
    /// Scopes separated by blanks; empty is all that the type allows.
    pub(crate) scope: String,
    pub(crate) contacts_required: bool,
    pub(crate) terms_required: bool,
}

/// A version of the developer terms.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Terms {
    pub(crate) version: String,
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) published_at: Option<Timestamp>,
}

impl From<Configured<OpenEnvironment>> for Environment {
    fn from(configured: Configured<OpenEnvironment>) -> Self {
        let Configured { name, state, revision, position, replayed: _ } = configured;
        let OpenEnvironment { policy, terms_published_at, created_at } = state;
        let published_at = |version: &String| terms_published_at.get(version).copied();
        let terms = policy
            .terms
            .into_iter()
            .map(|version| Terms { published_at: published_at(&version), version })
            .collect();
        let policy = Policy {
            reason_required: policy.reason_required,
            secret_lifetime_seconds: policy.secret_lifetime_seconds,
            max_secret_lifetime_seconds: policy.max_secret_lifetime_seconds,
            max_overlap_seconds: policy.max_overlap_seconds,
            access_token_lifetime_seconds: policy.access_token_lifetime_seconds,
            refresh_token_lifetime_seconds: policy.refresh_token_lifetime_seconds,
            code_lifetime_seconds: policy.code_lifetime_seconds,
            redirect_rule: policy.redirect_rule,
            compatibility_defaults: policy.compatibility_defaults.into(),
            registration_defaults: policy.registration_defaults.into(),
        };
        Self { name, policy, terms, created_at, revision, position }
    }
}

impl From<ChannelDefaults> for Channel {
    fn from(defaults: ChannelDefaults) -> Self {
        let ChannelDefaults { client_type, scope, contacts_required, terms_required } = defaults;
        Self { client_type, scope: scope.to_wire(), contacts_required, terms_required }
    }
}

/// All commands or none of them, or some by name.
pub(crate) fn reason_required() -> Schema {
    let name = ObjectBuilder::new().schema_type(Type::String);
    let always = ObjectBuilder::new().schema_type(Type::Boolean);
    OneOfBuilder::new().item(always).item(ArrayBuilder::new().items(name)).into()
}
