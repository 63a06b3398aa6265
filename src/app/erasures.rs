//! Erasing persons and redacting reasons: an event first, then the key is deleted.
//!
//! A crash between the two is made good at the next start, by applying the list of erasures again; that also erases once
//! more what came back with an older copy of the keys.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    Claim, Client, ClientId, Erasures, Event, LegalHolds, Member, MemberCommand, Permission, PersonId,
    erasure::{ErasureCommand, HeldBy, PersonKind},
    legal_hold::{HoldSubject, LegalHold, Touched},
    member::{MemberStatus, Membership},
};
use serde_json::Value;
use store::{
    ActorKind, AppendError, ClaimChange, DisclosureKey, DisclosureRef, Envelope, ExpectedRevision, Position,
    RecordedEvent, Revision, StreamName,
};

use crate::{
    App, Inner,
    aggregates::{Loaded, Loader},
    context::Context,
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream, claim_key},
    idempotency::Replay,
    members::{ended_credentials, own_among},
    private_parts::PrivatePart,
};

/// Events of one stream read at a time.
const PAGE: usize = 500;
/// Private parts under a key of their own event that are redacted as a reason is: what a member wrote.
const REDACTABLE: [&str; 2] = ["reason", "query"];

/// A person after an erasure.
#[derive(Clone, Copy, Debug)]
pub struct ErasedPerson {
    /// Who, by pseudonym.
    pub person_id: PersonId,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

/// A reason after its redaction.
#[derive(Clone, Debug)]
pub struct RedactedReason {
    /// The event that it was asked for at.
    pub event: Position,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

impl App {
    /// Erases a person: a contact, or a member who cannot act any more. Erasing twice is no error. Needs `members:write`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Erasure`] if a legal hold or a working token keeps the person.
    pub async fn erase_person(
        &self,
        context: Context,
        person_id: PersonId,
    ) -> Result<ErasedPerson, CommandError> {
        self.run(move |inner| async move {
            let subject = StreamName::new("person", &person_id.to_string())
                .map_err(|error| Fault::permanent("naming a stream", error))?;
            let allowed = context.demand(Permission::MembersWrite);
            let work = inner.erase(&context, person_id);
            inner
                .guarded(&context, Some(&subject), allowed, work, |replay| {
                    inner.erased_before(replay, person_id)
                })
                .await
        })
        .await
    }

    /// Redacts the free text that was given with the command of an event. Redacting twice is no error. Needs
    /// `members:write`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Erasure`] if a legal hold keeps it.
    pub async fn redact_reason(
        &self,
        context: Context,
        event: Position,
    ) -> Result<RedactedReason, CommandError> {
        self.run(move |inner| async move {
            let subject = Loader::<Erasures>::stream(Erasures::REGISTER)?;
            let allowed = context.demand(Permission::MembersWrite);
            let work = inner.redact(&context, event);
            inner
                .guarded(&context, Some(&subject), allowed, work, |replay| {
                    inner.redacted_before(replay, event)
                })
                .await
        })
        .await
    }

    /// Whether a person was erased. It is public, as the event that says so.
    pub fn is_erased(&self, person_id: PersonId) -> bool {
        self.inner.vault.is_erased(person_id.0)
    }
}

impl Inner {
    /// Applies the list of erasures to the keys: all of it at a start, which finishes what a crash left and undoes
    /// what an older copy of the keys brought back.
    pub(crate) async fn finish_erasures(&self) -> Result<(), Fault> {
        let register = self.erasures.current(Erasures::REGISTER).await?;
        let Erasures { persons, reasons } = &register.aggregate;
        let at = |(digest, position): (&String, &u64)| DisclosureRef {
            position: Position::new(*position),
            digest: digest.clone(),
        };
        let reasons: Vec<_> = reasons.iter().map(at).collect();
        let rows = self.log.disclosures(&reasons).await?;
        let slots: Vec<u64> = rows.iter().filter_map(|row| slot(row.key)).collect();
        let persons: Vec<_> = persons.keys().map(|person| person.0).collect();
        self.vault.erase_all(&persons, &slots).await
    }

