//! What members allow clients, and how that ends.

use domain::{
    Claim, ClientId, EnvironmentName, Event, Grant, GrantCommand, GrantError, GrantEvent, GrantId, MemberId,
    grant::GivenGrant,
};
use store::{AppendError, ExpectedRevision, Position, Revision};

use crate::{
    App, Inner,
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream, claim_changes, claim_key},
};

/// A grant after a command.
#[derive(Clone, Debug)]
pub struct ChangedGrant {
    /// Its id.
    pub grant_id: GrantId,
    /// What was given; `None` if the member said no.
    pub grant: Option<GivenGrant>,
    /// The position to wait for before reading what the command did.
    pub position: Position,
}

impl App {
    /// What was given, as the log stands now.
    ///
    /// # Errors
    /// A fault.
    pub async fn grant(&self, grant_id: GrantId) -> Result<Option<GivenGrant>, CommandError> {
        Ok(self.inner.grants.current(&grant_id.to_string()).await?.aggregate.given().cloned())
    }

    /// Takes a member's consent back, by that member. No token of it is good from then on.
    ///
    /// # Errors
    /// [`CommandError::NotFound`] if it is not this member's.
    pub async fn withdraw_grant(
        &self,
        context: Context,
        grant_id: GrantId,
    ) -> Result<ChangedGrant, CommandError> {
        self.run(move |inner| async move {
            let member = context.member().ok_or(CommandError::Unauthenticated)?;
            let loaded = inner.grants.current(&grant_id.to_string()).await?;
            match loaded.aggregate.given() {
                Some(given) if given.member_id == member => {}
                Some(_) | None => return Err(CommandError::NotFound("grant")),
            }
            inner.change_grant(&context, grant_id, GrantCommand::Withdraw).await
        })
        .await
    }
}

impl Inner {
    /// The grant by which a member is not asked again for a client, if there is one.
    pub(crate) async fn remembered_grant(
        &self,
        environment: &EnvironmentName,
        client_id: ClientId,
        member_id: MemberId,
    ) -> Result<Option<(GrantId, GivenGrant)>, Fault> {
        let claim = claim_key(&Claim::remembered_grant(environment, client_id, member_id));
        let Some(holder) = self.log.claim_holder(&claim).await? else { return Ok(None) };
        let Ok(grant_id) = holder.id().parse::<GrantId>() else { return Ok(None) };
        let loaded = self.grants.current(holder.id()).await?;
        Ok(loaded.aggregate.given().filter(|given| given.is_live()).map(|given| (grant_id, given.clone())))
    }

    /// Decides and appends, and decides again when another command was faster.
    pub(crate) async fn change_grant(
        &self,
        context: &Context,
        grant_id: GrantId,
        command: GrantCommand,
    ) -> Result<ChangedGrant, CommandError> {
        let id = grant_id.to_string();
        let stream = Loader::<Grant>::stream(&id)?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.grants.current(&id).await?;
            let events = loaded.aggregate.decide(command.clone(), self.log.now())?;
            let Some(environment) = environment_of(&loaded.aggregate, &events) else {
                return Err(CommandError::NotFound("grant"));
            };
            if events.is_empty() {
                let grant = loaded.aggregate.given().cloned();
                return Ok(ChangedGrant { grant_id, grant, position: self.log.head().await? });
            }
            let client_id = events.first().map(GrantEvent::client_id);
            let responsible = match client_id {
                Some(client_id) => self.responsible_for(client_id).await?,
                None => None,
            };
            let expected = match loaded.revision {
                Revision::NONE => ExpectedRevision::NoStream,
                revision => ExpectedRevision::Exact(revision),
            };
            let changes = events.iter().flat_map(|event| event.claims(&environment)).collect();
            let proposal = Proposal {
                streams: vec![ProposedStream {
                    stream: stream.clone(),
                    expected,
                    environment: Some(environment.to_string()),
                    responsible,
                    events: events.iter().cloned().map(Event::Grant).collect(),
                    private: Vec::new(),
                }],
                claims: claim_changes(changes, &stream),
                ..Proposal::default()
            };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let mut grant = loaded.aggregate.clone();
                    events.iter().for_each(|event| grant.apply(event, receipt.at));
                    let revision = Revision::new(loaded.revision.get() + events.len() as u64);
                    let given = grant.given().cloned();
                    self.grants.remember(&id, grant, revision, receipt.position);
                    return Ok(ChangedGrant { grant_id, grant: given, position: receipt.position });
                }
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { .. })) => self.grants.forget(&id),
                Err(NotAppended::ByLog(
                    AppendError::ClaimTaken { .. } | AppendError::DuplicateCommand(_),
                )) => {
                    return Err(CommandError::Contended);
                }
                Err(NotAppended::ByLog(error)) => return Err(CommandError::Fault(error.into())),
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// The member who answers for a client, as the log records it.
    async fn responsible_for(&self, client_id: ClientId) -> Result<Option<String>, Fault> {
        let client = self.clients.current(&client_id.to_string()).await?;
        Ok(client.aggregate.registration().map(|client| client.responsible.to_string()))
    }
}

fn environment_of(grant: &Grant, events: &[GrantEvent]) -> Option<EnvironmentName> {
    let told = events.iter().find_map(|event| match event {
        GrantEvent::Given(given) => Some(given.environment.clone()),
        GrantEvent::Denied(denied) => Some(denied.environment.clone()),
        GrantEvent::Widened(_)
        | GrantEvent::Withdrawn(_)
        | GrantEvent::Revoked(_)
        | GrantEvent::CodeReused(_)
        | GrantEvent::RefreshTokenReused(_) => None,
    });
    told.or_else(|| grant.given().map(|given| given.environment.clone()))
}

impl From<GrantError> for CommandError {
    fn from(error: GrantError) -> Self {
        match error {
            GrantError::NotFound | GrantError::Another => Self::NotFound("grant"),
            GrantError::Ended => Self::Gone("grant"),
        }
    }
}
