//! What a repeated request is answered, and what became of a commit whose answer was lost.

use domain::Event;
use store::{AppendError, Position, Receipt, RecordedCommand, RecordedEvent, StreamName};
use uuid::Uuid;

use crate::{
    Inner,
    context::Context,
    error::{CommandError, Fault},
    look,
};

/// A command that was recorded before under the same idempotency key.
pub(crate) struct Replay {
    pub(crate) recorded: RecordedCommand,
    /// Its first event.
    first: RecordedEvent,
}

impl Replay {
    /// The stream that it changed.
    pub(crate) fn stream(&self) -> &StreamName {
        &self.first.stream
    }

    /// What it did first.
    pub(crate) fn event(&self) -> Result<Event, Fault> {
        let unreadable = |error| Fault::permanent("reading a recorded command", error);
        let envelope = self.first.envelope().map_err(unreadable)?;
        let (event_type, event_version) = (envelope.event_type.as_ref(), envelope.event_version);
        Event::decode(event_type, event_version, envelope.data.get())
            .map_err(|error| Fault::permanent("reading a recorded command", error))
    }
}

impl Inner {
    /// Runs a use case: whether the actor may at all, then the answer to a repeated request, then the work. A refusal is
    /// recorded before anyone hears of it.
    pub(crate) async fn guarded<T, R>(
        &self,
        context: &Context,
        subject: Option<&StreamName>,
        allowed: Result<(), CommandError>,
        work: impl Future<Output = Result<T, CommandError>>,
        replayed: impl FnOnce(Replay) -> R,
    ) -> Result<T, CommandError>
    where
        R: Future<Output = Result<T, CommandError>>,
    {
        let error = match allowed {
            Err(denied) => denied,
            Ok(()) => match self.replayed(context).await {
                Ok(Some(replay)) => return replayed(replay).await,
                Err(error) => error,
                Ok(None) => match work.await {
                    Ok(done) if context.malformed.is_empty() => return Ok(done),
                    Ok(_) => CommandError::Invalid(Vec::new()),
                    // The same request may have been recorded between the look-up and the decision, which saw its effect.
                    Err(error) => match self.replayed(context).await {
                        Ok(Some(replay)) => return replayed(replay).await,
                        Ok(None) | Err(_) => error,
                    },
                },
            },
        };
        let error = self.unless_ended(context, error).await;
        Err(self.refused(context, subject, context.with_form(error)).await)
    }

    /// What was recorded under this request's idempotency key, if anything.
    ///
    /// # Errors
    /// [`CommandError::IdempotencyMismatch`] if that was another request; and if its sender has ended meanwhile.
    async fn replayed(&self, context: &Context) -> Result<Option<Replay>, CommandError> {
        let Some(command_id) = idempotent_command_id(context) else { return Ok(None) };
        let Some(recorded) = self.log.find_command(command_id).await? else { return Ok(None) };
        look::again();
        let before = Position::new(recorded.first_position.get().saturating_sub(1));
        let events = self.log.read_all(before, 1).await?;
        let missing = || Fault::permanent("reading a recorded command", NoSuchCommand);
        let first = events.into_iter().next().ok_or_else(missing)?;
        let envelope =
            first.envelope().map_err(|error| Fault::permanent("reading a recorded command", error))?;
        let asked = context.idempotency.as_ref().map(|key| self.vault.request_digest(key.request.expose()));
        if envelope.request_digest.as_deref() != asked.as_deref() {
            return Err(CommandError::IdempotencyMismatch);
        }
        self.demand_standing(context).await?;
        Ok(Some(Replay { recorded, first }))
    }

    /// What became of a commit whose answer says that nobody knows: the command id tells, as soon as the log can be
    /// read again.
    pub(crate) async fn settled(
        &self,
        command_id: Uuid,
        source: store::Cause,
    ) -> Result<Receipt, AppendError> {
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
}

#[derive(Debug, thiserror::Error)]
#[error("the index of commands names a position without an event")]
struct NoSuchCommand;

/// `UUIDv5(actor, key)`: the same key of another actor is another command.
pub(crate) fn idempotent_command_id(context: &Context) -> Option<Uuid> {
    let key = context.idempotency.as_ref()?;
    let namespace = context.member().map_or(Uuid::nil(), |member| member.0);
    Some(Uuid::new_v5(&namespace, key.key.as_bytes()))
}
