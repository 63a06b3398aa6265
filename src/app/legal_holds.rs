//! Legal holds: placing and releasing what wins over every erasure.

use domain::{
    Erasures, Event, LegalHoldCommand, LegalHoldId, LegalHolds, Permission, PersonId, Rule, Violation,
    legal_hold::{HoldSubject, LegalHold, SubjectFields},
};
use store::{AppendError, ExpectedRevision, Position, Revision};

use crate::{
    App, Inner,
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream},
    idempotency::Replay,
    ids::uuid_v7,
};

/// A hold after a command.
#[derive(Clone, Debug)]
pub struct ChangedLegalHold {
    /// What it is now.
    pub hold: LegalHold,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

impl App {
    /// Keeps something from being erased, until the hold is released. Needs `members:write`, and a ticket: a hold is for
    /// a case.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn place_legal_hold(
        &self,
        context: Context,
        subject: SubjectFields,
    ) -> Result<ChangedLegalHold, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<LegalHolds>::stream(LegalHolds::REGISTER)?;
            let allowed = context.demand(Permission::MembersWrite);
            let work = inner.place_hold(&context, subject);
            inner.guarded(&context, Some(&stream), allowed, work, |replay| inner.replayed_hold(replay)).await
        })
        .await
    }

    /// Ends a hold. Needs `members:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn release_legal_hold(
        &self,
        context: Context,
        id: LegalHoldId,
    ) -> Result<ChangedLegalHold, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<LegalHolds>::stream(LegalHolds::REGISTER)?;
            let allowed = context.demand(Permission::MembersWrite);
            let command = LegalHoldCommand::ReleaseLegalHold { id };
            let work = inner.execute_hold(&context, id, command, None);
            inner.guarded(&context, Some(&stream), allowed, work, |replay| inner.replayed_hold(replay)).await
        })
        .await
    }

    /// Every hold there ever was, in the order of their placing, as the log stands now.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn legal_holds(&self) -> Result<Vec<LegalHold>, Fault> {
        Ok(self.inner.legal_holds.current(LegalHolds::REGISTER).await?.aggregate.holds.clone())
    }
}

impl Inner {
    async fn place_hold(
        &self,
        context: &Context,
        subject: SubjectFields,
    ) -> Result<ChangedLegalHold, CommandError> {
        let mut wrong = context.violations(false);
        let subject = HoldSubject::try_from(subject)
            .map_err(|error| wrong.push(Violation::new("/subject", Rule::Required, error.to_string())));
        if context.ticket.is_none() {
            let detail = "a legal hold names the case that it is for";
            wrong.push(Violation::new("/ticket", Rule::Required, detail));
        }
        let (Ok(subject), Some(ticket), true) = (subject, context.ticket.clone(), wrong.is_empty()) else {
            return Err(CommandError::Invalid(wrong));
        };
        let mut person = None;
        match subject {
            HoldSubject::Client(client) => {
                let loaded = self.clients.current(&client.to_string()).await?;
                // A deleted client has a history too.
                loaded.aggregate.registration().ok_or(CommandError::NotFound("client"))?;
            }
            HoldSubject::Person(person_id) => {
                if !self.vault.is_erased(person_id.0) && !self.vault.knows(person_id.0).await? {
                    return Err(CommandError::NotFound("person"));
                }
                person = Some(person_id);
            }
            HoldSubject::Everything => {}
        }
        let id = LegalHoldId(uuid_v7(self.log.now(), self.entropy.as_ref())?);
        let command = LegalHoldCommand::PlaceLegalHold { id, subject, ticket, erased: false };
        self.execute_hold(context, id, command, person).await
    }

    /// Decides and appends; `person` must not be erased meanwhile.
    async fn execute_hold(
        &self,
        context: &Context,
        id: LegalHoldId,
        command: LegalHoldCommand,
        person: Option<PersonId>,
    ) -> Result<ChangedLegalHold, CommandError> {
        self.check_why(context)?;
        for _ in 0..MOST_ATTEMPTS {
            let holds = self.legal_holds.current(LegalHolds::REGISTER).await?;
            let mut command = command.clone();
            let mut unmoved = None;
            if let (LegalHoldCommand::PlaceLegalHold { erased, .. }, Some(person)) = (&mut command, person) {
                let register = self.erasures.current(Erasures::REGISTER).await?;
                *erased = register.aggregate.erased_at(person).is_some();
                let stream = Loader::<Erasures>::stream(Erasures::REGISTER)?;
                unmoved = Some(ProposedStream::unmoved(stream, register.revision));
            }
            let events = holds.aggregate.decide(command, self.log.now())?;
            let own = ProposedStream {
                stream: Loader::<LegalHolds>::stream(LegalHolds::REGISTER)?,
                expected: ExpectedRevision::Exact(holds.revision),
                environment: None,
                responsible: None,
                events: events.iter().cloned().map(Event::LegalHold).collect(),
                private: Vec::new(),
            };
            let streams = [own].into_iter().chain(unmoved).collect();
            match self.append(context, Proposal { streams, ..Proposal::default() }).await {
                Ok(receipt) => {
                    let mut aggregate = holds.aggregate.clone();
                    events.iter().for_each(|event| aggregate.apply(event, receipt.at));
                    let hold = aggregate.get(id).cloned().ok_or(CommandError::NotFound("legal_hold"))?;
                    let revision = Revision::new(holds.revision.get() + events.len() as u64);
                    self.legal_holds.remember(LegalHolds::REGISTER, aggregate, revision, receipt.position);
                    return Ok(ChangedLegalHold { hold, position: receipt.position, replayed: false });
                }
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { .. })) => {
                    self.legal_holds.forget(LegalHolds::REGISTER);
                    self.erasures.forget(Erasures::REGISTER);
                }
                Err(NotAppended::ByLog(AppendError::DuplicateCommand(_))) => {
                    return Err(CommandError::Contended);
                }
                Err(NotAppended::ByLog(error)) => return Err(CommandError::Fault(error.into())),
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    async fn replayed_hold(&self, replay: Replay) -> Result<ChangedLegalHold, CommandError> {
        let Event::LegalHold(event) = replay.event()? else {
            return Err(CommandError::IdempotencyMismatch);
        };
        let holds = self.legal_holds.current(LegalHolds::REGISTER).await?;
        let hold = holds.aggregate.get(event.id()).cloned();
        let hold = hold.ok_or(CommandError::NotFound("legal_hold"))?;
        Ok(ChangedLegalHold { hold, position: replay.recorded.position, replayed: true })
    }
}
