//! The scope: what a client can be allowed to do, with the plain words a person consents to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Violation, aggregate::cqrs_aggregate, event::events, oauth::ScopeToken, violation::plain_text};

pub(crate) const LONGEST_DESCRIPTION: usize = 200;

/// A scope's state, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeDefinition {
    /// No event yet.
    #[default]
    Absent,
    /// In the catalog.
    Listed {
        /// What it allows, in plain words.
        description: String,
    },
}

events! {
    /// The events of a `scope-<name>` stream.
    ScopeEvent {
        /// It is in the catalog.
        Created(ScopeCreated) = "scope.created", 1;
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

/// A request to change one scope.
#[derive(Clone, Debug)]
pub enum ScopeCommand {
    /// Put it into the catalog.
    CreateScope(ScopeCreated),
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
}

cqrs_aggregate!(ScopeDefinition, "scope", ScopeCommand, ScopeEvent, ScopeError);

impl ScopeDefinition {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "scope";

    /// What `command` does.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(&self, command: ScopeCommand, _now: Timestamp) -> Result<Vec<ScopeEvent>, ScopeError> {
        let ScopeCommand::CreateScope(created) = command;
        if *self != Self::Absent {
            return Err(ScopeError::AlreadyExists);
        }
        let description =
            plain_text(&created.description, LONGEST_DESCRIPTION).map_err(|(rule, detail)| {
                ScopeError::Invalid(vec![Violation::new("/description", rule, detail)])
            })?;
        Ok(vec![ScopeEvent::Created(ScopeCreated { description, ..created })])
    }

    /// The state after an event.
    pub fn apply(&mut self, event: &ScopeEvent, _at: Timestamp) {
        let (Self::Absent, ScopeEvent::Created(created)) = (&*self, event) else { return };
        *self = Self::Listed { description: created.description.clone() };
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;
    use crate::{At, Rule, Stamped};

    #[test]
    fn o2_a_scope_is_created_once() {
        let created = ScopeCreated {
            name: ScopeToken::parse("matters:read").expect("token"),
            description: "Read matters".into(),
        };
        let at = |command| At { now: Timestamp::UNIX_EPOCH, command };
        let event = Stamped { at: Timestamp::UNIX_EPOCH, event: ScopeEvent::Created(created.clone()) };
        TestFramework::<ScopeDefinition>::with(())
            .given_no_previous_events()
            .when(at(ScopeCommand::CreateScope(created.clone())))
            .then_expect_events(vec![event.clone()]);
        TestFramework::<ScopeDefinition>::with(())
            .given(vec![event])
            .when(at(ScopeCommand::CreateScope(created)))
            .then_expect_error(ScopeError::AlreadyExists);
    }

    #[test]
    fn o2_a_scope_says_what_it_allows() {
        let create = |description: &str| {
            let name = ScopeToken::parse("matters:read").expect("token");
            let created = ScopeCreated { name, description: description.into() };
            ScopeDefinition::Absent.decide(ScopeCommand::CreateScope(created), Timestamp::UNIX_EPOCH)
        };
        let rule = |description: &str| match create(description) {
            Err(ScopeError::Invalid(wrong)) => (wrong[0].pointer.clone(), wrong[0].rule),
            other => panic!("{other:?}"),
        };
        assert_eq!(rule(""), ("/description".into(), Rule::Required));
        assert_eq!(rule("See\nall"), ("/description".into(), Rule::ControlCharacter));
        assert_eq!(rule(&"x".repeat(201)), ("/description".into(), Rule::TooLong));
        let ScopeEvent::Created(created) = create(" See your matters ").expect("a scope").remove(0);
        assert_eq!(created.description, "See your matters");
    }
}
