//! What may be asked of an environment.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    AccessTokenFormat, ChannelDefaults, EnvironmentCreated, EnvironmentError, EnvironmentEvent, FirstPolicy,
    MOST_TERMS, Policy, PolicyChanged, ReasonRequired, RegistrationRule, SecondFactorRule, terms_version,
};
use crate::{
    EnvironmentName, Rule,
    client_type::TypeRules,
    oauth::{RedirectRule, ResourceIndicator, ScopeSet},
    violation::Violations,
};

/// More resource servers than any real environment has.
const MOST_RESOURCES: usize = 100;

/// A request to change one environment.
#[derive(Clone, Debug)]
pub enum EnvironmentCommand {
    /// Open it.
    CreateEnvironment(CreateEnvironment),
    /// Demand something else.
    ChangePolicy(ChangePolicy),
    /// Publish a version of the developer terms, which new clients must accept from now on.
    PublishTerms {
        /// Its name.
        terms: String,
    },
}

/// Open an environment.
#[derive(Clone, Debug, Default)]
pub struct CreateEnvironment {
    /// Its name, as it came in.
    pub name: String,
    /// Versions of the developer terms, newest last.
    pub terms: Vec<String>,
    /// What it demands; what is left out is as in [`Policy::default`].
    pub policy: ChangePolicy,
}

/// Settings to change, with the facts that they are judged by.
#[derive(Clone, Debug, Default)]
pub struct ChangePolicy {
    /// The settings.
    pub draft: PolicyDraft,
    /// The names of all commands that can be given in an environment.
    pub commands: BTreeSet<&'static str>,
    /// The rules of the types that the settings name, as far as the catalog has them.
    pub types: BTreeMap<String, TypeRules>,
}

/// Settings as they came in: what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct PolicyDraft {
    /// Which commands must say why.
    pub reason_required: Option<ReasonRequired>,
    /// How long a secret lives if nothing else is asked, in seconds.
    pub secret_lifetime_seconds: Option<u32>,
    /// The longest life of a secret, in seconds.
    pub max_secret_lifetime_seconds: Option<u32>,
    /// The longest overlap of a rotation, in seconds.
    pub max_overlap_seconds: Option<u32>,
    /// How long an access token lives, in seconds.
    pub access_token_lifetime_seconds: Option<u32>,
    /// How long a refresh token lives, in seconds.
    pub refresh_token_lifetime_seconds: Option<u32>,
    /// How long an authorization code lives, in seconds.
    pub code_lifetime_seconds: Option<u32>,
    /// Where codes may be sent.
    pub redirect_rule: Option<RedirectRule>,
    /// What an access token is to whoever holds it.
    pub access_token_format: Option<AccessTokenFormat>,
    /// The resource servers that tokens can be asked for, as they came in.
    pub resources: Option<Vec<String>>,
    /// How long a signing key signs before the next one does, in seconds.
    pub signing_key_lifetime_seconds: Option<u32>,
    /// Who signs in with a second factor.
    pub second_factor_required: Option<SecondFactorRule>,
    /// Who may register clients by the protocol (RFC 7591).
    pub registration: Option<RegistrationRule>,
    /// How many clients that registered themselves there can be at a time.
    pub max_registered_clients: Option<u32>,
    /// A client that registered itself and was not used for so long is deleted, in seconds.
    pub dormant_after_seconds: Option<u32>,
    /// What stands for what the compatibility API does not send.
    pub compatibility_defaults: ChannelDraft,
    /// What stands for what dynamic registration does not send.
    pub registration_defaults: ChannelDraft,
}

/// Defaults of a channel as they came in: what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ChannelDraft {
    /// The type of its clients; `Some(None)` takes it away.
    pub client_type: Option<Option<String>>,
    /// What its clients may ask for, in the wire form.
    pub scope: Option<String>,
    /// Whether it must name a contact.
    pub contacts_required: Option<bool>,
    /// Whether it must accept the developer terms.
    pub terms_required: Option<bool>,
}

impl CreateEnvironment {
    pub(super) fn decide(self) -> Result<Vec<EnvironmentEvent>, EnvironmentError> {
        let mut wrong = Violations::default();
        let name = wrong.keep("/name", EnvironmentName::parse(&self.name));
        let terms = keep_terms(&mut wrong, &self.terms);
        let policy = self.policy.applied(&Policy { terms, ..Policy::default() }, &mut wrong);
        let first = FirstPolicy {
            reason_required: policy.reason_required == ReasonRequired::Always(true),
            secret_lifetime_seconds: policy.secret_lifetime_seconds,
            max_secret_lifetime_seconds: policy.max_secret_lifetime_seconds,
            max_overlap_seconds: policy.max_overlap_seconds,
            terms: policy.terms.clone(),
        };
        match name {
            Some(name) if wrong.0.is_empty() => {
                let changed = PolicyChanged::between(&Policy::from(&first), &policy);
                let created = EnvironmentEvent::Created(EnvironmentCreated { name, policy: first });
                Ok([created].into_iter().chain(changed.map(EnvironmentEvent::PolicyChanged)).collect())
            }
            _ => Err(EnvironmentError::Invalid(wrong.0)),
        }
    }
}

