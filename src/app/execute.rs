//! From events to one commit; what is recorded of refusals; what a repeated request is answered.

use domain::{
    ClaimChange, Event,
    registry::{CommandRefused, MOST_REFUSED_FIELDS, RefusedField, RegistryEvent},
};
use serde_json::json;
use store::{
    AppendError, CanonicalJson, ClaimKey, Commit, ExpectedRevision, Outcome, Position, ProposedEvent,
    Receipt, RecordedCommand, StreamCommit, StreamName,
};
use uuid::Uuid;

use crate::{
    Inner,
    context::{Actor, Context},
    error::{CommandError, Fault},
    ids::uuid_v7,
};

/// How often a command decides again after losing a race.
pub(crate) const MOST_ATTEMPTS: usize = 8;
/// Events of one command that an answer to its replay looks at.
const MOST_EVENTS_OF_COMMAND: usize = 64;

/// What a use case wants recorded, before the log's own fields are added.
#[derive(Default)]
pub(crate) struct Proposal {
    pub(crate) streams: Vec<ProposedStream>,
    pub(crate) credentials: Vec<store::Credential>,
    pub(crate) destroyed_credentials: Vec<String>,
    pub(crate) claims: Vec<store::ClaimChange>,
}

/// The part of one stream.
pub(crate) struct ProposedStream {
    pub(crate) stream: StreamName,
    pub(crate) expected: ExpectedRevision,
    pub(crate) environment: Option<String>,
    pub(crate) responsible: Option<String>,
    pub(crate) events: Vec<Event>,
    /// Private parts of these events alone, beside reason and source, which all events of a command share.
    pub(crate) private: Vec<store::Disclosure>,
}

impl ProposedStream {
    /// A stream that is only read: the commit fails if it has moved.
    pub(crate) fn unmoved(stream: StreamName, revision: store::Revision) -> Self {
        Self {
            stream,
            expected: ExpectedRevision::Exact(revision),
            environment: None,
            responsible: None,
            events: Vec::new(),
            private: Vec::new(),
        }
    }
}

/// A command that was recorded before under the same idempotency key.
pub(crate) struct Replay {
    pub(crate) recorded: RecordedCommand,
    /// The stream of its first event.
    pub(crate) stream: StreamName,
}

impl Inner {
    /// Appends a proposal in one commit. Does not decide again: the caller knows whether it may.
    pub(crate) async fn append(
        &self,
        context: &Context,
        proposal: Proposal,
    ) -> Result<Receipt, AppendOrFault> {
        let command_id = match idempotent_command_id(context) {
            Some(id) => id,
            None => uuid_v7(self.log.now(), self.entropy.as_ref()).map_err(Fault::from)?,
        };
        self.append_as(command_id, Outcome::Done, context, proposal).await
    }

    async fn append_as(
        &self,
        command_id: Uuid,
        outcome: Outcome,
        context: &Context,
        proposal: Proposal,
    ) -> Result<Receipt, AppendOrFault> {
        let shared = self.shared_private_parts(context).await?;
        let mut streams = Vec::with_capacity(proposal.streams.len());
        let mut disclosures = Vec::new();
        for part in proposal.streams {
            let private: Vec<String> =
                shared.iter().chain(&part.private).map(|row| row.digest.clone()).collect();
            let mut events = Vec::with_capacity(part.events.len());
            for event in &part.events {
                events.push(self.proposed(event, outcome, private.clone())?);
            }
            streams.push(StreamCommit {
                stream: part.stream,
                expected: part.expected,
                environment: part.environment,
                responsible: part.responsible,
                events,
            });
            disclosures.extend(part.private);
        }
        disclosures.extend(shared);
        let commit = Commit {
            command_id,
            correlation_id: context.correlation_id,
            causation_id: None,
            request_id: context.request_id.clone(),
            request_digest: match outcome {
                Outcome::Done => {
                    context.idempotency.as_ref().map(|key| self.vault.request_digest(key.request.expose()))
                }
                Outcome::Refused => None,
            },
            actor: context.recorded_actor(),
            ticket: context.ticket.clone(),
            streams,
            claims: proposal.claims,
            credentials: proposal.credentials,
            destroyed_credentials: proposal.destroyed_credentials,
            disclosures,
        };
        let appended = self.log.append(commit).await;
        match &appended {
            Err(AppendError::Unavailable { .. }) => self.write_failures.failed(self.log.now()),
            Ok(_) => self.write_failures.succeeded(),
            Err(_) => {}
        }
        match appended {
            Err(AppendError::Unavailable { outcome_unknown: true, source }) => {
                self.settled(command_id, source).await.map_err(AppendOrFault::Append)
            }
            appended => appended.map_err(AppendOrFault::Append),
        }
    }

