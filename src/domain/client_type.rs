//! The client type: fixes which scopes its clients can hold (behaviour O2).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Rule, Violation,
    aggregate::cqrs_aggregate,
    event::events,
    ids::catalog_name,
    oauth::{MOST_SCOPES, ScopeSet},
    scope::LONGEST_DESCRIPTION,
    violation::{Violations, plain_text},
};

/// A client type's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientType {
    /// No event yet.
    #[default]
    Absent,
    /// In the catalog.
    Listed(TypeRules),
}

/// What a type demands of its clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeRules {
    /// The scopes its clients can hold.
    pub scopes: ScopeSet,
    /// Whether an environment can have only one client of it.
    pub singleton: bool,
    /// Whether it takes no new clients; those there are live on.
    pub deprecated: bool,
}

events! {
    /// The events of a `client_type-<name>` stream.
    ClientTypeEvent {
        /// It is in the catalog.
        Created(ClientTypeCreated) = "client_type.created", 1;
        /// It takes no new clients.
        Deprecated(ClientTypeDeprecated) = "client_type.deprecated", 1;
    }
}

/// What a type begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTypeCreated {
    /// Its name.
    pub name: String,
    /// What it is for, in plain words.
    pub description: String,
    /// The scopes its clients can hold.
    pub scopes: ScopeSet,
    /// Whether an environment can have only one client of it.
    pub singleton: bool,
}

/// No new clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTypeDeprecated {}

/// A request to change one client type.
#[derive(Clone, Debug)]
pub enum ClientTypeCommand {
    /// Put it into the catalog.
    CreateClientType(ClientTypeCreated),
    /// Take no new clients.
    DeprecateClientType,
}

/// Why a command on a client type was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientTypeError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The stream has events already.
    #[error("the client type exists already")]
    AlreadyExists,
    /// The stream has no events.
    #[error("no such client type")]
    NotFound,
}

cqrs_aggregate!(ClientType, "client_type", ClientTypeCommand, ClientTypeEvent, ClientTypeError);

impl ClientType {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "client_type";

    /// Its rules, unless there is no such type.
    pub fn rules(&self) -> Option<&TypeRules> {
        match self {
            Self::Absent => None,
            Self::Listed(rules) => Some(rules),
        }
    }

    /// What `command` does.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(
        &self,
        command: ClientTypeCommand,
        _now: Timestamp,
    ) -> Result<Vec<ClientTypeEvent>, ClientTypeError> {
        match (self, command) {
            (Self::Listed(_), ClientTypeCommand::CreateClientType(_)) => Err(ClientTypeError::AlreadyExists),
            (Self::Absent, ClientTypeCommand::DeprecateClientType) => Err(ClientTypeError::NotFound),
            (Self::Absent, ClientTypeCommand::CreateClientType(created)) => created
                .checked()
                .map(|created| vec![ClientTypeEvent::Created(created)])
                .map_err(ClientTypeError::Invalid),
            (Self::Listed(rules), ClientTypeCommand::DeprecateClientType) if rules.deprecated => {
                Ok(Vec::new())
            }
            (Self::Listed(_), ClientTypeCommand::DeprecateClientType) => {
                Ok(vec![ClientTypeEvent::Deprecated(ClientTypeDeprecated {})])
            }
        }
    }

    /// The state after an event.
    pub fn apply(&mut self, event: &ClientTypeEvent, _at: Timestamp) {
        match (event, self) {
            (ClientTypeEvent::Created(created), state @ Self::Absent) => {
                *state = Self::Listed(TypeRules {
                    scopes: created.scopes.clone(),
                    singleton: created.singleton,
                    deprecated: false,
                });
            }
            (ClientTypeEvent::Deprecated(_), Self::Listed(rules)) => rules.deprecated = true,
            (ClientTypeEvent::Created(_), Self::Listed(_))
            | (ClientTypeEvent::Deprecated(_), Self::Absent) => {}
        }
    }
}

impl ClientTypeCreated {
    fn checked(self) -> Result<Self, Vec<Violation>> {
        let mut wrong = Violations::default();
        wrong.keep("/name", type_name(&self.name));
        let description = wrong.keep("/description", plain_text(&self.description, LONGEST_DESCRIPTION));
        if self.scopes.is_empty() {
            wrong.add(
                "/scopes",
                Rule::Required,
                "name at least one scope, or no client of the type can be made",
            );
        }
        if self.scopes.0.len() > MOST_SCOPES {
            wrong.add("/scopes", Rule::TooMany, format!("at most {MOST_SCOPES}"));
        }
        match description {
            Some(description) if wrong.0.is_empty() => Ok(Self { description, ..self }),
            _ => Err(wrong.0),
        }
    }
}

