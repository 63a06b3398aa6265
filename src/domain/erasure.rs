//! Erasures: persons and reasons that nobody can read any more (behaviours A3 and A11).
//!
//! All of them stand in one stream: it is the list that is applied again to keys that came back with a back-up.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{LegalHoldId, PersonId, aggregate::cqrs_aggregate, event::events};

/// Everything that was ever erased, folded from the one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasures {
    /// Persons, and when they were erased.
    pub persons: BTreeMap<PersonId, Timestamp>,
    /// Reasons by the digest that their events have of them, each with the position of one of those.
    pub reasons: BTreeMap<String, u64>,
}

events! {
    /// The events of the one stream of erasures.
    ErasureEvent {
        /// The key of a person is deleted from here on; what it sealed can never be read again.
        PersonErased(PersonErased) = "person.erased", 1;
        /// The key of one reason is deleted from here on.
        ReasonRedacted(ReasonRedacted) = "audit.reason_redacted", 1;
    }
}

/// Who was erased, by pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonErased {
    /// The pseudonym.
    pub person_id: PersonId,
    /// What the person was to the registry.
    pub kind: PersonKind,
}

/// What a person is to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonKind {
    /// Somebody whom clients name.
    Contact,
    /// Somebody who signs in.
    Member,
}

/// Which reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonRedacted {
    /// The event that it was asked for at; the reason was given for every event of the same command.
    pub position: u64,
    /// What the event has of it.
    pub digest: String,
}

/// A request to erase something.
#[derive(Clone, Debug)]
pub enum ErasureCommand {
    /// Erase a person.
    ErasePerson {
        /// Who, by pseudonym.
        person_id: PersonId,
        /// What the person is to the registry.
        kind: PersonKind,
        /// Whether it is a member who was not deactivated.
        active: bool,
        /// The legal hold that covers the person, if one does.
        held_by: Option<HeldBy>,
    },
    /// Redact one reason.
    RedactReason {
        /// The event that it stands in.
        position: u64,
        /// What the event has of it.
        digest: String,
        /// The legal hold that covers the event, if one does.
        held_by: Option<HeldBy>,
    },
}

/// The legal hold that keeps something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBy {
    /// Which one.
    pub id: LegalHoldId,
    /// The case that it is for.
    pub ticket: String,
}

/// Why an erasure was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErasureError {
    /// A legal hold wins over an erasure.
    #[error("legal hold {} keeps it", .0.id)]
    Held(HeldBy),
    /// A member who can act would be recorded again with the next request. One without a token that works could be given
    /// one by whoever knows nothing of the erasure: only a member who was deactivated stays as it is.
    #[error("the member is active")]
    MemberActive,
}

cqrs_aggregate!(Erasures, "erasure", ErasureCommand, ErasureEvent, ErasureError);

impl Erasures {
    /// The id in the name of their one stream.
    pub const REGISTER: &'static str = "register";

    /// When the person was erased.
    pub fn erased_at(&self, person: PersonId) -> Option<Timestamp> {
        self.persons.get(&person).copied()
    }

    /// What `command` does. No events is an answer too: it was erased before.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(
        &self,
        command: ErasureCommand,
        _now: Timestamp,
    ) -> Result<Vec<ErasureEvent>, ErasureError> {
        match command {
            ErasureCommand::ErasePerson { person_id, .. } if self.persons.contains_key(&person_id) => {
                Ok(Vec::new())
            }
            ErasureCommand::RedactReason { digest, .. } if self.reasons.contains_key(&digest) => {
                Ok(Vec::new())
            }
            ErasureCommand::ErasePerson { held_by: Some(hold), .. }
            | ErasureCommand::RedactReason { held_by: Some(hold), .. } => Err(ErasureError::Held(hold)),
            ErasureCommand::ErasePerson { active: true, .. } => Err(ErasureError::MemberActive),
            ErasureCommand::ErasePerson { person_id, kind, active: false, held_by: None } => {
                Ok(vec![ErasureEvent::PersonErased(PersonErased { person_id, kind })])
            }
            ErasureCommand::RedactReason { position, digest, held_by: None } => {
                Ok(vec![ErasureEvent::ReasonRedacted(ReasonRedacted { position, digest })])
            }
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &ErasureEvent, at: Timestamp) {
        match event {
            ErasureEvent::PersonErased(erased) => {
                self.persons.entry(erased.person_id).or_insert(at);
            }
            ErasureEvent::ReasonRedacted(redacted) => {
                self.reasons.insert(redacted.digest.clone(), redacted.position);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;
    use uuid::Uuid;

    use super::*;
    use crate::{At, Stamped};

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn person() -> PersonId {
        PersonId(Uuid::from_u128(7))
    }

    fn erase(active: bool, held_by: Option<HeldBy>) -> At<ErasureCommand> {
        let command =
            ErasureCommand::ErasePerson { person_id: person(), kind: PersonKind::Member, active, held_by };
        At { now: NOW, command }
    }

    fn erased() -> Stamped<ErasureEvent> {
        let erased = PersonErased { person_id: person(), kind: PersonKind::Member };
        Stamped { at: NOW, event: ErasureEvent::PersonErased(erased) }
    }

    fn hold() -> HeldBy {
        HeldBy { id: LegalHoldId(Uuid::from_u128(1)), ticket: "CASE-1".into() }
    }

    #[test]
    fn a3_a_person_is_erased_once() {
        let framework = || TestFramework::<Erasures>::with(());
        framework().given_no_previous_events().when(erase(false, None)).then_expect_events(vec![erased()]);
        framework().given(vec![erased()]).when(erase(false, None)).then_expect_events(vec![]);
        // What is gone is gone: a hold that came later has nothing to say of it.
        framework().given(vec![erased()]).when(erase(false, Some(hold()))).then_expect_events(vec![]);
    }

    #[test]
    fn a11_a_hold_wins_over_erasure_and_redaction() {
        let framework = || TestFramework::<Erasures>::with(()).given_no_previous_events();
        framework().when(erase(true, Some(hold()))).then_expect_error(ErasureError::Held(hold()));
        let redact = |held_by| At {
            now: NOW,
            command: ErasureCommand::RedactReason { position: 4, digest: "d".into(), held_by },
        };
        framework().when(redact(Some(hold()))).then_expect_error(ErasureError::Held(hold()));
        let redacted = ReasonRedacted { position: 4, digest: "d".into() };
        framework()
            .when(redact(None))
            .then_expect_events(vec![Stamped { at: NOW, event: ErasureEvent::ReasonRedacted(redacted) }]);
    }

    #[test]
    fn a3_a_member_who_is_active_is_not_erased() {
        TestFramework::<Erasures>::with(())
            .given_no_previous_events()
            .when(erase(true, None))
            .then_expect_error(ErasureError::MemberActive);
    }
}
