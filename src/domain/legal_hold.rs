//! Legal holds: what must stay readable, whoever asks for its erasure, until the hold is released (behaviour A11).
//!
//! All of them stand in one stream, so that an erasure is judged by every hold there is, and a hold that is placed at
//! the same moment moves the stream that the erasure was judged by.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Change, ClientId, LegalHoldId, PersonId, aggregate::cqrs_aggregate, event::events};

/// Every legal hold there ever was, folded from the one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHolds {
    /// In the order of their placing.
    pub holds: Vec<LegalHold>,
}

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegalHold {
    /// Which one.
    pub id: LegalHoldId,
    /// What it keeps.
    pub subject: HoldSubject,
    /// The public reference to the case that it is for.
    pub ticket: String,
    /// When it was placed.
    #[serde(with = "crate::time::micros")]
    pub placed_at: Timestamp,
    /// When it was released.
    #[serde(with = "crate::time::micros::option")]
    pub released_at: Option<Timestamp>,
}

/// What a hold keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "SubjectFields", into = "SubjectFields")]
pub enum HoldSubject {
    /// Everybody whom a client ever named, every member who ever acted on it, and every reason given for it.
    Client(ClientId),
    /// One person, and every reason that the person gave.
    Person(PersonId),
    /// Everybody and every reason.
    Everything,
}

/// A subject as it is written: exactly one of the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectFields {
    /// A client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// A person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_id: Option<PersonId>,
    /// `true` for everything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
}

/// None of the fields of a subject is given, or more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a legal hold has one subject: client_id, person_id, or everything")]
pub struct NotOneSubject;

events! {
    /// The events of the one stream of legal holds.
    LegalHoldEvent {
        /// Something must be kept from here on.
        Placed(LegalHoldPlaced) = "legal_hold.placed", 1;
        /// It need not be kept for this hold any more.
        Released(LegalHoldReleased) = "legal_hold.released", 1;
    }
}

/// A new hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalHoldPlaced {
    /// Which one.
    pub legal_hold_id: LegalHoldId,
    /// What it keeps.
    pub subject: HoldSubject,
    /// The public reference to the case that it is for.
    pub ticket: String,
}

/// The end of a hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalHoldReleased {
    /// Which one.
    pub legal_hold_id: LegalHoldId,
    /// Whether it holds.
    pub active: Change<bool>,
}

impl LegalHoldEvent {
    /// Which hold it is about.
    pub fn id(&self) -> LegalHoldId {
        match self {
            Self::Placed(placed) => placed.legal_hold_id,
            Self::Released(released) => released.legal_hold_id,
        }
    }
}

/// A request to place or release a hold.
#[derive(Clone, Debug)]
pub enum LegalHoldCommand {
    /// Keep something.
    PlaceLegalHold {
        /// The id of the new hold.
        id: LegalHoldId,
        /// What it keeps.
        subject: HoldSubject,
        /// The public reference to the case that it is for.
        ticket: String,
        /// Whether the person that it is to keep was erased before.
        erased: bool,
    },
    /// Keep it no longer for this hold.
    ReleaseLegalHold {
        /// Which one.
        id: LegalHoldId,
    },
}

/// Why a command on a hold was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LegalHoldError {
    /// There is no hold with this id.
    #[error("there is no such legal hold")]
    NotFound,
    /// It was released before.
    #[error("the legal hold was released before")]
    Released,
    /// There is nothing left to keep: a hold that keeps nothing would deceive whoever relies on it.
    #[error("the person was erased before")]
    PersonErased,
}

/// What an erasure or a redaction is about, as far as holds care.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Persons whose private parts would be gone.
    pub persons: BTreeSet<PersonId>,
    /// Clients whose history would lose a private part.
    pub clients: BTreeSet<ClientId>,
}

cqrs_aggregate!(LegalHolds, "legal_hold", LegalHoldCommand, LegalHoldEvent, LegalHoldError);

impl LegalHolds {
    /// The id in the name of their one stream.
    pub const REGISTER: &'static str = "register";

    /// The holds that hold.
    pub fn active(&self) -> impl Iterator<Item = &LegalHold> {
        self.holds.iter().filter(|hold| hold.released_at.is_none())
    }

    /// The hold with this id.
    pub fn get(&self, id: LegalHoldId) -> Option<&LegalHold> {
        self.holds.iter().find(|hold| hold.id == id)
    }

    /// The oldest active hold that keeps any of what would be touched.
    pub fn covering(&self, touched: &Touched) -> Option<&LegalHold> {
        self.active().find(|hold| match hold.subject {
            HoldSubject::Client(client) => touched.clients.contains(&client),
            HoldSubject::Person(person) => touched.persons.contains(&person),
            HoldSubject::Everything => true,
        })
    }

    /// What `command` does.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(
        &self,
        command: LegalHoldCommand,
        _now: Timestamp,
    ) -> Result<Vec<LegalHoldEvent>, LegalHoldError> {
        match command {
            LegalHoldCommand::PlaceLegalHold { erased: true, .. } => Err(LegalHoldError::PersonErased),
            LegalHoldCommand::PlaceLegalHold { id, subject, ticket, erased: false } => {
                Ok(vec![LegalHoldEvent::Placed(LegalHoldPlaced { legal_hold_id: id, subject, ticket })])
            }
            LegalHoldCommand::ReleaseLegalHold { id } => match self.get(id) {
                None => Err(LegalHoldError::NotFound),
                Some(LegalHold { released_at: Some(_), .. }) => Err(LegalHoldError::Released),
                Some(_) => Ok(vec![LegalHoldEvent::Released(LegalHoldReleased {
                    legal_hold_id: id,
                    active: Change::new(true, false),
                })]),
            },
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &LegalHoldEvent, at: Timestamp) {
        match event {
            LegalHoldEvent::Placed(placed) => self.holds.push(LegalHold {
                id: placed.legal_hold_id,
                subject: placed.subject,
                ticket: placed.ticket.clone(),
                placed_at: at,
                released_at: None,
            }),
            LegalHoldEvent::Released(released) => {
                for hold in self.holds.iter_mut().filter(|hold| hold.id == released.legal_hold_id) {
                    hold.released_at.get_or_insert(at);
                }
            }
        }
    }
}

