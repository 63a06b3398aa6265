//! The environment: an island of clients, secrets and tokens, with its own policy (behaviour L7).

mod command;
mod event;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use command::{ChangePolicy, ChannelDraft, CreateEnvironment, EnvironmentCommand, PolicyDraft};
pub use event::{EnvironmentCreated, EnvironmentEvent, FirstPolicy, PolicyChanged, TermsPublished};
pub use policy::{
    AccessTokenFormat, ChannelDefaults, Policy, ReasonRequired, RegistrationRule, SecondFactorRule,
};

use crate::{
    Change, Rule, Violation,
    aggregate::cqrs_aggregate,
    violation::{Violations, plain_text},
};

const MOST_TERMS: usize = 100;
const LONGEST_TERMS: usize = 64;

/// An environment's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Environment {
    /// No event yet.
    #[default]
    Absent,
    /// Created.
    Open(Box<OpenEnvironment>),
}

/// What an environment is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenEnvironment {
    /// What it demands of the commands in it.
    pub policy: Policy,
    /// When each version of its developer terms was published.
    pub terms_published_at: BTreeMap<String, Timestamp>,
    /// When it was created.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
}

/// Why a command on an environment was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The stream has events already.
    #[error("the environment exists already")]
    AlreadyExists,
    /// The stream has no events.
    #[error("no such environment")]
    NotFound,
}

cqrs_aggregate!(Environment, "environment", EnvironmentCommand, EnvironmentEvent, EnvironmentError);

impl Environment {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "environment";

    /// What it is, unless there is no such environment.
    pub fn open(&self) -> Option<&OpenEnvironment> {
        match self {
            Self::Absent => None,
            Self::Open(environment) => Some(environment),
        }
    }

    /// Its policy, unless there is no such environment.
    pub fn policy(&self) -> Option<&Policy> {
        self.open().map(|environment| &environment.policy)
    }

    /// What `command` does.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(
        &self,
        command: EnvironmentCommand,
        _now: Timestamp,
    ) -> Result<Vec<EnvironmentEvent>, EnvironmentError> {
        match (self, command) {
            (Self::Absent, EnvironmentCommand::CreateEnvironment(create)) => create.decide(),
            (Self::Open(_), EnvironmentCommand::CreateEnvironment(_)) => Err(EnvironmentError::AlreadyExists),
            (Self::Open(environment), EnvironmentCommand::ChangePolicy(change)) => {
                let mut wrong = Violations::default();
                let policy = change.applied(&environment.policy, &mut wrong);
                wrong.refuse(EnvironmentError::Invalid)?;
                Ok(PolicyChanged::between(&environment.policy, &policy)
                    .map(EnvironmentEvent::PolicyChanged)
                    .into_iter()
                    .collect())
            }
            (Self::Open(environment), EnvironmentCommand::PublishTerms { terms }) => {
                environment.publish(&terms)
            }
            (Self::Absent, EnvironmentCommand::ChangePolicy(_) | EnvironmentCommand::PublishTerms { .. }) => {
                Err(EnvironmentError::NotFound)
            }
        }
    }

    /// The state after an event.
    pub fn apply(&mut self, event: &EnvironmentEvent, at: Timestamp) {
        match (event, self) {
            (EnvironmentEvent::Created(created), state @ Self::Absent) => {
                let policy = Policy::from(&created.policy);
                let terms_published_at = policy.terms.iter().map(|terms| (terms.clone(), at)).collect();
                let environment = OpenEnvironment { policy, terms_published_at, created_at: at };
                *state = Self::Open(Box::new(environment));
            }
            (EnvironmentEvent::PolicyChanged(changed), Self::Open(environment)) => {
                changed.apply(&mut environment.policy);
            }
            (EnvironmentEvent::TermsPublished(published), Self::Open(environment)) => {
                let terms = &published.terms.new;
                environment.policy.terms.push(terms.clone());
                environment.terms_published_at.insert(terms.clone(), at);
            }
            (EnvironmentEvent::Created(_), Self::Open(_))
            | (EnvironmentEvent::PolicyChanged(_) | EnvironmentEvent::TermsPublished(_), Self::Absent) => {}
        }
    }
}

impl OpenEnvironment {
    fn publish(&self, terms: &str) -> Result<Vec<EnvironmentEvent>, EnvironmentError> {
        let mut wrong = Violations::default();
        let published = &self.policy.terms;
        let new = wrong.keep("/terms", terms_version(terms));
        if published.len() >= MOST_TERMS {
            wrong.add("/terms", Rule::TooMany, format!("at most {MOST_TERMS} versions"));
        }
        if new.as_ref().is_some_and(|new| published.contains(new)) {
            wrong.add("/terms", Rule::Duplicate, "this version was published already");
        }
        match (new, published.last()) {
            (Some(new), Some(old)) if wrong.0.is_empty() => {
                let terms = Change::new(old.clone(), new);
                Ok(vec![EnvironmentEvent::TermsPublished(TermsPublished { terms })])
            }
            _ => Err(EnvironmentError::Invalid(wrong.0)),
        }
    }
}

/// The name of a version of the developer terms.
fn terms_version(text: &str) -> Result<String, (Rule, String)> {
    plain_text(text, LONGEST_TERMS)
}
