//! What happened to an environment.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{AccessTokenFormat, ChannelDefaults, Policy, ReasonRequired, RegistrationRule, SecondFactorRule};
use crate::{
    Change, EnvironmentName,
    event::events,
    oauth::{RedirectRule, ResourceIndicator},
};

events! {
    /// The events of an `environment-<name>` stream.
    #[expect(clippy::large_enum_variant, reason = "events are read and folded one at a time: a box would only cost an allocation")]
    EnvironmentEvent {
        /// It exists.
        Created(EnvironmentCreated) = "environment.created", 1;
        /// It demands something else.
        PolicyChanged(PolicyChanged) = "environment.policy_changed", 2;
        /// New clients must accept another version of the developer terms.
        TermsPublished(TermsPublished) = "environment.terms_published", 1;
    }
}

/// What an environment begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentCreated {
    /// Its name, also in its issuer.
    pub name: EnvironmentName,
    /// What it demands, as far as this event can say: other settings follow in `environment.policy_changed`.
    pub policy: FirstPolicy,
}

/// The settings that the first environments had. What came later has its default until an event says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstPolicy {
    /// Whether every command must say why.
    pub reason_required: bool,
    /// How long a secret lives if nothing else is asked, in seconds.
    pub secret_lifetime_seconds: u32,
    /// The longest life of a secret, in seconds.
    pub max_secret_lifetime_seconds: u32,
    /// The longest overlap of a rotation, in seconds.
    pub max_overlap_seconds: u32,
    /// Published versions of the developer terms, newest last.
    pub terms: Vec<String>,
}

impl From<&FirstPolicy> for Policy {
    fn from(first: &FirstPolicy) -> Self {
        Self {
            reason_required: ReasonRequired::Always(first.reason_required),
            secret_lifetime_seconds: first.secret_lifetime_seconds,
            max_secret_lifetime_seconds: first.max_secret_lifetime_seconds,
            max_overlap_seconds: first.max_overlap_seconds,
            terms: first.terms.clone(),
            ..Self::default()
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $setting:ident: $value:ty,)+) => {
        /// Old and new value of every setting that changed; those that did not are left out.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct PolicyChanged {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $setting: Option<Change<$value>>,)+
        }

        impl PolicyChanged {
            /// From `old` to `new`; `None` if they agree.
            pub(super) fn between(old: &Policy, new: &Policy) -> Option<Self> {
                let changed = Self {
                    $($setting: (old.$setting != new.$setting)
                        .then(|| Change::new(old.$setting.clone(), new.$setting.clone())),)+
                };
                (changed != Self::default()).then_some(changed)
            }

            pub(super) fn apply(&self, policy: &mut Policy) {
                $(if let Some(change) = &self.$setting {
                    policy.$setting = change.new.clone();
                })+
            }
        }
    };
}

settings! {
    /// Which commands must say why.
    reason_required: ReasonRequired,
    /// How long a secret lives if nothing else is asked, in seconds.
    secret_lifetime_seconds: u32,
    /// The longest life of a secret, in seconds.
    max_secret_lifetime_seconds: u32,
    /// The longest overlap of a rotation, in seconds.
    max_overlap_seconds: u32,
    /// How long an access token lives, in seconds.
    access_token_lifetime_seconds: u32,
    /// How long a refresh token lives, in seconds.
    refresh_token_lifetime_seconds: u32,
    /// How long an authorization code lives, in seconds.
    code_lifetime_seconds: u32,
    /// Where codes may be sent.
    redirect_rule: RedirectRule,
    /// What an access token is to whoever holds it.
    access_token_format: AccessTokenFormat,
    /// The resource servers that tokens can be asked for.
    resources: BTreeSet<ResourceIndicator>,
    /// How long a signing key signs before the next one does, in seconds.
    signing_key_lifetime_seconds: u32,
    /// Who signs in with a second factor.
    second_factor_required: SecondFactorRule,
    /// Who may register clients by the protocol (RFC 7591).
    registration: RegistrationRule,
    /// How many clients that registered themselves there can be at a time.
    max_registered_clients: u32,
    /// A client that registered itself and was not used for so long is deleted, in seconds.
    dormant_after_seconds: u32,
    /// What stands for what the compatibility API does not send.
    compatibility_defaults: ChannelDefaults,
    /// What stands for what dynamic registration (RFC 7591) does not send.
    registration_defaults: ChannelDefaults,
}

/// The version before and the one that must be accepted now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TermsPublished {
    /// Names of the versions.
    pub terms: Change<String>,
}
