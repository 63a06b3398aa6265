//! The environment: an island of clients, secrets and tokens, with its own policy (behaviour L7).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    EnvironmentName, Rule, Violation,
    aggregate::cqrs_aggregate,
    event::events,
    violation::{Violations, plain_text},
};

const MOST_TERMS: usize = 100;
const YEAR_SECONDS: u32 = 365 * 24 * 60 * 60;

/// An environment's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Environment {
    /// No event yet.
    #[default]
    Absent,
    /// Created.
    Open(Policy),
}

/// What an environment demands of the commands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Whether every command must say why.
    pub reason_required: bool,
    /// How long a secret lives if nothing else is asked, in seconds.
    pub secret_lifetime_seconds: u32,
    /// The longest life of a secret, in seconds.
    pub max_secret_lifetime_seconds: u32,
    /// The longest overlap of a rotation, in seconds.
    pub max_overlap_seconds: u32,
    /// Published versions of the developer terms, newest last; the newest must be accepted.
    pub terms: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            reason_required: false,
            secret_lifetime_seconds: YEAR_SECONDS,
            max_secret_lifetime_seconds: 2 * YEAR_SECONDS,
            max_overlap_seconds: YEAR_SECONDS / 4,
            terms: vec!["2026-01".to_owned()],
        }
    }
}

events! {
    /// The events of an `environment-<name>` stream.
    EnvironmentEvent {
        /// It exists.
        Created(EnvironmentCreated) = "environment.created", 1;
    }
}

/// What an environment begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentCreated {
    /// Its name, also in its issuer.
    pub name: EnvironmentName,
    /// What it demands.
    pub policy: Policy,
}

/// A request to change one environment.
#[derive(Clone, Debug)]
pub enum EnvironmentCommand {
    /// Open it.
    CreateEnvironment {
        /// Its name.
        name: EnvironmentName,
        /// What it demands.
        policy: Policy,
    },
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
}

cqrs_aggregate!(Environment, "environment", EnvironmentCommand, EnvironmentEvent, EnvironmentError);

impl Environment {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "environment";

    /// Its policy, unless there is no such environment.
    pub fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Absent => None,
            Self::Open(policy) => Some(policy),
        }
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
        let EnvironmentCommand::CreateEnvironment { name, policy } = command;
        if self.policy().is_some() {
            return Err(EnvironmentError::AlreadyExists);
        }
        let policy = policy.checked().map_err(EnvironmentError::Invalid)?;
        Ok(vec![EnvironmentEvent::Created(EnvironmentCreated { name, policy })])
    }

    /// The state after an event.
    pub fn apply(&mut self, event: &EnvironmentEvent, _at: Timestamp) {
        let (Self::Absent, EnvironmentEvent::Created(created)) = (&*self, event) else { return };
        *self = Self::Open(created.policy.clone());
    }
}

