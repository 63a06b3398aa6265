//! Which stream an event is about.

use std::borrow::Cow;

use domain::Event;
use domain::registry::RegistryEvent;

use crate::projection::{ApplyError, ViewedEvent};

/// Types whose data names the stream that they are about; all others are about their own stream.
const ABOUT_ANOTHER: [&str; 7] = [
    "command.refused",
    "audit.private_parts_opened",
    "audit.read",
    "audit.exported",
    "audit.verification_started",
    "audit.verified",
    "signing_secret.used",
];

/// The name of the stream that an event is about; none for a note about nothing in particular.
pub(super) fn subject<'e>(event: &'e ViewedEvent<'_>) -> Result<Option<Cow<'e, str>>, ApplyError> {
    if !ABOUT_ANOTHER.contains(&&*event.envelope.event_type) {
        return Ok(Some(Cow::Borrowed(&*event.envelope.stream)));
    }
    let subject = match event.event()? {
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
        | Event::Erasure(_)
        | Event::LegalHold(_)
        | Event::Role(_) => None,
    };
    Ok(subject.map(Cow::Borrowed))
}
