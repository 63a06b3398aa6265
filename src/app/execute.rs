//! From events to one commit.

use domain::{ClaimChange, ClientEvent, Event};
use serde_json::json;
use store::{
    AppendError, CanonicalJson, ClaimKey, Commit, ExpectedRevision, LookupToken, Outcome, ProposedEvent,
    Receipt, Revision, StreamCommit, StreamName,
};
use uuid::Uuid;

use crate::{
    Inner,
    context::{Actor, Context, IfMatch, Source},
    error::{ChangedSince, CommandError, Fault},
    idempotency::idempotent_command_id,
    ids::uuid_v7,
    look,
};

/// How often a command decides again after losing a race.
pub(crate) const MOST_ATTEMPTS: usize = 8;
/// Events that an answer to a failed `If-Match` names at most.
const MOST_CHANGES_SHOWN: usize = 20;

/// What a use case wants recorded, before the log's own fields are added.
#[derive(Default)]
pub(crate) struct Proposal {
    pub(crate) streams: Vec<ProposedStream>,
    pub(crate) credentials: Vec<store::Credential>,
    pub(crate) destroyed_credentials: Vec<String>,
    pub(crate) claims: Vec<store::ClaimChange>,
    /// Persons who are erased with it.
    pub(crate) forgotten_persons: Vec<Uuid>,
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
    pub(crate) fn unmoved(stream: StreamName, revision: Revision) -> Self {
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

impl Inner {
    /// Appends a proposal in one commit, if its member can still act. Does not decide again: the caller knows whether it
    /// may.
    pub(crate) async fn append(&self, context: &Context, proposal: Proposal) -> Result<Receipt, NotAppended> {
        let commit = self.commit(self.command_id(context)?, Outcome::Done, context, proposal).await?;
        self.write_for(context, commit).await
    }

    /// The id of the command that is asked for: the same for a repeated request.
    pub(crate) fn command_id(&self, context: &Context) -> Result<Uuid, Fault> {
        match idempotent_command_id(context) {
            Some(id) => Ok(id),
            None => Ok(uuid_v7(self.log.now(), self.entropy.as_ref())?),
        }
    }

    pub(crate) async fn commit(
        &self,
        command_id: Uuid,
        outcome: Outcome,
        context: &Context,
        proposal: Proposal,
    ) -> Result<Commit, Fault> {
        if outcome == Outcome::Done && !context.malformed.is_empty() {
            return Err(Fault::permanent("recording a command", Malformed));
        }
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
        Ok(Commit {
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
            lookup_tokens: self.lookup_tokens(context),
            forgotten_persons: proposal.forgotten_persons,
        })
    }

    /// Appends a commit whatever its member can do by now: of what has taken place already.
    pub(crate) async fn write(&self, commit: Commit) -> Result<Receipt, AppendError> {
        let command_id = commit.command_id;
        let appended = self.log.append(commit).await;
        look::again();
        match &appended {
            Err(AppendError::Unavailable { .. }) => self.writing.failed(),
            Ok(_) => self.writing.succeeded(),
            Err(_) => {}
        }
        match appended {
            Err(AppendError::Unavailable { outcome_unknown: true, source }) => {
                self.settled(command_id, source).await
            }
            appended => appended,
        }
    }

    /// Refuses an edit that was made on an older revision, and says what happened since. Who only looked has changed
    /// nothing.
    pub(crate) async fn check_if_match(
        &self,
        if_match: Option<IfMatch>,
        current: Revision,
        stream: &StreamName,
    ) -> Result<(), CommandError> {
        let Some(IfMatch::Revision(given)) = if_match else { return Ok(()) };
        if given == current {
            return Ok(());
        }
        let mut changed = Vec::new();
        let mut after = given.min(current);
        loop {
            let page = self.log.read_stream(stream, after, MOST_CHANGES_SHOWN).await?;
            for event in &page {
                let since = changed_since(event)?;
                if !ClientEvent::LOOKS.contains(&since.event_type.as_str()) {
                    changed.push(since);
                }
            }
            match page.last() {
                Some(last) if page.len() == MOST_CHANGES_SHOWN && changed.is_empty() => after = last.revision,
                Some(_) | None => break,
            }
        }
        let unchanged = changed.is_empty() && given < current;
        if unchanged { Ok(()) } else { Err(CommandError::PreconditionFailed { current, changed }) }
    }

    pub(crate) fn proposed(
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

    /// By which what was done from an address is found again.
    fn lookup_tokens(&self, context: &Context) -> Vec<LookupToken> {
        let token = |source: &Source| LookupToken {
            token: self.vault.address_token(source.address.expose()),
            person: context.member().map(|member| member.0),
        };
        context.source.iter().map(token).collect()
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
                Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => {
                    self.vault.seal_for_event("source", value).await?
                }
            });
        }
        if let Some(reason) =
            context.reason.as_ref().map(|reason| reason.expose().trim()).filter(|text| !text.is_empty())
        {
            parts.push(self.vault.seal_for_event("reason", reason.into()).await?);
        }
        Ok(parts)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the request was not understood as a whole")]
struct Malformed;

/// Why a proposal was not recorded: the log said no, or it never got there.
#[derive(Debug)]
pub(crate) enum NotAppended {
    ByLog(AppendError),
    Before(CommandError),
}

impl From<CommandError> for NotAppended {
    fn from(error: CommandError) -> Self {
        Self::Before(error)
    }
}

impl From<Fault> for NotAppended {
    fn from(fault: Fault) -> Self {
        Self::Before(fault.into())
    }
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
            ClaimChange::Release { namespace } => {
                store::ClaimChange::ReleaseAll { namespace, stream: stream.clone() }
            }
        })
        .collect()
}

fn changed_since(event: &store::RecordedEvent) -> Result<ChangedSince, Fault> {
    let unreadable = |error| Fault::permanent("reading an event", error);
    let envelope = event.envelope().map_err(unreadable)?;
    let data = serde_json::from_str(envelope.data.get())
        .map_err(|error| Fault::permanent("reading an event", error))?;
    Ok(ChangedSince {
        revision: event.revision,
        event_type: envelope.event_type.into_owned(),
        at: envelope.at,
        actor: envelope.actor.id.into_owned(),
        data,
    })
}
