//! The use cases of clients.

mod contacts;
mod create;
mod request;
mod secrets;

use crypto::SecretString;
use domain::{
    Client, ClientCommand, ClientEvent, ClientId, ClientType, Environment, EnvironmentName, Event,
    Permission, client::Registration, client_type::TypeRules, environment::Policy,
};
use store::{AppendError, ExpectedRevision, Position, Revision};

pub use request::{ChangeClientRequest, Contact, CreateClientRequest, IssueSecretRequest, RedirectUriEdit};

use crate::{
    App, Inner,
    aggregates::Loader,
    context::{Context, IfMatch},
    error::{CommandError, Fault},
    execute::{AppendOrFault, MOST_ATTEMPTS, Proposal, ProposedStream, claim_changes},
    idempotency::Replay,
};

/// A client after a command.
#[derive(Clone, Debug)]
pub struct ChangedClient {
    /// Which one.
    pub client_id: ClientId,
    /// What it is now.
    pub registration: Registration,
    /// The revision it is at.
    pub revision: Revision,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request: nothing happened now.
    pub replayed: bool,
}

/// A client that was just created, with what is shown once.
#[derive(Debug)]
pub struct CreatedClient {
    /// The client.
    pub client: ChangedClient,
    /// Its secret; `None` for a public client and for a replay.
    pub client_secret: Option<SecretString>,
    /// Its signing secret; `None` for a replay.
    pub signing_secret: Option<SecretString>,
}

/// A secret that was just issued, with what is shown once.
#[derive(Debug)]
pub struct IssuedClientSecret {
    /// The client.
    pub client: ChangedClient,
    /// The id of the new secret; the one that was issued then, for a replay.
    pub secret_id: domain::SecretId,
    /// The new secret; `None` for a replay.
    pub secret: Option<SecretString>,
}

/// What a command on an existing client is made of, beside the command.
struct Target {
    environment: EnvironmentName,
    client_id: ClientId,
    if_match: Option<IfMatch>,
}

/// What goes into the vault with a command's events.
#[derive(Default)]
struct ForVault {
    credentials: Vec<store::Credential>,
    private: Vec<store::Disclosure>,
}

impl Target {
    /// What the client is, if it is there, in this environment, and not deleted.
    fn registration<'a>(&self, client: &'a Client) -> Result<&'a Registration, CommandError> {
        match client.registration() {
            Some(registration) if registration.environment == self.environment => {
                if registration.status == domain::client::Status::Deleted {
                    return Err(CommandError::Gone("client"));
                }
                Ok(registration)
            }
            // Environments are islands: the id of another one's client means nothing here.
            Some(_) | None => Err(CommandError::NotFound("client")),
        }
    }
}

impl App {
    /// Changes name, contacts, redirect URIs or scopes. Needs `clients:write`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_client(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        if_match: Option<IfMatch>,
        request: ChangeClientRequest,
    ) -> Result<ChangedClient, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match };
            {
                let work = inner.change(&context, &target, request);
                inner.on_client(&context, &target, Permission::ClientsWrite, work).await
            }
        })
        .await
    }

    /// Gives it no more tokens until it is enabled. Needs `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn deactivate_client(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
    ) -> Result<ChangedClient, CommandError> {
        self.plain(context, environment, client_id, ClientCommand::Deactivate).await
    }

    /// Gives it tokens again. Needs `clients:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn enable_client(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
    ) -> Result<ChangedClient, CommandError> {
        self.plain(context, environment, client_id, ClientCommand::Enable).await
    }

    /// Ends it for good; its name is free again, its history stays. Needs `clients:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn delete_client(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
    ) -> Result<ChangedClient, CommandError> {
        self.plain(context, environment, client_id, ClientCommand::Delete).await
    }

    async fn plain(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        command: ClientCommand,
    ) -> Result<ChangedClient, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match: None };
            let work = inner.plain(&context, &target, command);
            inner.on_client(&context, &target, Permission::ClientsWrite, work).await
        })
        .await
    }
}

impl Inner {
    /// Runs a use case on an existing client.
    async fn on_client(
        &self,
        context: &Context,
        target: &Target,
        permission: Permission,
        work: impl Future<Output = Result<ChangedClient, CommandError>>,
    ) -> Result<ChangedClient, CommandError> {
        let stream = Loader::<Client>::stream(&target.client_id.to_string())?;
        let replayed = |replay| async move { self.replayed_client(&replay).await };
        self.guarded(context, Some(&stream), context.demand(permission), work, replayed).await
    }