    /// Takes over what other nodes erased: this one may still hold the keys of those persons in memory.
    pub(crate) async fn learn_erasures(&self) -> Result<(), Fault> {
        let register = self.erasures.current(Erasures::REGISTER).await?;
        self.vault.learn_erased(register.revision, || {
            register.aggregate.persons.keys().map(|person| person.0).collect()
        });
        Ok(())
    }

    /// The answer to a repeated request. A crash may have come before the key was deleted.
    async fn erased_before(&self, replay: Replay, person_id: PersonId) -> Result<ErasedPerson, CommandError> {
        self.vault.erase(person_id.0).await?;
        Ok(ErasedPerson { person_id, position: replay.recorded.position, replayed: true })
    }

    /// The same for a reason.
    async fn redacted_before(&self, replay: Replay, event: Position) -> Result<RedactedReason, CommandError> {
        self.finish_erasures().await?;
        Ok(RedactedReason { event, position: replay.recorded.position, replayed: true })
    }

    async fn erase(&self, context: &Context, person_id: PersonId) -> Result<ErasedPerson, CommandError> {
        self.check_why(context)?;
        let id = person_id.to_string();
        for _ in 0..MOST_ATTEMPTS {
            let register = self.erasures.current(Erasures::REGISTER).await?;
            let holds = self.legal_holds.current(LegalHolds::REGISTER).await?;
            let member = self.members.current(&id).await?;
            let membership = member.aggregate.membership();
            let known = membership.is_some()
                || register.aggregate.erased_at(person_id).is_some()
                || self.vault.knows(person_id.0).await?;
            if !known {
                return Err(CommandError::NotFound("person"));
            }
            let (touched, mut unmoved) = self.touched_by_erasure(person_id, &holds.aggregate).await?;
            if let Some(membership) = membership {
                let known = self.own_roles(own_among(&membership.roles)).await?;
                context.demand_all(&membership.rights(&known.allow))?;
                unmoved.extend(known.unmoved());
            }
            let command = ErasureCommand::ErasePerson {
                person_id,
                kind: if membership.is_some() { PersonKind::Member } else { PersonKind::Contact },
                active: membership.is_some_and(|member| member.status == MemberStatus::Active),
                held_by: holds.aggregate.covering(&touched).map(held_by),
            };
            let member_stream = Loader::<Member>::stream(&id)?;
            let mut proposal = Proposal { forgotten_persons: vec![person_id.0], ..Proposal::default() };
            let mut of_member = ProposedStream::unmoved(member_stream.clone(), member.revision);
            // Whoever is erased signs in no more, and what tells about how it signed in goes with it.
            let mut removed = Vec::new();
            let mut left = member.aggregate.clone();
            for command in membership.map(all_it_signs_in_with).unwrap_or_default() {
                let events = left.decide(command, self.log.now())?;
                events.iter().for_each(|event| left.apply(event, self.log.now()));
                removed.extend(events);
            }
            proposal.destroyed_credentials = ended_credentials(&removed);
            of_member.events = removed.into_iter().map(Event::Member).collect();
            unmoved.push(of_member);
            if membership.is_some() {
                proposal.claims = self.emails_of(&member_stream).await?;
            }
            match self.record_erasure(context, command, &register, &holds, unmoved, proposal).await? {
                Some(position) => {
                    self.vault.erase(person_id.0).await?;
                    return Ok(ErasedPerson { person_id, position, replayed: false });
                }
                None => self.members.forget(&id),
            }
        }
        Err(CommandError::Contended)
    }

