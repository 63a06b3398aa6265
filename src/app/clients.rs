//! The use cases of clients.

mod contacts;
mod create;
mod leaked;
mod request;
mod secrets;

use crypto::SecretString;
use domain::{
    Client, ClientCommand, ClientEvent, ClientId, Environment, EnvironmentName, Event, Permission, SecretId,
    client::{Registration, SecretState},
    client_type::TypeRules,
    environment::Policy,
};
use jiff::Timestamp;
use store::{AppendError, ExpectedRevision, Position, Revision, StreamName};

pub use request::{ChangeClientRequest, Contact, CreateClientRequest, IssueSecretRequest, RedirectUriEdit};
pub use secrets::RevealedSigningSecrets;

use crate::{
    App, Inner,
    aggregates::{Loaded, Loader},
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

/// What a command on a client is judged by, beside the client.
struct Facts {
    policy: Policy,
    /// The rules of its type, if it asks for scopes and the catalog has the type.
    type_rules: Option<TypeRules>,
}

/// What goes into a command's commit beside its events.
#[derive(Default)]
struct Beside {
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

    /// Lets one client be sent to a scheme of its own. Needs `environments:write`, for it is an exception to the rules of
    /// the environment, and a reason whatever the environment asks for.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn grant_redirect_exception(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        scheme: String,
    ) -> Result<ChangedClient, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match: None };
            let work = async {
                let loaded = inner.clients.current(&client_id.to_string()).await?;
                target.registration(&loaded.aggregate)?;
                let wrong = context.violations(true);
                if !wrong.is_empty() {
                    return Err(CommandError::Invalid(wrong));
                }
                inner.plain(&context, &target, ClientCommand::GrantRedirectException { scheme }).await
            };
            inner.on_client(&context, &target, Permission::EnvironmentsWrite, work).await
        })
        .await
    }

    /// Ends an exception, and takes away the redirect URIs that live by it. Needs `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::NotFound`] if there is no such exception.
    pub async fn withdraw_redirect_exception(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        scheme: String,
    ) -> Result<ChangedClient, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match: None };
            let command = |registration: &Registration| {
                let granted = registration.redirect_exceptions.iter().find(|one| one.as_str() == scheme);
                let scheme = granted.cloned().ok_or(CommandError::NotFound("redirect_exception"))?;
                Ok(ClientCommand::WithdrawRedirectException { scheme })
            };
            let work = inner.execute(&context, &target, command, Beside::default());
            inner.on_client(&context, &target, Permission::ClientsWrite, work).await
        })
        .await
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
        self.execute(context, target, |_| Ok(command.clone()), Beside::default()).await
    }

    async fn edit(
        &self,
        context: &Context,
        target: &Target,
        command: ClientCommand,
    ) -> Result<ChangedClient, CommandError> {
        if target.if_match.is_none() {
            return Err(CommandError::PreconditionRequired);
        }
        self.plain(context, target, command).await
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
        target.registration(&loaded.aggregate)?;
        let mut beside = Beside::default();
        self.rehearse_change(target, &loaded, &request).await?;
        let contacts = match &request.contacts {
            Some(contacts) if self.same_contacts(target.client_id, contacts).await? => None,
            Some(contacts) => Some(self.seal_contacts(contacts, &mut beside).await?),
            None => None,
        };
        let scope = request.scope.clone();
        let command = domain::client::ChangeClient {
            client_name: request.client_name,
            contacts,
            redirect_uris: request.redirect_uris.clone(),
            scope: request.scope,
            ..domain::client::ChangeClient::default()
        };
        let edit = request.redirect_uri_edit;
        self.execute_judged(
            context,
            target,
            scope.as_deref(),
            |registration, facts| {
                let mut command = command.clone();
                command.redirect_rule = facts.policy.redirect_rule;
                command.type_rules.clone_from(&facts.type_rules);
                if let Some(edit) = &edit {
                    command.redirect_uris = Some(edit.applied(&registration.redirect_uris)?);
                }
                Ok(ClientCommand::ChangeClient(Box::new(command)))
            },
            beside,
        )
        .await
    }

    /// Refuses what can be refused before anything is made for it: a key for a contact of a change that never came to be
    /// would stay behind.
    async fn rehearse_change(
        &self,
        target: &Target,
        loaded: &Loaded<Client>,
        request: &ChangeClientRequest,
    ) -> Result<(), CommandError> {
        if request.contacts.is_none() {
            return Ok(());
        }
        let stream = Loader::<Client>::stream(&target.client_id.to_string())?;
        self.check_if_match(target.if_match, loaded.revision, &stream).await?;
        let Some(client_name) = &request.client_name else { return Ok(()) };
        let rename = domain::client::ChangeClient {
            client_name: Some(client_name.clone()),
            ..domain::client::ChangeClient::default()
        };
        loaded.aggregate.decide(ClientCommand::ChangeClient(Box::new(rename)), self.log.now())?;
        self.check_name_is_free(&target.environment, client_name, Some(&stream)).await
    }

    /// Decides and appends a command that is judged by the client alone.
    async fn execute(
        &self,
        context: &Context,
        target: &Target,
        command: impl Fn(&Registration) -> Result<ClientCommand, CommandError>,
        beside: Beside,
    ) -> Result<ChangedClient, CommandError> {
        self.execute_judged(context, target, None, |registration, _| command(registration), beside).await
    }

    /// Decides and appends, and decides again when another command was faster, on the client or on what it is judged by:
    /// the policy of its environment, which also says whether there must be a reason, and the type if it asks for `scope`.
    async fn execute_judged(
        &self,
        context: &Context,
        target: &Target,
        scope: Option<&str>,
        command: impl Fn(&Registration, &Facts) -> Result<ClientCommand, CommandError>,
        beside: Beside,
    ) -> Result<ChangedClient, CommandError> {
        let id = target.client_id.to_string();
        let stream = Loader::<Client>::stream(&id)?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.clients.current(&id).await?;
            let registration = target.registration(&loaded.aggregate)?;
            self.check_if_match(target.if_match, loaded.revision, &stream).await?;
            let (facts, unmoved) = self.facts(context, target, registration, scope).await?;
            let now = self.log.now();
            let events = loaded.aggregate.decide(command(registration, &facts)?, now)?;
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
            let mut streams = vec![ProposedStream {
                stream: stream.clone(),
                expected: ExpectedRevision::Exact(loaded.revision),
                environment: Some(target.environment.to_string()),
                responsible: Some(registration.responsible.to_string()),
                events: events.iter().cloned().map(Event::Client).collect(),
                private: beside.private.clone(),
            }];
            let unmoved = unmoved.into_iter();
            streams.extend(unmoved.map(|(stream, revision)| ProposedStream::unmoved(stream, revision)));
            let proposal = Proposal {
                claims: claim_changes(loaded.aggregate.claims(&events), &stream),
                credentials: beside.credentials.clone(),
                destroyed_credentials: ended_credentials(&loaded.aggregate, &events, now),
                streams,
                ..Proposal::default()
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
        let wrong = context.violations(policy.reason_required.covers(context.operation));
        if wrong.is_empty() { Ok(()) } else { Err(CommandError::Invalid(wrong)) }
    }

    /// What a command on a client is judged by beside the client, as it stands now, and the streams that say so.
    async fn facts(
        &self,
        context: &Context,
        target: &Target,
        registration: &Registration,
        scope: Option<&str>,
    ) -> Result<(Facts, Vec<(StreamName, Revision)>), CommandError> {
        let (policy, stream) = self.policy(&target.environment).await?;
        let wrong = context.violations(policy.reason_required.covers(context.operation));
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let mut unmoved = vec![stream];
        let mut type_rules = None;
        if let Some(scope) = scope
            && let Some((rules, streams)) = self.type_rules(&registration.client_type, scope).await?
        {
            unmoved.extend(streams);
            type_rules = Some(rules);
        }
        Ok((Facts { policy, type_rules }, unmoved))
    }

    async fn policy(
        &self,
        environment: &EnvironmentName,
    ) -> Result<(Policy, (StreamName, Revision)), CommandError> {
        let loaded = self.environments.current(environment.as_str()).await?;
        let policy = loaded.aggregate.policy().cloned().ok_or(CommandError::NotFound("environment"))?;
        let stream = Loader::<Environment>::stream(environment.as_str())?;
        Ok((policy, (stream, loaded.revision)))
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

/// Verifiers that nothing will ever be checked against again, and signing secrets that nothing is signed with.
fn ended_credentials(before: &Client, events: &[ClientEvent], now: Timestamp) -> Vec<String> {
    let mut ended: Vec<&SecretId> = Vec::new();
    let client = before.registration();
    let unrevoked = || client.iter().flat_map(|client| &client.secrets).filter(|it| it.revoked_at.is_none());
    // Nothing happens at the moment at which a secret expires: it is cleared away when the next one comes.
    let expired = || unrevoked().filter(|secret| secret.state(now) == SecretState::Expired);
    let replaced_before =
        || client.and_then(|client| client.replaced_signing_secret.as_ref()).map(|it| &it.secret.id);
    for event in events {
        match event {
            ClientEvent::SecretIssued(_) => ended.extend(expired().map(|secret| &secret.id)),
            ClientEvent::SecretRotated(rotated) => {
                ended.extend(&rotated.revoked);
                ended.extend(expired().map(|secret| &secret.id));
            }
            ClientEvent::SecretRevoked(revoked) => ended.push(&revoked.secret_id),
            ClientEvent::RotationCompleted(completed) => ended.extend(&completed.ended),
            ClientEvent::RotationCancelled(cancelled) => ended.push(&cancelled.secret_id),
            ClientEvent::SigningSecretRotated(rotated) => {
                ended.extend(replaced_before());
                if rotated.replaced_expires_at.is_none() {
                    ended.push(&rotated.replaced_id);
                }
            }
            ClientEvent::SigningSecretRotationCompleted(completed) => ended.push(&completed.ended_id),
            ClientEvent::Deleted(_) => {
                ended.extend(unrevoked().map(|secret| &secret.id));
                ended.extend(client.map(|client| &client.signing_secret.id));
                ended.extend(replaced_before());
            }
            ClientEvent::Created(_)
            | ClientEvent::NameChanged(_)
            | ClientEvent::ContactsChanged(_)
            | ClientEvent::RedirectUrisChanged(_)
            | ClientEvent::RedirectExceptionGranted(_)
            | ClientEvent::RedirectExceptionWithdrawn(_)
            | ClientEvent::ScopeChanged(_)
            | ClientEvent::SecretChanged(_)
            | ClientEvent::SecretLeakReported(_)
            | ClientEvent::SigningSecretRevealed(_)
            | ClientEvent::Deactivated(_)
            | ClientEvent::Enabled(_) => {}
        }
    }
    ended.into_iter().map(ToString::to_string).collect()
}