    async fn plain(
        &self,
        context: &Context,
        target: &Target,
        command: ClientCommand,
    ) -> Result<ChangedClient, CommandError> {
        self.check_context(context, &target.environment).await?;
        self.execute(context, target, |_| Ok(command.clone()), ForVault::default()).await
    }

    async fn change(
        &self,
        context: &Context,
        target: &Target,
        request: ChangeClientRequest,
    ) -> Result<ChangedClient, CommandError> {
        if target.if_match.is_none() {
            return Err(CommandError::PreconditionRequired);
        }
        self.check_context(context, &target.environment).await?;
        let loaded = self.clients.current(&target.client_id.to_string()).await?;
        let registration = target.registration(&loaded.aggregate)?;
        let mut vault = ForVault::default();
        let contacts = match &request.contacts {
            Some(contacts) if self.same_contacts(target.client_id, contacts).await? => None,
            Some(contacts) => Some(self.seal_contacts(contacts, &mut vault).await?),
            None => None,
        };
        let type_rules = match &request.scope {
            Some(_) => self.type_rules(&registration.client_type).await?.map(|(rules, _)| rules),
            None => None,
        };
        let command = domain::client::ChangeClient {
            client_name: request.client_name,
            contacts,
            redirect_uris: request.redirect_uris.clone(),
            scope: request.scope,
            type_rules,
        };
        let edit = request.redirect_uri_edit;
        self.execute(
            context,
            target,
            |registration| {
                let mut command = command.clone();
                if let Some(edit) = &edit {
                    command.redirect_uris = Some(edit.applied(&registration.redirect_uris)?);
                }
                Ok(ClientCommand::ChangeClient(Box::new(command)))
            },
            vault,
        )
        .await
    }

    /// Decides and appends, and decides again when another command was faster.
    async fn execute(
        &self,
        context: &Context,
        target: &Target,
        command: impl Fn(&Registration) -> Result<ClientCommand, CommandError>,
        vault: ForVault,
    ) -> Result<ChangedClient, CommandError> {
        let id = target.client_id.to_string();
        let stream = Loader::<Client>::stream(&id)?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.clients.current(&id).await?;
            let registration = target.registration(&loaded.aggregate)?;
            self.check_if_match(target.if_match, loaded.revision, &stream).await?;
            let now = self.log.now();
            let events = loaded.aggregate.decide(command(registration)?, now)?;
            if events.is_empty() {
                let position = self.log.head().await?;
                return Ok(ChangedClient {
                    client_id: target.client_id,
                    registration: registration.clone(),
                    revision: loaded.revision,
                    position,
                    replayed: false,
                });
            }
            let proposal = Proposal {
                claims: claim_changes(loaded.aggregate.claims(&events), &stream),
                credentials: vault.credentials.clone(),
                destroyed_credentials: ended_credentials(&loaded.aggregate, &events),
                streams: vec![ProposedStream {
                    stream: stream.clone(),
                    expected: ExpectedRevision::Exact(loaded.revision),
                    environment: Some(target.environment.to_string()),
                    responsible: Some(registration.responsible.to_string()),
                    events: events.iter().cloned().map(Event::Client).collect(),
                    private: vault.private.clone(),
                }],
            };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let mut aggregate = loaded.aggregate.clone();
                    for event in &events {
                        aggregate.apply(event, receipt.at);
                    }
                    let revision = Revision::new(loaded.revision.get() + events.len() as u64);
                    return self.remembered(target.client_id, aggregate, revision, receipt.position);
                }
                Err(AppendOrFault::Append(error)) => self.after_conflict(&id, error)?,
                Err(AppendOrFault::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(CommandError::Contended)
    }

