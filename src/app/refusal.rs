//! What is recorded of refusals, and of what was read.

use domain::registry::{CommandRefused, MOST_REFUSED_FIELDS, RefusedField, RegistryEvent};
use store::{ExpectedRevision, Outcome, Position, StreamName};

use crate::{
    Inner,
    context::Context,
    error::{CommandError, Fault},
    execute::{Proposal, ProposedStream},
    ids::uuid_v7,
};

impl Inner {
    /// Records that a command was refused, so that its answer is in the history before anyone hears it.
    ///
    /// # Errors
    /// The fault that kept it from being recorded, in place of the refusal.
    pub(crate) async fn refused(
        &self,
        context: &Context,
        subject: Option<&StreamName>,
        error: CommandError,
    ) -> CommandError {
        if !error.is_recorded() {
            return error;
        }
        if !self.admits_refusal(context, error.slug()) {
            return error;
        }
        match self.record_refusal(context, subject, &error).await {
            Ok(()) => error,
            Err(fault) => CommandError::Fault(fault),
        }
    }

    async fn record_refusal(
        &self,
        context: &Context,
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
            command: context.operation.to_owned(),
            subject: subject.map(ToString::to_string),
            problem: error.slug().to_owned(),
            errors,
        });
        // A reason or a ticket that breaks its rules is part of what was refused, and is not recorded.
        let sound = context.wrong_why(false).is_empty();
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
        self.note(context, outcome, event, Vec::new()).await.map(drop)
    }

    /// The same, with private parts of its own; answers where it stands.
    pub(crate) async fn note(
        &self,
        context: &Context,
        outcome: Outcome,
        event: RegistryEvent,
        private: Vec<store::Disclosure>,
    ) -> Result<Position, Fault> {
        let actor = context.recorded_actor().id;
        let part = ProposedStream {
            stream: StreamName::new("note", &actor)
                .map_err(|error| Fault::permanent("naming a stream", error))?,
            expected: ExpectedRevision::Any,
            environment: context.environment.as_ref().map(ToString::to_string),
            responsible: None,
            events: vec![event.into()],
            private,
        };
        let proposal = Proposal { streams: vec![part], ..Proposal::default() };
        let command_id = uuid_v7(self.log.now(), self.entropy.as_ref())?;
        let commit = self.commit(command_id, outcome, context, proposal).await?;
        Ok(self.write(commit).await?.position)
    }
}