    async fn redact(&self, context: &Context, event: Position) -> Result<RedactedReason, CommandError> {
        self.check_why(context)?;
        for _ in 0..MOST_ATTEMPTS {
            let register = self.erasures.current(Erasures::REGISTER).await?;
            let holds = self.legal_holds.current(LegalHolds::REGISTER).await?;
            let (reason, slot) = self.reason_of(event, &register.aggregate).await?;
            let touched = self.touched_by_redaction(event).await?;
            let command = ErasureCommand::RedactReason {
                position: event.get(),
                digest: reason,
                held_by: holds.aggregate.covering(&touched).map(held_by),
            };
            let unmoved = self.demand_rank_over_actor(context, event).await?;
            let recorded =
                self.record_erasure(context, command, &register, &holds, unmoved, Proposal::default());
            if let Some(position) = recorded.await? {
                self.vault.erase_all(&[], &[slot]).await?;
                return Ok(RedactedReason { event, position, replayed: false });
            }
        }
        Err(CommandError::Contended)
    }

    /// Decides and appends; `None` if another command was faster.
    async fn record_erasure(
        &self,
        context: &Context,
        command: ErasureCommand,
        register: &Loaded<Erasures>,
        holds: &Loaded<LegalHolds>,
        unmoved: Vec<ProposedStream>,
        proposal: Proposal,
    ) -> Result<Option<Position>, CommandError> {
        let events = register.aggregate.decide(command, self.log.now())?;
        if events.is_empty() {
            return Ok(Some(self.log.head().await?));
        }
        let own = ProposedStream {
            stream: Loader::<Erasures>::stream(Erasures::REGISTER)?,
            expected: ExpectedRevision::Exact(register.revision),
            environment: None,
            responsible: None,
            events: events.iter().cloned().map(Event::Erasure).collect(),
            private: Vec::new(),
        };
        // A hold that is placed at this moment moves them: of the two, the second one is decided again.
        let holds =
            ProposedStream::unmoved(Loader::<LegalHolds>::stream(LegalHolds::REGISTER)?, holds.revision);
        let streams = [own, holds].into_iter().chain(unmoved).collect();
        match self.append(context, Proposal { streams, ..proposal }).await {
            Ok(receipt) => {
                let mut aggregate = register.aggregate.clone();
                events.iter().for_each(|event| aggregate.apply(event, receipt.at));
                let revision = Revision::new(register.revision.get() + events.len() as u64);
                self.erasures.remember(Erasures::REGISTER, aggregate, revision, receipt.position);
                Ok(Some(receipt.position))
            }
            Err(NotAppended::ByLog(
                AppendError::WrongExpectedRevision { .. } | AppendError::ClaimNotHeld { .. },
            )) => {
                self.erasures.forget(Erasures::REGISTER);
                self.legal_holds.forget(LegalHolds::REGISTER);
                Ok(None)
            }
            Err(NotAppended::ByLog(AppendError::DuplicateCommand(_))) => Err(CommandError::Contended),
            Err(NotAppended::ByLog(error)) => Err(CommandError::Fault(error.into())),
            Err(NotAppended::Before(error)) => Err(error),
        }
    }

    /// What an erasure of this person touches, as far as active holds care; and the streams that said so.
    pub(crate) async fn touched_by_erasure(
        &self,
        person_id: PersonId,
        holds: &LegalHolds,
    ) -> Result<(Touched, Vec<ProposedStream>), CommandError> {
        let mut touched = Touched { persons: [person_id].into(), clients: BTreeSet::new() };
        let mut unmoved = Vec::new();
        let held: BTreeSet<ClientId> = holds
            .active()
            .filter_map(|hold| match hold.subject {
                HoldSubject::Client(client) => Some(client),
                HoldSubject::Person(_) | HoldSubject::Everything => None,
            })
            .collect();
        let person = person_id.to_string();
        if !held.is_empty() {
            // Who used a client's signing secret for it acted on it too, and stands in no stream of the client.
            let stream = StreamName::new("note", &person)
                .map_err(|error| Fault::permanent("naming a stream", error))?;
            let mut last = Revision::NONE;
            self.each_event(&stream, |event, envelope| {
                last = event.revision;
                touched.clients.extend(signed_for(&envelope).filter(|client| held.contains(client)));
            })
            .await?;
            unmoved.extend((last != Revision::NONE).then(|| ProposedStream::unmoved(stream, last)));
        }
        for client in held {
            let stream = Loader::<Client>::stream(&client.to_string())?;
            let mut last = Revision::NONE;
            self.each_event(&stream, |event, envelope| {
                last = event.revision;
                if envelope.actor.id == person || names(&envelope, &person) {
                    touched.clients.insert(client);
                }
            })
            .await?;
            unmoved.push(ProposedStream::unmoved(stream, last));
        }
        Ok((touched, unmoved))
    }

