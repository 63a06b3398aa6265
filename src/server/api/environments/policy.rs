//! Settings of an environment as a request gives them.

use std::collections::BTreeSet;

use domain::environment::{
    AccessTokenFormat, ChangePolicy, ChannelDraft, PolicyDraft, ReasonRequired, RegistrationRule,
    SecondFactorRule,
};
use domain::oauth::RedirectRule;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    extract::{Object, present},
    representation::environment::reason_required,
    routes::{self, Audit},
};

/// What an environment shall demand: what is left out stays, or is as in every new environment.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySettings {
    /// `true`: every command must say why; or the names of those that must, as OpenAPI calls them.
    #[serde(default, deserialize_with = "present")]
    #[schema(schema_with = reason_required, required = false)]
    reason_required: Option<ReasonRequired>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1)]
    secret_lifetime_seconds: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1)]
    max_secret_lifetime_seconds: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    max_overlap_seconds: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 60, maximum = 86_400)]
    access_token_lifetime_seconds: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 60, maximum = 31_536_000)]
    refresh_token_lifetime_seconds: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 1, maximum = 600)]
    code_lifetime_seconds: Option<u32>,
    /// `https_or_loopback` or `https_only`: where codes may be sent. Clients keep the redirect URIs they have.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^(https_or_loopback|https_only)$")]
    redirect_rule: Option<RedirectRule>,
    /// `jwt`, `jwt_rs256` or `opaque`: what an access token is to whoever holds it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^(jwt|jwt_rs256|opaque)$")]
    access_token_format: Option<AccessTokenFormat>,
    /// The resource servers that tokens can be asked for (RFC 8707), beside the authorization server itself.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_items = 100)]
    resources: Option<Vec<String>>,
    /// How long a signing key signs before the next one does.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 172_800, maximum = 63_072_000)]
    signing_key_lifetime_seconds: Option<u32>,
    /// `never`, `administrators` or `always`: who signs in with a second factor. Who has one always does.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^(never|administrators|always)$")]
    second_factor_required: Option<SecondFactorRule>,
    /// `closed`, `initial_access_token` or `open`: who may register clients by the protocol (RFC 7591).
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^(closed|initial_access_token|open)$")]
    registration: Option<RegistrationRule>,
    /// How many clients that registered themselves there can be at a time.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    max_registered_clients: Option<u32>,
    /// A client that registered itself and was not used for so long is deleted.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, minimum = 86_400, maximum = 63_072_000)]
    dormant_after_seconds: Option<u32>,
    /// What stands for what the compatibility API does not send.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ChannelSettings>, nullable = false)]
    compatibility_defaults: Option<Object<ChannelSettings>>,
    /// What stands for what dynamic registration (RFC 7591) does not send.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<ChannelSettings>, nullable = false)]
    registration_defaults: Option<Object<ChannelSettings>>,
}

/// What stands for what a channel does not send of a new client.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelSettings {
    /// The type of its clients; null takes it away, and then the channel makes no clients.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    client_type: Option<Option<String>>,
    /// Scopes separated by blanks; empty is all that the type allows.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    scope: Option<String>,
    /// Whether a contact must be sent; else the acting admin is it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    contacts_required: Option<bool>,
    /// Whether the terms must be accepted; else the acting admin is taken to have.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    terms_required: Option<bool>,
}

impl From<PolicySettings> for ChangePolicy {
    fn from(settings: PolicySettings) -> Self {
        let channel = |settings: Option<Object<ChannelSettings>>| {
            settings.map_or_else(ChannelDraft::default, |Object(settings)| settings.into())
        };
        let draft = PolicyDraft {
            reason_required: settings.reason_required,
            secret_lifetime_seconds: settings.secret_lifetime_seconds,
            max_secret_lifetime_seconds: settings.max_secret_lifetime_seconds,
            max_overlap_seconds: settings.max_overlap_seconds,
            access_token_lifetime_seconds: settings.access_token_lifetime_seconds,
            refresh_token_lifetime_seconds: settings.refresh_token_lifetime_seconds,
            code_lifetime_seconds: settings.code_lifetime_seconds,
            redirect_rule: settings.redirect_rule,
            access_token_format: settings.access_token_format,
            resources: settings.resources,
            signing_key_lifetime_seconds: settings.signing_key_lifetime_seconds,
            second_factor_required: settings.second_factor_required,
            registration: settings.registration,
            max_registered_clients: settings.max_registered_clients,
            dormant_after_seconds: settings.dormant_after_seconds,
            compatibility_defaults: channel(settings.compatibility_defaults),
            registration_defaults: channel(settings.registration_defaults),
        };
        Self { draft, commands: commands(), ..Self::default() }
    }
}

impl From<ChannelSettings> for ChannelDraft {
    fn from(settings: ChannelSettings) -> Self {
        let ChannelSettings { client_type, scope, contacts_required, terms_required } = settings;
        Self { client_type, scope, contacts_required, terms_required }
    }
}

/// Every command that can be given in an environment.
fn commands() -> BTreeSet<&'static str> {
    let in_environment = routes::all().iter().filter(|route| route.path.contains("{environment}"));
    in_environment.filter(|route| route.audit == Audit::Everything).map(|route| route.operation).collect()
}