    /// What became of a commit whose answer says that nobody knows: the command id tells, as soon as the log can be
    /// read again.
    async fn settled(&self, command_id: Uuid, source: store::Cause) -> Result<Receipt, AppendError> {
        match self.log.find_command(command_id).await {
            Ok(Some(recorded)) => match self.receipt_of(recorded).await {
                Ok(receipt) => Ok(receipt),
                Err(_) => Err(AppendError::Unavailable { outcome_unknown: true, source }),
            },
            Ok(None) => Err(AppendError::Unavailable { outcome_unknown: false, source }),
            Err(_) => Err(AppendError::Unavailable { outcome_unknown: true, source }),
        }
    }

    /// The receipt that a recorded commit had, made again from its events.
    async fn receipt_of(&self, recorded: RecordedCommand) -> Result<Receipt, Fault> {
        let before = Position::new(recorded.first_position.get().saturating_sub(1));
        let length = usize::try_from(recorded.position.get() - before.get()).unwrap_or(usize::MAX);
        let events = self.log.read_all(before, length).await?;
        let first =
            events.first().ok_or_else(|| Fault::permanent("reading a recorded command", NoSuchCommand))?;
        let at = first.envelope().map_err(|error| Fault::permanent("reading a recorded command", error))?.at;
        let mut revisions: Vec<(StreamName, store::Revision)> = Vec::new();
        for event in &events {
            match revisions.iter_mut().find(|(stream, _)| *stream == event.stream) {
                Some((_, revision)) => *revision = event.revision,
                None => revisions.push((event.stream.clone(), event.revision)),
            }
        }
        let RecordedCommand { first_position, position } = recorded;
        Ok(Receipt { first_position, position, at, revisions })
    }

    fn proposed(
        &self,
        event: &Event,
        outcome: Outcome,
        private: Vec<String>,
    ) -> Result<ProposedEvent, Fault> {
        let data = event.data().map_err(|error| Fault::permanent("writing an event", error))?;
        Ok(ProposedEvent {
            id: uuid_v7(self.log.now(), self.entropy.as_ref())?,
            event_type: event.event_type().to_owned(),
            event_version: event.event_version(),
            data: CanonicalJson::from_value(&data)
                .map_err(|error| Fault::permanent("writing an event", error))?,
            outcome,
            private,
            salt: self.entropy.array()?,
        })
    }

    /// Reason and source, sealed once for all events of a command.
    async fn shared_private_parts(&self, context: &Context) -> Result<Vec<store::Disclosure>, Fault> {
        let mut parts = Vec::new();
        if let Some(source) = &context.source {
            let value = json!({
                "address": source.address.expose(),
                "user_agent": source.user_agent.as_ref().map(crypto::Personal::expose),
            });
            parts.push(match &context.actor {
                Actor::Member(principal) => {
                    self.vault.seal_for_person(principal.member.0, "source", value).await?
                }
                Actor::Host { .. } => self.vault.seal_for_event("source", value).await?,
            });
        }
        if let Some(reason) =
            context.reason.as_ref().map(|reason| reason.expose().trim()).filter(|text| !text.is_empty())
        {
            parts.push(self.vault.seal_for_event("reason", reason.into()).await?);
        }
        Ok(parts)
    }

    /// Records that a command was refused, so that its answer is in the history before anyone hears it.
    ///
    /// # Errors
    /// The fault that kept it from being recorded, in place of the refusal.
    pub(crate) async fn refused(
        &self,
        context: &Context,
        command: &str,
        subject: Option<&StreamName>,
        error: CommandError,
    ) -> CommandError {
        if !error.is_recorded() {
            return error;
        }
        match self.record_refusal(context, command, subject, &error).await {
            Ok(()) => error,
            Err(fault) => CommandError::Fault(fault),
        }
    }

    async fn record_refusal(
        &self,
        context: &Context,
        command: &str,
        subject: Option<&StreamName>,
        error: &CommandError,
    ) -> Result<(), Fault> {
        let errors = if let CommandError::Invalid(violations) = error {
            violations.iter().take(MOST_REFUSED_FIELDS).map(RefusedField::from).collect()
        } else if let CommandError::Taken { pointer } = error {
            vec![RefusedField { pointer: (*pointer).to_owned(), rule: "taken".to_owned() }]
        } else {
            Vec::new()
        };
        let refused = RegistryEvent::CommandRefused(CommandRefused {
            command: command.to_owned(),
            subject: subject.map(ToString::to_string),
            problem: error.slug().to_owned(),
            errors,
        });
        // A reason or a ticket that breaks its rules is part of what was refused, and is not recorded.
        let sound = context.violations(false).is_empty();
        let context =
            if sound { context.clone() } else { Context { reason: None, ticket: None, ..context.clone() } };
        self.record(&context, Outcome::Refused, refused).await
    }