impl TryFrom<SubjectFields> for HoldSubject {
    type Error = NotOneSubject;

    fn try_from(fields: SubjectFields) -> Result<Self, NotOneSubject> {
        match fields {
            SubjectFields { client_id: Some(client), person_id: None, everything: false } => {
                Ok(Self::Client(client))
            }
            SubjectFields { client_id: None, person_id: Some(person), everything: false } => {
                Ok(Self::Person(person))
            }
            SubjectFields { client_id: None, person_id: None, everything: true } => Ok(Self::Everything),
            SubjectFields { .. } => Err(NotOneSubject),
        }
    }
}

impl From<HoldSubject> for SubjectFields {
    fn from(subject: HoldSubject) -> Self {
        match subject {
            HoldSubject::Client(client) => Self { client_id: Some(client), ..Self::default() },
            HoldSubject::Person(person) => Self { person_id: Some(person), ..Self::default() },
            HoldSubject::Everything => Self { everything: true, ..Self::default() },
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

    fn id(number: u128) -> LegalHoldId {
        LegalHoldId(Uuid::from_u128(number))
    }

    fn place(number: u128, subject: HoldSubject) -> LegalHoldCommand {
        LegalHoldCommand::PlaceLegalHold { id: id(number), subject, ticket: "CASE-1".into(), erased: false }
    }

    fn placed(number: u128, subject: HoldSubject) -> Stamped<LegalHoldEvent> {
        let placed = LegalHoldPlaced { legal_hold_id: id(number), subject, ticket: "CASE-1".into() };
        Stamped { at: NOW, event: LegalHoldEvent::Placed(placed) }
    }

    fn released(number: u128) -> Stamped<LegalHoldEvent> {
        let released = LegalHoldReleased { legal_hold_id: id(number), active: Change::new(true, false) };
        Stamped { at: NOW, event: LegalHoldEvent::Released(released) }
    }

    fn given(events: Vec<Stamped<LegalHoldEvent>>, command: LegalHoldCommand) -> TestResult {
        TestFramework::<LegalHolds>::with(()).given(events).when(At { now: NOW, command })
    }

    type TestResult = cqrs_es::test::AggregateResultValidator<LegalHolds>;

    #[test]
    fn a11_a_hold_is_placed_and_released_once() {
        let everything = HoldSubject::Everything;
        given(vec![], place(1, everything)).then_expect_events(vec![placed(1, everything)]);
        let release = |number| LegalHoldCommand::ReleaseLegalHold { id: id(number) };
        given(vec![placed(1, everything)], release(1)).then_expect_events(vec![released(1)]);
        given(vec![placed(1, everything), released(1)], release(1))
            .then_expect_error(LegalHoldError::Released);
        given(vec![placed(1, everything)], release(2)).then_expect_error(LegalHoldError::NotFound);
    }

    #[test]
    fn a11_nothing_is_held_that_is_erased() {
        let subject = HoldSubject::Person(PersonId(Uuid::from_u128(7)));
        let command =
            LegalHoldCommand::PlaceLegalHold { id: id(1), subject, ticket: "CASE-1".into(), erased: true };
        given(vec![], command).then_expect_error(LegalHoldError::PersonErased);
    }

    #[test]
    fn a11_the_oldest_active_hold_that_covers_something_is_named() {
        let (client, person) = (ClientId(Uuid::from_u128(5)), PersonId(Uuid::from_u128(6)));
        let mut holds = LegalHolds::default();
        for stamped in [
            placed(1, HoldSubject::Everything),
            placed(2, HoldSubject::Client(client)),
            placed(3, HoldSubject::Person(person)),
            released(1),
        ] {
            holds.apply(&stamped.event, stamped.at);
        }
        let covering = |touched: Touched| holds.covering(&touched).map(|hold| hold.id);
        assert_eq!(covering(Touched::default()), None);
        let both = Touched { persons: [person].into(), clients: [client].into() };
        assert_eq!(covering(both), Some(id(2)));
        assert_eq!(covering(Touched { persons: [person].into(), ..Touched::default() }), Some(id(3)));
        let other = PersonId(Uuid::from_u128(8));
        assert_eq!(covering(Touched { persons: [other].into(), ..Touched::default() }), None);
    }

    #[test]
    fn a11_a_subject_is_exactly_one_thing() {
        for json in [r"{}", r#"{"everything":false}"#] {
            assert!(serde_json::from_str::<HoldSubject>(json).is_err(), "{json}");
        }
        let id = Uuid::from_u128(5);
        let two = serde_json::json!({ "client_id": id, "person_id": id });
        assert!(serde_json::from_value::<HoldSubject>(two).is_err());
        for subject in
            [HoldSubject::Client(ClientId(id)), HoldSubject::Person(PersonId(id)), HoldSubject::Everything]
        {
            let written = serde_json::to_value(subject).expect("json");
            assert_eq!(serde_json::from_value::<HoldSubject>(written).expect("a subject"), subject);
        }
    }
}