impl Policy {
    fn checked(self) -> Result<Self, Vec<Violation>> {
        let mut wrong = Violations::default();
        if self.secret_lifetime_seconds == 0
            || self.secret_lifetime_seconds > self.max_secret_lifetime_seconds
        {
            let detail = "must be at least 1 and at most max_secret_lifetime_seconds";
            wrong.add("/policy/secret_lifetime_seconds", Rule::OutOfRange, detail);
        }
        if self.terms.is_empty() {
            wrong.add("/policy/terms", Rule::Required, "publish at least one version of the developer terms");
        }
        if self.terms.len() > MOST_TERMS {
            wrong.add("/policy/terms", Rule::TooMany, format!("at most {MOST_TERMS}"));
            return Err(wrong.0);
        }
        let mut terms = Vec::with_capacity(self.terms.len());
        for (place, version) in self.terms.iter().enumerate() {
            let pointer = format!("/policy/terms/{place}");
            match wrong.keep(&pointer, plain_text(version, 64)) {
                Some(version) if terms.contains(&version) => {
                    wrong.add(pointer, Rule::Duplicate, "stands twice");
                }
                Some(version) => terms.push(version),
                None => {}
            }
        }
        if wrong.0.is_empty() { Ok(Self { terms, ..self }) } else { Err(wrong.0) }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::{At, Stamped};

    fn create(policy: Policy) -> At<EnvironmentCommand> {
        let name = EnvironmentName::parse("sandbox").expect("name");
        At { now: Timestamp::UNIX_EPOCH, command: EnvironmentCommand::CreateEnvironment { name, policy } }
    }

    fn created() -> Stamped<EnvironmentEvent> {
        let name = EnvironmentName::parse("sandbox").expect("name");
        let event = EnvironmentEvent::Created(EnvironmentCreated { name, policy: Policy::default() });
        Stamped { at: Timestamp::UNIX_EPOCH, event }
    }

    #[test]
    fn l7_an_environment_is_created_once() {
        TestFramework::<Environment>::with(())
            .given_no_previous_events()
            .when(create(Policy::default()))
            .then_expect_events(vec![created()]);
        TestFramework::<Environment>::with(())
            .given(vec![created()])
            .when(create(Policy::default()))
            .then_expect_error(EnvironmentError::AlreadyExists);
    }

    #[test]
    fn l7_its_name_shadows_no_path_of_ours() {
        for name in ["api", "metrics", "Sandbox", "1st", "", "a-b", "abcdefghijklmnopqrstuvwxyz0123456"] {
            assert!(EnvironmentName::parse(name).is_err(), "{name}");
        }
        assert!(EnvironmentName::parse("pre_production2").is_ok());
    }

    fn wrong(policy: Policy) -> Vec<(String, Rule)> {
        match Environment::Absent.decide(create(policy).command, Timestamp::UNIX_EPOCH) {
            Err(EnvironmentError::Invalid(wrong)) => {
                wrong.into_iter().map(|one| (one.pointer, one.rule)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn l4_a_secret_cannot_live_longer_than_the_longest() {
        for (secret_lifetime_seconds, max_secret_lifetime_seconds) in [(10, 9), (0, 9), (0, 0)] {
            let policy = Policy { secret_lifetime_seconds, max_secret_lifetime_seconds, ..Policy::default() };
            assert_eq!(wrong(policy), [("/policy/secret_lifetime_seconds".to_owned(), Rule::OutOfRange)]);
        }
    }

    #[test]
    fn l2_an_environment_publishes_its_terms() {
        let with = |terms: &[&str]| Policy {
            terms: terms.iter().map(|&text| text.to_owned()).collect(),
            ..Policy::default()
        };
        assert_eq!(wrong(with(&[])), [("/policy/terms".to_owned(), Rule::Required)]);
        assert_eq!(wrong(with(&["1", " "])), [("/policy/terms/1".to_owned(), Rule::Required)]);
        assert_eq!(wrong(with(&["1", "2\u{0}"])), [("/policy/terms/1".to_owned(), Rule::ControlCharacter)]);
        assert_eq!(wrong(with(&["1", "2", " 1"])), [("/policy/terms/2".to_owned(), Rule::Duplicate)]);
        assert_eq!(wrong(with(&["1"; 101])), [("/policy/terms".to_owned(), Rule::TooMany)]);
        let events = Environment::Absent.decide(create(with(&[" 2026-01 "])).command, Timestamp::UNIX_EPOCH);
        let EnvironmentEvent::Created(created) = events.expect("an environment").remove(0);
        assert_eq!(created.policy.terms, ["2026-01"]);
    }

    #[test]
    fn a1_a_second_creation_changes_nothing() {
        let mut environment = Environment::Absent;
        environment.apply(&created().event, Timestamp::UNIX_EPOCH);
        let before = environment.clone();
        let EnvironmentEvent::Created(mut again) = created().event;
        again.policy.reason_required = true;
        environment.apply(&EnvironmentEvent::Created(again), Timestamp::UNIX_EPOCH);
        assert_eq!(environment, before);
    }
}
