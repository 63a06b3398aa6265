//! The scope: what a client can be allowed to do, with the plain words a person consents to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Change, Rule, Violation,
    aggregate::cqrs_aggregate,
    event::events,
    ids::stream_id,
    oauth::{ScopeSet, ScopeToken},
    violation::{Violations, plain_text},
};

pub(crate) const LONGEST_DESCRIPTION: usize = 200;

/// A scope's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeDefinition {
    /// No event yet.
    #[default]
    Absent,
    /// In the catalog.
    Listed(ListedScope),
}

/// What the catalog says of a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedScope {
    /// What it allows, in plain words.
    pub description: String,
    /// Whether it is given to no more clients; those that hold it keep it.
    pub deprecated: bool,
    /// When it was put there.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
}

/// What the catalog has of the scopes that a command names: each is a stream of its own, so the command carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownScopes {
    /// Those that are there.
    pub listed: ScopeSet,
    /// Those of them that are deprecated.
    pub deprecated: ScopeSet,
}

events! {
    /// The events of a `scope-<name>` stream.
    ScopeEvent {
        /// It is in the catalog.
        Created(ScopeCreated) = "scope.created", 1;
        /// It is described in other words.
        DescriptionChanged(ScopeDescriptionChanged) = "scope.description_changed", 1;
        /// It is given to no more clients.
        Deprecated(ScopeDeprecated) = "scope.deprecated", 1;
        /// It can be given to clients again.
        Restored(ScopeRestored) = "scope.restored", 1;
    }
}

/// What a scope begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeCreated {
    /// The scope-token.
    pub name: ScopeToken,
    /// What it allows, in plain words.
    pub description: String,
}

/// Old and new words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeDescriptionChanged {
    /// What it allows, in plain words.
    pub description: Change<String>,
}

/// To no more clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeDeprecated {}

/// To clients again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeRestored {}

/// A request to change one scope.
#[derive(Clone, Debug)]
pub enum ScopeCommand {
    /// Put it into the catalog.
    CreateScope {
        /// The scope-token, as it came in.
        name: String,
        /// What it allows, in plain words.
        description: String,
    },
    /// Describe it in other words.
    ChangeScope {
        /// The new words; `None` leaves the old ones.
        description: Option<String>,
    },
    /// Give it to no more clients.
    DeprecateScope,
    /// Let it be given to clients again.
    RestoreScope,
}

/// Why a command on a scope was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The stream has events already.
    #[error("the scope exists already")]
    AlreadyExists,
    /// The stream has no events.
    #[error("no such scope")]
    NotFound,
}

cqrs_aggregate!(ScopeDefinition, "scope", ScopeCommand, ScopeEvent, ScopeError);

impl ScopeDefinition {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "scope";

    /// What the catalog says of it, unless it is not there.
    pub fn listed(&self) -> Option<&ListedScope> {
        match self {
            Self::Absent => None,
            Self::Listed(scope) => Some(scope),
        }
    }

    /// What `command` does.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(&self, command: ScopeCommand, _now: Timestamp) -> Result<Vec<ScopeEvent>, ScopeError> {
        match (self, command) {
            (Self::Absent, ScopeCommand::CreateScope { name, description }) => create(&name, &description),
            (Self::Listed(_), ScopeCommand::CreateScope { .. }) => Err(ScopeError::AlreadyExists),
            (Self::Listed(scope), ScopeCommand::ChangeScope { description }) => scope.change(description),
            (Self::Listed(scope), ScopeCommand::DeprecateScope) => {
                let event = ScopeEvent::Deprecated(ScopeDeprecated {});
                Ok(if scope.deprecated { Vec::new() } else { vec![event] })
            }
            (Self::Listed(scope), ScopeCommand::RestoreScope) => {
                let event = ScopeEvent::Restored(ScopeRestored {});
                Ok(if scope.deprecated { vec![event] } else { Vec::new() })
            }
            (
                Self::Absent,
                ScopeCommand::ChangeScope { .. } | ScopeCommand::DeprecateScope | ScopeCommand::RestoreScope,
            ) => Err(ScopeError::NotFound),
        }
    }

    /// The state after an event.
    pub fn apply(&mut self, event: &ScopeEvent, at: Timestamp) {
        match (event, self) {
            (ScopeEvent::Created(created), state @ Self::Absent) => {
                *state = Self::Listed(ListedScope {
                    description: created.description.clone(),
                    deprecated: false,
                    created_at: at,
                });
            }
            (ScopeEvent::DescriptionChanged(changed), Self::Listed(scope)) => {
                scope.description.clone_from(&changed.description.new);
            }
            (ScopeEvent::Deprecated(_), Self::Listed(scope)) => scope.deprecated = true,
            (ScopeEvent::Restored(_), Self::Listed(scope)) => scope.deprecated = false,
            (ScopeEvent::Created(_), Self::Listed(_))
            | (
                ScopeEvent::DescriptionChanged(_) | ScopeEvent::Deprecated(_) | ScopeEvent::Restored(_),
                Self::Absent,
            ) => {}
        }
    }
}

fn create(name: &str, description: &str) -> Result<Vec<ScopeEvent>, ScopeError> {
    let mut wrong = Violations::default();
    let name = wrong.keep("/name", scope_name(name));
    let description = wrong.keep("/description", plain_text(description, LONGEST_DESCRIPTION));
    match (name, description) {
        (Some(name), Some(description)) => Ok(vec![ScopeEvent::Created(ScopeCreated { name, description })]),
        _ => Err(ScopeError::Invalid(wrong.0)),
    }
}

