//! Who may register clients by the protocol (RFC 7591) in an environment, and which clients have.
//!
//! Initial access tokens, and the clients that registered themselves, stand in one stream: so no token is used more often
//! than it may be, and there are never more such clients than the environment lets, whoever asks at one moment.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    ClientId, EnvironmentName, MemberId, Rule, SecretId, Violation,
    aggregate::cqrs_aggregate,
    client_type::TypeRules,
    event::events,
    oauth::ScopeSet,
    violation::{Violations, plain_text},
};

/// The longest life of an initial access token: a year, in seconds.
pub const MAX_INITIAL_TOKEN_LIFETIME_SECONDS: u32 = 365 * 24 * 60 * 60;
/// The most clients that one initial access token registers.
pub const MOST_USES: u32 = 10_000;
const LONGEST_LABEL: usize = 100;
const MOST_LIVE_TOKENS: usize = 100;
/// Tokens that have ended and are still part of the state, the newest of them; the history has the others.
const MOST_ENDED_TOKENS: usize = 200;

/// Who may register clients in an environment, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Every initial access token that works, and the newest of those that ended, oldest first.
    pub tokens: Vec<InitialAccessToken>,
    /// The clients that registered themselves and are not deleted.
    pub clients: BTreeSet<ClientId>,
}

/// What lets somebody register clients (RFC 7591 section 1.2), as far as anyone may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitialAccessToken {
    /// Its id, part of its text.
    pub id: SecretId,
    /// What its maker called it.
    pub label: String,
    /// The beginning of its text.
    pub hint: String,
    /// The member who made it, and answers for the clients that come by it.
    pub member_id: MemberId,
    /// The scopes that its clients can have at most; `None` is whatever the environment lets.
    pub scope: Option<ScopeSet>,
    /// How many clients it registers.
    pub max_uses: u32,
    /// How many it has registered.
    pub uses: u32,
    /// When it was issued.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
    /// It registers nothing from here on.
    #[serde(with = "crate::time::micros")]
    pub expires_at: Timestamp,
    /// When it was revoked.
    #[serde(with = "crate::time::micros::option")]
    pub revoked_at: Option<Timestamp>,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
}

/// Whether an initial access token registers clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialAccessTokenState {
    /// It does.
    Active,
    /// It has registered as many as it may.
    UsedUp,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

events! {
    /// The events of an `admission-<environment>` stream.
    AdmissionEvent {
        /// There is a further initial access token.
        TokenIssued(InitialAccessTokenIssued) = "initial_access_token.issued", 1;
        /// It registers nothing any more.
        TokenRevoked(InitialAccessTokenRevoked) = "initial_access_token.revoked", 1;
        /// A client registered itself; what it is stands in its own stream, in the same commit.
        ClientAdmitted(ClientAdmitted) = "admission.client_admitted", 1;
        /// One that had registered itself was deleted.
        ClientLeft(ClientLeft) = "admission.client_left", 1;
    }
}

/// A new initial access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialAccessTokenIssued {
    /// Where it registers clients.
    pub environment: EnvironmentName,
    /// Its id.
    pub token_id: SecretId,
    /// What its maker called it.
    pub label: String,
    /// The beginning of its text.
    pub hint: String,
    /// The member who made it, and answers for the clients that come by it.
    pub member_id: MemberId,
    /// The scopes that its clients can have at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<ScopeSet>,
    /// How many clients it registers.
    pub max_uses: u32,
    /// It registers nothing from here on.
    #[serde(with = "crate::time::micros")]
    pub expires_at: Timestamp,
    /// Digest of the verifier's disclosure in the vault.
    pub commitment: String,
}

/// The end of an initial access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitialAccessTokenRevoked {
    /// Which one.
    pub token_id: SecretId,
}

/// A client that registered itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientAdmitted {
    /// Where it lives.
    pub environment: EnvironmentName,
    /// Which one.
    pub client_id: ClientId,
    /// The initial access token by which it did; left out where anybody may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_access_token_id: Option<SecretId>,
}

/// A client that had registered itself and was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientLeft {
    /// Which one.
    pub client_id: ClientId,
}

