//! An environment: what it demands, and the developer terms it published.

use app::Configured;
use std::collections::BTreeSet;

use domain::environment::{
    AccessTokenFormat, ChannelDefaults, OpenEnvironment, ReasonRequired, RegistrationRule, SecondFactorRule,
};
use domain::oauth::{RedirectRule, ResourceIndicator};
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
    /// What an access token is to whoever holds it.
    #[schema(value_type = String, pattern = "^(jwt|jwt_rs256|opaque)$")]
    pub(crate) access_token_format: AccessTokenFormat,
    /// The resource servers that tokens can be asked for (RFC 8707), beside the authorization server itself.
    #[schema(value_type = Vec<String>)]
    pub(crate) resources: BTreeSet<ResourceIndicator>,
    /// How long a signing key signs before the next one does.
    pub(crate) signing_key_lifetime_seconds: u32,
    /// Who signs in with a second factor; who has one always does.
    #[schema(value_type = String, pattern = "^(never|administrators|always)$")]
    pub(crate) second_factor_required: SecondFactorRule,
    /// Who may register clients by the protocol (RFC 7591).
    #[schema(value_type = String, pattern = "^(closed|initial_access_token|open)$")]
    pub(crate) registration: RegistrationRule,
    /// How many clients that registered themselves there can be at a time.
    pub(crate) max_registered_clients: u32,
    /// A client that registered itself and was not used for so long is deleted.
    pub(crate) dormant_after_seconds: u32,
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
            access_token_format: policy.access_token_format,
            resources: policy.resources,
            signing_key_lifetime_seconds: policy.signing_key_lifetime_seconds,
            second_factor_required: policy.second_factor_required,
            registration: policy.registration,
            max_registered_clients: policy.max_registered_clients,
            dormant_after_seconds: policy.dormant_after_seconds,
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