impl ListedScope {
    fn change(&self, description: Option<String>) -> Result<Vec<ScopeEvent>, ScopeError> {
        let Some(text) = description else { return Ok(Vec::new()) };
        let new = plain_text(&text, LONGEST_DESCRIPTION).map_err(|(rule, detail)| {
            ScopeError::Invalid(vec![Violation::new("/description", rule, detail)])
        })?;
        if new == self.description {
            return Ok(Vec::new());
        }
        let description = Change::new(self.description.clone(), new);
        Ok(vec![ScopeEvent::DescriptionChanged(ScopeDescriptionChanged { description })])
    }
}

/// A scope's name: a scope-token that may also stand in a stream's name and in a path.
fn scope_name(text: &str) -> Result<ScopeToken, (Rule, String)> {
    let token = ScopeToken::parse(text)?;
    stream_id(text).map(|()| token)
}

/// Whether `text` can be the name of a scope of the catalog at all; asked before a stream is read by it.
pub fn is_scope_name(text: &str) -> bool {
    scope_name(text).is_ok()
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::{At, Stamped};

    fn at(command: ScopeCommand) -> At<ScopeCommand> {
        At { now: Timestamp::UNIX_EPOCH, command }
    }

    fn stamped(event: ScopeEvent) -> Stamped<ScopeEvent> {
        Stamped { at: Timestamp::UNIX_EPOCH, event }
    }

    fn create(name: &str, description: &str) -> ScopeCommand {
        ScopeCommand::CreateScope { name: name.into(), description: description.into() }
    }

    fn created() -> Stamped<ScopeEvent> {
        let name = ScopeToken::parse("matters:read").expect("token");
        stamped(ScopeEvent::Created(ScopeCreated { name, description: "Read matters".into() }))
    }

    #[test]
    fn o2_a_scope_is_created_once() {
        TestFramework::<ScopeDefinition>::with(())
            .given_no_previous_events()
            .when(at(create("matters:read", " Read matters ")))
            .then_expect_events(vec![created()]);
        TestFramework::<ScopeDefinition>::with(())
            .given(vec![created()])
            .when(at(create("matters:read", "Read matters")))
            .then_expect_error(ScopeError::AlreadyExists);
    }

    #[test]
    fn o2_a_scope_can_be_described_anew_deprecated_and_restored() {
        let change = |text: &str| at(ScopeCommand::ChangeScope { description: Some(text.to_owned()) });
        let described = stamped(ScopeEvent::DescriptionChanged(ScopeDescriptionChanged {
            description: Change::new("Read matters".into(), "See your matters".into()),
        }));
        let deprecated = stamped(ScopeEvent::Deprecated(ScopeDeprecated {}));
        let restored = stamped(ScopeEvent::Restored(ScopeRestored {}));
        let given = || TestFramework::<ScopeDefinition>::with(()).given(vec![created()]);
        given().when(change(" See your matters ")).then_expect_events(vec![described]);
        given().when(change("Read matters")).then_expect_events(vec![]);
        given().when(at(ScopeCommand::ChangeScope { description: None })).then_expect_events(vec![]);
        given().when(at(ScopeCommand::DeprecateScope)).then_expect_events(vec![deprecated.clone()]);
        given().when(at(ScopeCommand::RestoreScope)).then_expect_events(vec![]);
        let given = || TestFramework::<ScopeDefinition>::with(()).given(vec![created(), deprecated.clone()]);
        given().when(at(ScopeCommand::DeprecateScope)).then_expect_events(vec![]);
        given().when(at(ScopeCommand::RestoreScope)).then_expect_events(vec![restored]);
    }

    #[test]
    fn o2_a_scope_that_is_not_there_cannot_be_changed() {
        let commands = [
            ScopeCommand::ChangeScope { description: None },
            ScopeCommand::DeprecateScope,
            ScopeCommand::RestoreScope,
        ];
        for command in commands {
            TestFramework::<ScopeDefinition>::with(())
                .given_no_previous_events()
                .when(at(command))
                .then_expect_error(ScopeError::NotFound);
        }
    }

    #[test]
    fn o2_a_scope_has_a_name_and_says_what_it_allows() {
        let wrong =
            |command: ScopeCommand| match ScopeDefinition::Absent.decide(command, Timestamp::UNIX_EPOCH) {
                Err(ScopeError::Invalid(wrong)) => {
                    wrong.into_iter().map(|one| (one.pointer, one.rule)).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            };
        let description = || "/description".to_owned();
        assert_eq!(wrong(create("a", "")), [(description(), Rule::Required)]);
        assert_eq!(wrong(create("a", "See\nall")), [(description(), Rule::ControlCharacter)]);
        assert_eq!(wrong(create("a", &"x".repeat(201))), [(description(), Rule::TooLong)]);
        for name in ["a b", "a\\", "https://a.example/read", "a*", "é"] {
            assert_eq!(wrong(create(name, "All")), [("/name".to_owned(), Rule::Malformed)], "{name}");
            assert!(!is_scope_name(name));
        }
        assert_eq!(
            wrong(create("", " ")),
            [("/name".to_owned(), Rule::Required), (description(), Rule::Required)]
        );
        assert!(is_scope_name("matters:read_all.v2"));
    }

    #[test]
    fn a1_an_event_that_cannot_follow_changes_nothing() {
        let mut scope = ScopeDefinition::Absent;
        scope.apply(&ScopeEvent::Deprecated(ScopeDeprecated {}), Timestamp::UNIX_EPOCH);
        assert_eq!(scope.listed(), None);
        scope.apply(&created().event, Timestamp::UNIX_EPOCH);
        scope.apply(&ScopeEvent::Deprecated(ScopeDeprecated {}), Timestamp::UNIX_EPOCH);
        scope.apply(&created().event, Timestamp::UNIX_EPOCH);
        assert!(scope.listed().is_some_and(|scope| scope.deprecated));
    }
}
