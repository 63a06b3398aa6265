//! What an environment demands of the commands in it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Rule,
    oauth::{RedirectRule, ResourceIndicator, ScopeSet},
    violation::Violations,
};

const MINUTE: u32 = 60;
const DAY: u32 = 24 * 60 * MINUTE;
const YEAR: u32 = 365 * DAY;
/// RFC 6749 section 4.1.2 recommends ten minutes at most.
const LONGEST_CODE: u32 = 10 * MINUTE;

/// What an environment demands of the commands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Which commands must say why.
    pub reason_required: ReasonRequired,
    /// How long a secret lives if nothing else is asked, in seconds.
    pub secret_lifetime_seconds: u32,
    /// The longest life of a secret, in seconds.
    pub max_secret_lifetime_seconds: u32,
    /// The longest overlap of a rotation, in seconds.
    pub max_overlap_seconds: u32,
    /// How long an access token lives, in seconds.
    pub access_token_lifetime_seconds: u32,
    /// How long a refresh token lives, in seconds.
    pub refresh_token_lifetime_seconds: u32,
    /// How long an authorization code lives, in seconds.
    pub code_lifetime_seconds: u32,
    /// Where codes may be sent.
    pub redirect_rule: RedirectRule,
    /// What an access token is to whoever holds it.
    pub access_token_format: AccessTokenFormat,
    /// The resource servers that tokens can be asked for (RFC 8707 section 2), beside the authorization server itself.
    pub resources: BTreeSet<ResourceIndicator>,
    /// How long a signing key signs before the next one does, in seconds.
    pub signing_key_lifetime_seconds: u32,
    /// Who signs in with a second factor.
    pub second_factor_required: SecondFactorRule,
    /// Who may register clients by the protocol (RFC 7591).
    pub registration: RegistrationRule,
    /// How many clients that registered themselves there can be at a time.
    pub max_registered_clients: u32,
    /// A client that registered itself and was not used for so long is deleted, in seconds.
    pub dormant_after_seconds: u32,
    /// What stands for what the compatibility API does not send.
    pub compatibility_defaults: ChannelDefaults,
    /// What stands for what dynamic registration (RFC 7591) does not send.
    pub registration_defaults: ChannelDefaults,
    /// Published versions of the developer terms, newest last; the newest must be accepted.
    pub terms: Vec<String>,
}

/// What an access token is to whoever holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessTokenFormat {
    /// A JWT (RFC 9068) signed with ES256, which a resource server can read by itself.
    #[default]
    Jwt,
    /// The same signed with RS256, for resource servers that know nothing newer.
    JwtRs256,
    /// A text that says nothing: a resource server asks (RFC 7662).
    Opaque,
}

/// Who signs in with a second factor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondFactorRule {
    /// Who has one.
    #[default]
    Never,
    /// Who has one, and whoever can change something.
    Administrators,
    /// Everybody.
    Always,
}

/// Who may register clients by the protocol (RFC 7591).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistrationRule {
    /// Nobody.
    #[default]
    Closed,
    /// Who has an initial access token, which a member made.
    InitialAccessToken,
    /// Anybody.
    Open,
}

/// Which commands must say why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ReasonRequired {
    /// All of them, or none.
    Always(bool),
    /// Those with these names, `Delete` among them perhaps.
    For(BTreeSet<String>),
}

/// What stands for what a channel does not send of a new client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelDefaults {
    /// The type of its clients; without one it makes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_type: Option<String>,
    /// What its clients may ask for; empty is all that the type allows.
    pub scope: ScopeSet,
    /// Whether it must name a contact; else the acting admin is it.
    pub contacts_required: bool,
    /// Whether it must accept the developer terms; else the acting admin is taken to have.
    pub terms_required: bool,
}

impl Default for ChannelDefaults {
    fn default() -> Self {
        Self { client_type: None, scope: ScopeSet::default(), contacts_required: true, terms_required: true }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            reason_required: ReasonRequired::Always(false),
            secret_lifetime_seconds: YEAR,
            max_secret_lifetime_seconds: 2 * YEAR,
            max_overlap_seconds: YEAR / 4,
            access_token_lifetime_seconds: 60 * MINUTE,
            refresh_token_lifetime_seconds: 30 * DAY,
            code_lifetime_seconds: MINUTE,
            redirect_rule: RedirectRule::default(),
            access_token_format: AccessTokenFormat::default(),
            resources: BTreeSet::new(),
            signing_key_lifetime_seconds: 90 * DAY,
            second_factor_required: SecondFactorRule::default(),
            registration: RegistrationRule::default(),
            max_registered_clients: 1_000,
            dormant_after_seconds: 90 * DAY,
            compatibility_defaults: ChannelDefaults::default(),
            registration_defaults: ChannelDefaults::default(),
            terms: vec!["2026-01".to_owned()],
        }
    }
}

impl ReasonRequired {
    /// Whether the command of this name must say why.
    pub fn covers(&self, command: &str) -> bool {
        match self {
            Self::Always(always) => *always,
            Self::For(commands) => commands.contains(command),
        }
    }
}

impl Policy {
    /// The lifetimes against their bounds and against one another.
    pub(super) fn check_lifetimes(&self, wrong: &mut Violations) {
        if self.secret_lifetime_seconds == 0
            || self.secret_lifetime_seconds > self.max_secret_lifetime_seconds
        {
            let detail = "must be at least 1 and at most max_secret_lifetime_seconds";
            wrong.add("/policy/secret_lifetime_seconds", Rule::OutOfRange, detail);
        }
        let bounds = [
            ("access_token_lifetime_seconds", self.access_token_lifetime_seconds, MINUTE, DAY),
            ("refresh_token_lifetime_seconds", self.refresh_token_lifetime_seconds, MINUTE, YEAR),
            ("code_lifetime_seconds", self.code_lifetime_seconds, 1, LONGEST_CODE),
            ("signing_key_lifetime_seconds", self.signing_key_lifetime_seconds, 2 * DAY, 2 * YEAR),
            ("dormant_after_seconds", self.dormant_after_seconds, DAY, 2 * YEAR),
        ];
        for (setting, seconds, least, most) in bounds {
            if !(least..=most).contains(&seconds) {
                let detail = format!("must be {least} to {most}");
                wrong.add(format!("/policy/{setting}"), Rule::OutOfRange, detail);
            }
        }
    }
}