/// A type's name: what may also stand in a stream's name.
fn type_name(text: &str) -> Result<String, (Rule, String)> {
    catalog_name(text, 64, "-_")
}

/// Whether `text` can be the name of a type at all; asked before a stream is read by it.
pub fn is_type_name(text: &str) -> bool {
    type_name(text).is_ok()
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::{At, Stamped};

    fn at(command: ClientTypeCommand) -> At<ClientTypeCommand> {
        At { now: Timestamp::UNIX_EPOCH, command }
    }

    fn stamped(event: ClientTypeEvent) -> Stamped<ClientTypeEvent> {
        Stamped { at: Timestamp::UNIX_EPOCH, event }
    }

    fn standard() -> ClientTypeCreated {
        let scopes = ["matters:read"].into_iter().collect();
        ClientTypeCreated {
            name: "standard".into(),
            description: "Anything".into(),
            scopes,
            singleton: false,
        }
    }

    #[test]
    fn o2_a_type_is_created_once_and_can_be_deprecated() {
        let created = stamped(ClientTypeEvent::Created(standard()));
        TestFramework::<ClientType>::with(())
            .given_no_previous_events()
            .when(at(ClientTypeCommand::CreateClientType(standard())))
            .then_expect_events(vec![created.clone()]);
        TestFramework::<ClientType>::with(())
            .given(vec![created.clone()])
            .when(at(ClientTypeCommand::CreateClientType(standard())))
            .then_expect_error(ClientTypeError::AlreadyExists);
        let deprecated = stamped(ClientTypeEvent::Deprecated(ClientTypeDeprecated {}));
        TestFramework::<ClientType>::with(())
            .given(vec![created.clone()])
            .when(at(ClientTypeCommand::DeprecateClientType))
            .then_expect_events(vec![deprecated.clone()]);
        TestFramework::<ClientType>::with(())
            .given(vec![created, deprecated])
            .when(at(ClientTypeCommand::DeprecateClientType))
            .then_expect_events(vec![]);
    }

    fn wrong(created: ClientTypeCreated) -> Vec<(String, Rule)> {
        let command = ClientTypeCommand::CreateClientType(created);
        match ClientType::Absent.decide(command, Timestamp::UNIX_EPOCH) {
            Err(ClientTypeError::Invalid(wrong)) => {
                wrong.into_iter().map(|one| (one.pointer, one.rule)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn o2_a_type_that_is_not_there_cannot_be_deprecated() {
        TestFramework::<ClientType>::with(())
            .given_no_previous_events()
            .when(at(ClientTypeCommand::DeprecateClientType))
            .then_expect_error(ClientTypeError::NotFound);
    }

    #[test]
    fn o2_a_type_has_a_name_a_description_and_scopes() {
        for name in ["Record Search", "", "1st", &"x".repeat(65)] {
            assert_eq!(
                wrong(ClientTypeCreated { name: name.into(), ..standard() }),
                [("/name".into(), Rule::Malformed)]
            );
            assert!(!is_type_name(name));
        }
        let undescribed = ClientTypeCreated { description: " ".into(), ..standard() };
        assert_eq!(wrong(undescribed), [("/description".into(), Rule::Required)]);
        let unscoped = ClientTypeCreated { scopes: ScopeSet::default(), ..standard() };
        assert_eq!(wrong(unscoped), [("/scopes".into(), Rule::Required)]);
        let names: Vec<_> = (0..101).map(|n| format!("s{n}")).collect();
        let many = ClientTypeCreated { scopes: names.iter().map(String::as_str).collect(), ..standard() };
        assert_eq!(wrong(many), [("/scopes".into(), Rule::TooMany)]);
        assert!(is_type_name("record-search_2"));
    }

    #[test]
    fn a1_an_event_that_cannot_follow_changes_nothing() {
        let mut absent = ClientType::Absent;
        absent.apply(&ClientTypeEvent::Deprecated(ClientTypeDeprecated {}), Timestamp::UNIX_EPOCH);
        assert_eq!(absent.rules(), None);
        let mut listed = ClientType::Absent;
        listed.apply(&ClientTypeEvent::Created(standard()), Timestamp::UNIX_EPOCH);
        listed.apply(&ClientTypeEvent::Deprecated(ClientTypeDeprecated {}), Timestamp::UNIX_EPOCH);
        listed.apply(&ClientTypeEvent::Created(standard()), Timestamp::UNIX_EPOCH);
        assert!(listed.rules().is_some_and(|rules| rules.deprecated));
    }
}