    /// What a redaction at this event touches: every event of the command has the reason.
    async fn touched_by_redaction(&self, event: Position) -> Result<Touched, CommandError> {
        let mut touched = Touched::default();
        for event in self.events_of_command(event).await? {
            let envelope = event.envelope().map_err(unreadable)?;
            if envelope.actor.kind == ActorKind::Member {
                touched.persons.extend(envelope.actor.id.parse::<PersonId>());
            }
            let data: Value = serde_json::from_str(envelope.data.get()).map_err(unreadable)?;
            let subject = data["subject"].as_str().and_then(|subject| subject.parse().ok());
            for stream in [Some(event.stream.clone()), subject].into_iter().flatten() {
                if stream.category() == Client::CATEGORY {
                    touched.clients.extend(stream.id().parse::<ClientId>());
                }
            }
        }
        Ok(touched)
    }

    /// Nobody takes away the words of somebody who may do more; answers the streams that this hangs on. What the host, or
    /// a client, did is nobody's in particular.
    async fn demand_rank_over_actor(
        &self,
        context: &Context,
        event: Position,
    ) -> Result<Vec<ProposedStream>, CommandError> {
        let of_command = self.events_of_command(event).await?;
        let first = of_command.first().ok_or(CommandError::NotFound("event"))?;
        let actor = first.envelope().map_err(unreadable)?.actor;
        if actor.kind != ActorKind::Member {
            return Ok(Vec::new());
        }
        let member = self.members.current(&actor.id).await?;
        let Some(membership) = member.aggregate.membership() else { return Ok(Vec::new()) };
        let known = self.own_roles(own_among(&membership.roles)).await?;
        context.demand_all(&membership.rights(&known.allow))?;
        let mut unmoved: Vec<_> = known.unmoved().collect();
        unmoved.push(ProposedStream::unmoved(Loader::<Member>::stream(&actor.id)?, member.revision));
        Ok(unmoved)
    }

    async fn events_of_command(&self, event: Position) -> Result<Vec<RecordedEvent>, CommandError> {
        let one = self.log.read_all(Position::new(event.get().saturating_sub(1)), 1).await?;
        let one = one.first().ok_or(CommandError::NotFound("event"))?;
        let command_id = one.envelope().map_err(unreadable)?.command_id;
        let recorded = self.log.find_command(command_id).await?.ok_or(CommandError::NotFound("event"))?;
        let before = Position::new(recorded.first_position.get().saturating_sub(1));
        let count = usize::try_from(recorded.position.get() - before.get()).unwrap_or(usize::MAX);
        Ok(self.log.read_all(before, count).await?)
    }

    /// The digest of the free text that was given with an event, and the slot of its key.
    async fn reason_of(&self, event: Position, erasures: &Erasures) -> Result<(String, u64), CommandError> {
        let one = self.log.read_all(Position::new(event.get().saturating_sub(1)), 1).await?;
        let one = one.first().ok_or(CommandError::NotFound("event"))?;
        let digests = one.envelope().map_err(unreadable)?.private;
        let wanted: Vec<_> = digests
            .iter()
            .map(|digest| DisclosureRef { position: event, digest: digest.to_string() })
            .collect();
        let parts = self.open_parts(&wanted).await?;
        for row in self.log.disclosures(&wanted).await? {
            let Some(slot) = slot(row.key) else { continue };
            let redactable = match parts.get(&row.digest) {
                Some(PrivatePart::Open(part)) => REDACTABLE.contains(&part.name.as_str()),
                Some(PrivatePart::Erased) | None => erasures.reasons.contains_key(&row.digest),
            };
            if redactable {
                return Ok((row.digest, slot));
            }
        }
        Err(CommandError::NotFound("reason"))
    }