impl ChangePolicy {
    /// The policy after it, and what is wrong with it.
    pub(super) fn applied(self, old: &Policy, wrong: &mut Violations) -> Policy {
        let Self { draft, commands, types } = self;
        if let Some(ReasonRequired::For(named)) = &draft.reason_required
            && named.iter().any(|name| !commands.contains(name.as_str()))
        {
            let known = commands.iter().copied().collect::<Vec<_>>().join(", ");
            wrong.add("/policy/reason_required", Rule::Unknown, format!("each must be one of {known}"));
        }
        let new = Policy {
            reason_required: draft.reason_required.unwrap_or_else(|| old.reason_required.clone()),
            secret_lifetime_seconds: draft.secret_lifetime_seconds.unwrap_or(old.secret_lifetime_seconds),
            max_secret_lifetime_seconds: draft
                .max_secret_lifetime_seconds
                .unwrap_or(old.max_secret_lifetime_seconds),
            max_overlap_seconds: draft.max_overlap_seconds.unwrap_or(old.max_overlap_seconds),
            access_token_lifetime_seconds: draft
                .access_token_lifetime_seconds
                .unwrap_or(old.access_token_lifetime_seconds),
            refresh_token_lifetime_seconds: draft
                .refresh_token_lifetime_seconds
                .unwrap_or(old.refresh_token_lifetime_seconds),
            code_lifetime_seconds: draft.code_lifetime_seconds.unwrap_or(old.code_lifetime_seconds),
            redirect_rule: draft.redirect_rule.unwrap_or(old.redirect_rule),
            compatibility_defaults: draft.compatibility_defaults.applied(
                &old.compatibility_defaults,
                "/policy/compatibility_defaults",
                &types,
                wrong,
            ),
            access_token_format: draft.access_token_format.unwrap_or(old.access_token_format),
            resources: draft
                .resources
                .map_or_else(|| old.resources.clone(), |texts| resources(wrong, &texts)),
            signing_key_lifetime_seconds: draft
                .signing_key_lifetime_seconds
                .unwrap_or(old.signing_key_lifetime_seconds),
            second_factor_required: draft.second_factor_required.unwrap_or(old.second_factor_required),
            registration: draft.registration.unwrap_or(old.registration),
            max_registered_clients: draft.max_registered_clients.unwrap_or(old.max_registered_clients),
            dormant_after_seconds: draft.dormant_after_seconds.unwrap_or(old.dormant_after_seconds),
            registration_defaults: draft.registration_defaults.applied(
                &old.registration_defaults,
                "/policy/registration_defaults",
                &types,
                wrong,
            ),
            terms: old.terms.clone(),
        };
        new.check_lifetimes(wrong);
        new
    }
}

impl PolicyDraft {
    /// The types that the settings name: whoever asks must say what the catalog has of them.
    pub fn named_types(&self) -> impl Iterator<Item = &str> {
        [&self.compatibility_defaults, &self.registration_defaults]
            .into_iter()
            .filter_map(|channel| channel.client_type.as_ref()?.as_deref())
    }
}

impl ChannelDraft {
    fn applied(
        self,
        old: &ChannelDefaults,
        pointer: &str,
        types: &BTreeMap<String, TypeRules>,
        wrong: &mut Violations,
    ) -> ChannelDefaults {
        let touched = self.client_type.is_some() || self.scope.is_some();
        let client_type = self.client_type.unwrap_or_else(|| old.client_type.clone());
        let scope = match self.scope {
            None => old.scope.clone(),
            Some(text) => match ScopeSet::parse(&text, &format!("{pointer}/scope")) {
                Ok(scope) => scope,
                Err(violations) => {
                    wrong.0.extend(violations);
                    ScopeSet::default()
                }
            },
        };
        match &client_type {
            _ if !touched => {}
            None if scope.is_empty() => {}
            None => {
                wrong.add(format!("{pointer}/scope"), Rule::Contradiction, "needs a client_type beside it");
            }
            Some(name) => match types.get(name) {
                None => {
                    wrong.add(format!("{pointer}/client_type"), Rule::Unknown, "no such type in the catalog");
                }
                Some(rules) => {
                    for token in scope.0.difference(&rules.scopes.0) {
                        let detail = format!("`{}` is not among the scopes of the type", token.as_str());
                        wrong.add(format!("{pointer}/scope"), Rule::NotAllowedByType, detail);
                    }
                }
            },
        }
        ChannelDefaults {
            client_type,
            scope,
            contacts_required: self.contacts_required.unwrap_or(old.contacts_required),
            terms_required: self.terms_required.unwrap_or(old.terms_required),
        }
    }
}

/// Resource indicators, each good and none twice.
fn resources(wrong: &mut Violations, texts: &[String]) -> BTreeSet<ResourceIndicator> {
    if texts.len() > MOST_RESOURCES {
        wrong.add("/policy/resources", Rule::TooMany, format!("at most {MOST_RESOURCES}"));
        return BTreeSet::new();
    }
    let read = |(place, text): (usize, &String)| {
        wrong.keep(&format!("/policy/resources/{place}"), ResourceIndicator::parse(text))
    };
    texts.iter().enumerate().filter_map(read).collect()
}

/// Versions of the developer terms, none twice.
fn keep_terms(wrong: &mut Violations, texts: &[String]) -> Vec<String> {
    let mut terms = Vec::with_capacity(texts.len().min(MOST_TERMS));
    if texts.is_empty() {
        wrong.add("/terms", Rule::Required, "publish at least one version of the developer terms");
    }
    if texts.len() > MOST_TERMS {
        wrong.add("/terms", Rule::TooMany, format!("at most {MOST_TERMS}"));
        return terms;
    }
    for (place, text) in texts.iter().enumerate() {
        let pointer = format!("/terms/{place}");
        match wrong.keep(&pointer, terms_version(text)) {
            Some(version) if terms.contains(&version) => wrong.add(pointer, Rule::Duplicate, "stands twice"),
            Some(version) => terms.push(version),
            None => {}
        }
    }
    terms
}