    /// What a failed append means: decide again, or an error. A command that is recorded already is left to the guard,
    /// which answers it as the repeated request that it is.
    fn after_conflict(&self, id: &str, error: AppendError) -> Result<(), CommandError> {
        match error {
            // A name that is not held was released by the command that was faster: the next load sees it.
            AppendError::WrongExpectedRevision { .. } | AppendError::ClaimNotHeld { .. } => {
                self.clients.forget(id);
                Ok(())
            }
            AppendError::DuplicateCommand(_) => Err(CommandError::Contended),
            AppendError::ClaimTaken { key, .. } if key.namespace.starts_with("singleton:") => {
                Err(CommandError::Taken { pointer: "/client_type" })
            }
            AppendError::ClaimTaken { .. } => Err(CommandError::Taken { pointer: "/client_name" }),
            error @ (AppendError::Invalid(_) | AppendError::Unavailable { .. }) => {
                Err(CommandError::Fault(error.into()))
            }
        }
    }

    fn remembered(
        &self,
        client_id: ClientId,
        aggregate: Client,
        revision: Revision,
        position: Position,
    ) -> Result<ChangedClient, CommandError> {
        let registration = aggregate.registration().cloned().ok_or(CommandError::NotFound("client"))?;
        self.clients.remember(&client_id.to_string(), aggregate, revision, position);
        Ok(ChangedClient { client_id, registration, revision, position, replayed: false })
    }

    /// Reason and ticket, by the rules of the environment; and that there is such an environment.
    async fn check_context(
        &self,
        context: &Context,
        environment: &EnvironmentName,
    ) -> Result<(), CommandError> {
        let loaded = self.environments.current(environment.as_str()).await?;
        let policy = loaded.aggregate.policy().ok_or(CommandError::NotFound("environment"))?;
        let wrong = context.violations(policy.reason_required);
        if wrong.is_empty() { Ok(()) } else { Err(CommandError::Invalid(wrong)) }
    }

    async fn policy(&self, environment: &EnvironmentName) -> Result<(Policy, ProposedStream), CommandError> {
        let loaded = self.environments.current(environment.as_str()).await?;
        let policy = loaded.aggregate.policy().cloned().ok_or(CommandError::NotFound("environment"))?;
        let stream = Loader::<Environment>::stream(environment.as_str())?;
        Ok((policy, ProposedStream::unmoved(stream, loaded.revision)))
    }

    async fn type_rules(
        &self,
        client_type: &str,
    ) -> Result<Option<(TypeRules, ProposedStream)>, CommandError> {
        if !domain::client_type::is_type_name(client_type) {
            return Ok(None);
        }
        let loaded = self.client_types.current(client_type).await?;
        let stream = Loader::<ClientType>::stream(client_type)?;
        Ok(loaded
            .aggregate
            .rules()
            .map(|rules| (rules.clone(), ProposedStream::unmoved(stream, loaded.revision))))
    }

    async fn replayed_client(&self, replay: &Replay) -> Result<ChangedClient, CommandError> {
        let id = replay.stream().id();
        let client_id = id.parse().map_err(|error| Fault::permanent("reading a recorded command", error))?;
        let loaded = self.clients.current(id).await?;
        let registration =
            loaded.aggregate.registration().cloned().ok_or(CommandError::NotFound("client"))?;
        Ok(ChangedClient {
            client_id,
            registration,
            revision: loaded.revision,
            position: replay.recorded.position,
            replayed: true,
        })
    }
}

/// Verifiers that nothing will ever be checked against again.
fn ended_credentials(before: &Client, events: &[ClientEvent]) -> Vec<String> {
    let mut ended = Vec::new();
    for event in events {
        match event {
            ClientEvent::SecretRotated(rotated) => {
                ended.extend(rotated.revoked.iter().map(ToString::to_string));
            }
            ClientEvent::SecretRevoked(revoked) => ended.push(revoked.secret_id.to_string()),
            ClientEvent::SigningSecretRotated(rotated) => ended.push(rotated.replaced_id.to_string()),
            ClientEvent::Deleted(_) => {
                if let Some(client) = before.registration() {
                    let live = client.secrets.iter().filter(|secret| secret.revoked_at.is_none());
                    ended.extend(live.map(|secret| secret.id.to_string()));
                    ended.push(client.signing_secret.id.to_string());
                }
            }
            ClientEvent::Created(_)
            | ClientEvent::NameChanged(_)
            | ClientEvent::ContactsChanged(_)
            | ClientEvent::RedirectUrisChanged(_)
            | ClientEvent::ScopeChanged(_)
            | ClientEvent::SecretIssued(_)
            | ClientEvent::SigningSecretRevealed(_)
            | ClientEvent::Deactivated(_)
            | ClientEvent::Enabled(_) => {}
        }
    }
    ended
}
