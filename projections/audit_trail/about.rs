//! Which stream an event is about.

use std::borrow::Cow;

use domain::legal_hold::{HoldSubject, LegalHoldEvent};
use domain::registry::RegistryEvent;
use domain::{AdmissionEvent, Client, ErasureEvent, Event, PersonId};

use crate::projection::{ApplyError, ViewedEvent};

/// The category of the stream that an erasure of a person is asked by.
const PERSON: &str = "person";

/// Types whose data names the stream that they are about; all others are about their own stream.
const ABOUT_ANOTHER: [&str; 18] = [
    "command.refused",
    "audit.private_parts_opened",
    "audit.read",
    "audit.exported",
    "audit.verification_started",
    "audit.verified",
    "signing_secret.used",
    "person.erased",
    "legal_hold.placed",
    "grant.given",
    "grant.denied",
    "grant.widened",
    "grant.withdrawn",
    "grant.revoked",
    "grant.code_reused",
    "grant.refresh_token_reused",
    "admission.client_admitted",
    "admission.client_left",
];

/// The name of the stream that an event is about; none for a note about nothing in particular.
pub(super) fn subject<'e>(event: &'e ViewedEvent<'_>) -> Result<Option<Cow<'e, str>>, ApplyError> {
    if !ABOUT_ANOTHER.contains(&&*event.envelope.event_type) {
        return Ok(Some(Cow::Borrowed(&*event.envelope.stream)));
    }
    let subject = match event.event()? {
        Event::Erasure(ErasureEvent::PersonErased(erased)) => {
            return Ok(Some(Cow::Owned(of_person(erased.person_id))));
        }
        Event::LegalHold(LegalHoldEvent::Placed(placed)) => match placed.subject {
            HoldSubject::Client(client_id) => {
                return Ok(Some(Cow::Owned(format!("{}-{client_id}", Client::CATEGORY))));
            }
            HoldSubject::Person(person_id) => return Ok(Some(Cow::Owned(of_person(person_id)))),
            HoldSubject::Everything => Some(&*event.envelope.stream),
        },
        // What happens to a grant is part of what became of its client.
        Event::Grant(grant) => {
            return Ok(Some(Cow::Owned(format!("{}-{}", Client::CATEGORY, grant.client_id()))));
        }
        Event::Admission(AdmissionEvent::ClientAdmitted(admitted)) => {
            return Ok(Some(Cow::Owned(format!("{}-{}", Client::CATEGORY, admitted.client_id))));
        }
        Event::Admission(AdmissionEvent::ClientLeft(left)) => {
            return Ok(Some(Cow::Owned(format!("{}-{}", Client::CATEGORY, left.client_id))));
        }
        Event::Registry(RegistryEvent::CommandRefused(refused)) => refused.subject.as_deref(),
        Event::Registry(RegistryEvent::PrivatePartsOpened(opened)) => opened.subject.as_deref(),
        Event::Registry(RegistryEvent::AuditRead(read)) => read.subject.as_deref(),
        Event::Registry(RegistryEvent::SigningSecretUsed(used)) => Some(used.subject.as_str()),
        Event::Registry(
            RegistryEvent::ClockStepped(_)
            | RegistryEvent::RefusalsCounted(_)
            | RegistryEvent::AuditExported(_)
            | RegistryEvent::AuditVerificationStarted(_)
            | RegistryEvent::AuditVerified(_)
            | RegistryEvent::ViewsRebuilt(_)
            | RegistryEvent::ActivitySegmentClosed(_),
        )
        | Event::Client(_)
        | Event::Member(_)
        | Event::Environment(_)
        | Event::ClientType(_)
        | Event::Scope(_)
        | Event::Erasure(ErasureEvent::ReasonRedacted(_))
        | Event::LegalHold(LegalHoldEvent::Released(_))
        | Event::Role(_)
        | Event::SigningKey(_)
        | Event::Admission(AdmissionEvent::TokenIssued(_) | AdmissionEvent::TokenRevoked(_)) => None,
    };
    Ok(subject.map(Cow::Borrowed))
}

/// The stream of a person, by whichever name a refused erasure calls it too: the events stand in a register.
fn of_person(person_id: PersonId) -> String {
    format!("{PERSON}-{person_id}")
}