/// A request about who may register clients.
#[derive(Clone, Debug)]
pub enum AdmissionCommand {
    /// Let somebody register clients.
    IssueInitialAccessToken(Box<IssueInitialAccessToken>),
    /// Let nobody register clients by it any more.
    RevokeInitialAccessToken {
        /// Which one.
        token_id: SecretId,
    },
    /// Let a client in that registers itself.
    AdmitClient {
        /// Where it shall live.
        environment: EnvironmentName,
        /// Which one.
        client_id: ClientId,
        /// The initial access token that it comes with; `None` where anybody may register.
        token_id: Option<SecretId>,
        /// How many such clients there can be at a time.
        most: u32,
    },
}

/// Let somebody register clients.
#[derive(Clone, Debug)]
pub struct IssueInitialAccessToken {
    /// Where.
    pub environment: EnvironmentName,
    /// The id of the token.
    pub token_id: SecretId,
    /// What its maker calls it.
    pub label: String,
    /// The beginning of its text.
    pub hint: String,
    /// Who makes it.
    pub member_id: MemberId,
    /// The scopes that its clients can have at most, in the wire form.
    pub scope: Option<String>,
    /// How many clients it registers.
    pub max_uses: u32,
    /// How long it lives, in seconds.
    pub expires_in_seconds: u32,
    /// Digest of the verifier's disclosure.
    pub commitment: String,
    /// The rules of the type of such clients, if the environment names one that the catalog has.
    pub type_rules: Option<TypeRules>,
}

/// Why a command on an admission was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The environment has no initial access token of this id.
    #[error("the environment has no initial access token `{0}`")]
    NoSuchToken(SecretId),
    /// It is revoked, expired or used up.
    #[error("the initial access token `{0}` no longer works")]
    TokenNotLive(SecretId),
    /// More live tokens than can be told apart.
    #[error("there are {most} initial access tokens that work already: revoke one first")]
    TooManyTokens {
        /// The most there can be.
        most: usize,
    },
    /// As many clients have registered themselves as may.
    #[error("{most} clients have registered themselves already")]
    Full {
        /// The most there can be.
        most: u32,
    },
}

cqrs_aggregate!(Admission, "admission", AdmissionCommand, AdmissionEvent, AdmissionError);

impl Admission {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "admission";

    /// What `command` does at `now`.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(
        &self,
        command: AdmissionCommand,
        now: Timestamp,
    ) -> Result<Vec<AdmissionEvent>, AdmissionError> {
        match command {
            AdmissionCommand::IssueInitialAccessToken(issue) => {
                let issued = issue.decide(now)?;
                if self.tokens.iter().filter(|token| token.is_live(now)).count() >= MOST_LIVE_TOKENS {
                    return Err(AdmissionError::TooManyTokens { most: MOST_LIVE_TOKENS });
                }
                Ok(vec![AdmissionEvent::TokenIssued(issued)])
            }
            AdmissionCommand::RevokeInitialAccessToken { token_id } => {
                self.live_token(&token_id, now)?;
                Ok(vec![AdmissionEvent::TokenRevoked(InitialAccessTokenRevoked { token_id })])
            }
            AdmissionCommand::AdmitClient { environment, client_id, token_id, most } => {
                if let Some(token_id) = &token_id {
                    self.live_token(token_id, now)?;
                }
                if self.clients.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
                    return Err(AdmissionError::Full { most });
                }
                let initial_access_token_id = token_id;
                let admitted = ClientAdmitted { environment, client_id, initial_access_token_id };
                Ok(vec![AdmissionEvent::ClientAdmitted(admitted)])
            }
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &AdmissionEvent, at: Timestamp) {
        match event {
            AdmissionEvent::TokenIssued(issued) => self.add_token(InitialAccessToken::issued(issued, at), at),
            AdmissionEvent::TokenRevoked(revoked) => {
                for token in self.tokens.iter_mut().filter(|token| token.id == revoked.token_id) {
                    token.revoked_at.get_or_insert(at);
                }
            }
            AdmissionEvent::ClientAdmitted(admitted) => {
                self.clients.insert(admitted.client_id);
                let by = admitted.initial_access_token_id.as_ref();
                for token in self.tokens.iter_mut().filter(|token| Some(&token.id) == by) {
                    token.uses = token.uses.saturating_add(1);
                }
            }
            AdmissionEvent::ClientLeft(left) => {
                self.clients.remove(&left.client_id);
            }
        }
    }

    /// A token that there is, or was not long ago.
    pub fn token(&self, token_id: &SecretId) -> Option<&InitialAccessToken> {
        self.tokens.iter().find(|token| token.id == *token_id)
    }

    fn live_token(&self, token_id: &SecretId, now: Timestamp) -> Result<&InitialAccessToken, AdmissionError> {
        let token = self.token(token_id).ok_or_else(|| AdmissionError::NoSuchToken(token_id.clone()))?;
        if token.is_live(now) { Ok(token) } else { Err(AdmissionError::TokenNotLive(token_id.clone())) }
    }

    /// Adds a token, and lets go of the one that ended longest ago if there are too many such.
    fn add_token(&mut self, token: InitialAccessToken, at: Timestamp) {
        self.tokens.push(token);
        let ended = |token: &InitialAccessToken| !token.is_live(at);
        if self.tokens.iter().filter(|token| ended(token)).count() > MOST_ENDED_TOKENS
            && let Some(oldest) = self.tokens.iter().position(ended)
        {
            self.tokens.remove(oldest);
        }
    }
}