    /// Records an event that belongs to no aggregate, in the stream of its actor's notes.
    pub(crate) async fn record(
        &self,
        context: &Context,
        outcome: Outcome,
        event: RegistryEvent,
    ) -> Result<(), Fault> {
        let actor = context.recorded_actor().id;
        let part = ProposedStream {
            stream: StreamName::new("note", &actor)
                .map_err(|error| Fault::permanent("naming a stream", error))?,
            expected: ExpectedRevision::Any,
            environment: None,
            responsible: None,
            events: vec![event.into()],
            private: Vec::new(),
        };
        let proposal = Proposal { streams: vec![part], ..Proposal::default() };
        let command_id = uuid_v7(self.log.now(), self.entropy.as_ref())?;
        match self.append_as(command_id, outcome, context, proposal).await {
            Ok(_) => Ok(()),
            Err(AppendOrFault::Append(error)) => Err(error.into()),
            Err(AppendOrFault::Fault(fault)) => Err(fault),
        }
    }

    /// What was recorded under this request's idempotency key, if anything.
    ///
    /// # Errors
    /// [`CommandError::IdempotencyMismatch`] if that was another request.
    pub(crate) async fn replayed(&self, context: &Context) -> Result<Option<Replay>, CommandError> {
        let Some(command_id) = idempotent_command_id(context) else { return Ok(None) };
        let Some(recorded) = self.log.find_command(command_id).await? else { return Ok(None) };
        self.replay_of(context, recorded).await.map(Some)
    }

    /// The same for a commit that the log answered with where its command stands.
    pub(crate) async fn replay_of(
        &self,
        context: &Context,
        recorded: RecordedCommand,
    ) -> Result<Replay, CommandError> {
        let before = Position::new(recorded.first_position.get().saturating_sub(1));
        let length = (recorded.position.get() - before.get()).min(MOST_EVENTS_OF_COMMAND as u64);
        let events = self.log.read_all(before, length as usize).await?;
        let missing = || CommandError::Fault(Fault::permanent("reading a recorded command", NoSuchCommand));
        let first = events.into_iter().next().ok_or_else(missing)?;
        let envelope =
            first.envelope().map_err(|error| Fault::permanent("reading a recorded command", error))?;
        let asked = context.idempotency.as_ref().map(|key| self.vault.request_digest(key.request.expose()));
        if envelope.request_digest.as_deref() != asked.as_deref() {
            return Err(CommandError::IdempotencyMismatch);
        }
        Ok(Replay { recorded, stream: first.stream })
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the index of commands names a position without an event")]
struct NoSuchCommand;

/// Why a proposal was not recorded: the log said no, or it never got there.
#[derive(Debug)]
pub(crate) enum AppendOrFault {
    Append(AppendError),
    Fault(Fault),
}

impl From<Fault> for AppendOrFault {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<crypto::EntropyError> for AppendOrFault {
    fn from(error: crypto::EntropyError) -> Self {
        Self::Fault(error.into())
    }
}

/// `UUIDv5(actor, key)`: the same key of another actor is another command.
fn idempotent_command_id(context: &Context) -> Option<Uuid> {
    let key = context.idempotency.as_ref()?;
    let namespace = context.member().map_or(Uuid::nil(), |member| member.0);
    Some(Uuid::new_v5(&namespace, key.key.as_bytes()))
}

/// A domain claim as the log keeps it.
pub(crate) fn claim_key(claim: &domain::Claim) -> ClaimKey {
    ClaimKey { namespace: claim.namespace.clone(), key: claim.key.clone() }
}

/// What events do to the claims of `stream`.
pub(crate) fn claim_changes(changes: Vec<ClaimChange>, stream: &StreamName) -> Vec<store::ClaimChange> {
    changes
        .into_iter()
        .map(|change| match change {
            ClaimChange::Take(claim) => {
                store::ClaimChange::Take { key: claim_key(&claim), stream: stream.clone() }
            }
            ClaimChange::Release(claim) => {
                store::ClaimChange::Release { key: claim_key(&claim), stream: stream.clone() }
            }
        })
        .collect()
}