    /// Releases every e-mail that the member holds: the addresses stand in its private parts alone.
    async fn emails_of(&self, stream: &StreamName) -> Result<Vec<ClaimChange>, CommandError> {
        let mut wanted = Vec::new();
        self.each_event(stream, |event, envelope| {
            wanted.extend(
                envelope
                    .private
                    .iter()
                    .map(|digest| DisclosureRef { position: event.position, digest: digest.to_string() }),
            );
        })
        .await?;
        let mut keys = BTreeSet::new();
        for part in self.open_parts(&wanted).await?.into_values() {
            if let PrivatePart::Open(part) = part
                && let Some(email) = part.value.get("email").and_then(Value::as_str)
            {
                keys.insert(claim_key(&self.member_email(email)));
            }
        }
        let mut released = Vec::new();
        for key in keys {
            if self.log.claim_holder(&key).await?.as_ref() == Some(stream) {
                released.push(ClaimChange::Release { key, stream: stream.clone() });
            }
        }
        Ok(released)
    }

    /// The claim on a member's e-mail, by a keyed digest of it.
    pub(crate) fn member_email(&self, email: &str) -> Claim {
        let address = email.trim().to_lowercase();
        let digest = self.vault.ring.digests.digest("member/email", &[address.as_bytes()]);
        Claim::member_email(&URL_SAFE_NO_PAD.encode(digest))
    }

    async fn each_event(
        &self,
        stream: &StreamName,
        mut visit: impl FnMut(&RecordedEvent, Envelope<'_>),
    ) -> Result<(), Fault> {
        let mut after = Revision::NONE;
        loop {
            let page = self.log.read_stream(stream, after, PAGE).await?;
            for event in &page {
                visit(event, event.envelope().map_err(unreadable)?);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.revision,
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Reason and ticket, where no environment has a say.
    pub(crate) fn check_why(&self, context: &Context) -> Result<(), CommandError> {
        let wrong = context.violations(false);
        if wrong.is_empty() { Ok(()) } else { Err(CommandError::Invalid(wrong)) }
    }
}

/// Whether an event of a client names a person as a contact, before or after it.
fn names(envelope: &Envelope<'_>, person: &str) -> bool {
    matches!(envelope.event_type.as_ref(), "client.created" | "client.contacts_changed")
        && envelope.data.get().contains(person)
}

/// The client whose signing secret an event says was used for it.
fn signed_for(envelope: &Envelope<'_>) -> Option<ClientId> {
    if envelope.event_type != "signing_secret.used" {
        return None;
    }
    let data: Value = serde_json::from_str(envelope.data.get()).ok()?;
    let stream: StreamName = data["subject"].as_str()?.parse().ok()?;
    stream.id().parse().ok()
}

fn slot(key: DisclosureKey) -> Option<u64> {
    match key {
        DisclosureKey::Event(slot) => Some(slot),
        DisclosureKey::Person(_) => None,
    }
}

fn held_by(hold: &LegalHold) -> HeldBy {
    HeldBy { id: hold.id, ticket: hold.ticket.clone() }
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::permanent("reading an event", error)
}

/// What takes away all by which a person signs in.
fn all_it_signs_in_with(membership: &Membership) -> Vec<MemberCommand> {
    let password = membership.password.iter().map(|_| MemberCommand::RemovePassword);
    let totp = membership.totp.iter().map(|_| MemberCommand::RemoveTotp);
    let passkeys = membership.passkeys.iter();
    let passkeys = passkeys.map(|passkey| MemberCommand::RemovePasskey { passkey_id: passkey.id.clone() });
    password.chain(totp).chain(passkeys).collect()
}