impl InitialAccessToken {
    /// Whether it registers clients at `now`.
    pub fn state(&self, now: Timestamp) -> InitialAccessTokenState {
        if self.revoked_at.is_some() {
            InitialAccessTokenState::Revoked
        } else if self.uses >= self.max_uses {
            InitialAccessTokenState::UsedUp
        } else if self.expires_at <= now {
            InitialAccessTokenState::Expired
        } else {
            InitialAccessTokenState::Active
        }
    }

    /// Whether it does.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.state(now) == InitialAccessTokenState::Active
    }

    fn issued(issued: &InitialAccessTokenIssued, at: Timestamp) -> Self {
        Self {
            id: issued.token_id.clone(),
            label: issued.label.clone(),
            hint: issued.hint.clone(),
            member_id: issued.member_id,
            scope: issued.scope.clone(),
            max_uses: issued.max_uses,
            uses: 0,
            created_at: at,
            expires_at: issued.expires_at,
            revoked_at: None,
            commitment: issued.commitment.clone(),
        }
    }
}

impl IssueInitialAccessToken {
    fn decide(self, now: Timestamp) -> Result<InitialAccessTokenIssued, AdmissionError> {
        let mut wrong = Violations::default();
        let label = wrong.keep("/label", plain_text(&self.label, LONGEST_LABEL)).unwrap_or_default();
        if !(1..=MOST_USES).contains(&self.max_uses) {
            wrong.add("/max_uses", Rule::OutOfRange, format!("must be 1 to {MOST_USES}"));
        }
        if !(1..=MAX_INITIAL_TOKEN_LIFETIME_SECONDS).contains(&self.expires_in_seconds) {
            let detail = format!("must be 1 to {MAX_INITIAL_TOKEN_LIFETIME_SECONDS}");
            wrong.add("/expires_in_seconds", Rule::OutOfRange, detail);
        }
        let scope = match self.scope.as_deref().map(|text| ScopeSet::parse(text, "/scope")) {
            None => None,
            Some(Ok(scope)) => {
                check_scope(&mut wrong, &scope, self.type_rules.as_ref());
                Some(scope)
            }
            Some(Err(violations)) => {
                wrong.0.extend(violations);
                None
            }
        };
        wrong.refuse(AdmissionError::Invalid)?;
        let lifetime = SignedDuration::from_secs(self.expires_in_seconds.into());
        Ok(InitialAccessTokenIssued {
            environment: self.environment,
            token_id: self.token_id,
            label,
            hint: self.hint,
            member_id: self.member_id,
            scope,
            max_uses: self.max_uses,
            expires_at: now.saturating_add(lifetime).unwrap_or(now),
            commitment: self.commitment,
        })
    }
}

fn check_scope(wrong: &mut Violations, scope: &ScopeSet, rules: Option<&TypeRules>) {
    if scope.is_empty() {
        wrong.add("/scope", Rule::Required, "name at least one scope, or leave it out");
    }
    let allowed = rules.map(|rules| &rules.scopes);
    for token in scope.0.iter().filter(|token| allowed.is_none_or(|allowed| !allowed.0.contains(token))) {
        let detail = format!(
            "`{}` is not among the scopes of the type that `registration_defaults` of the policy names",
            token.as_str()
        );
        wrong.add("/scope", Rule::NotAllowedByType, detail);
    }
}
