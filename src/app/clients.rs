//! The use cases of clients.

mod channel;
mod contacts;
mod create;
mod execute;
mod leaked;
mod payloads;
mod registration;
mod request;
mod responsible;
mod secrets;

use crypto::SecretString;
use domain::{
    Client, ClientCommand, ClientId, EnvironmentName, Erasures, Permission, Violation, client::Registration,
};
use store::{Position, Revision};

pub use channel::Channel;
use execute::{Beside, Facts, HangsOn, Target};
pub use payloads::{OwnUse, PayloadAnswer, PayloadRequest};
pub(crate) use registration::REGISTRATION;
pub use registration::{
    OwnRegistration, RegistrationAttempt, RegistrationError, RegistrationRefusal, RegistrationRequest,
};
pub use request::{
    ChangeClientRequest, ClientEdit, Contact, CreateClientRequest, IssueSecretRequest, RedirectUriEdit,
};
pub use responsible::HandedOver;
pub use secrets::RevealedSigningSecrets;

use crate::{
    App, Inner,
    aggregates::{Loaded, Loader},
    context::{Context, IfMatch},
    error::{CommandError, Fault},
    execute::MOST_ATTEMPTS,
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
    /// What it manages its registration with; `None` unless it registered itself.
    pub registration_access_token: Option<SecretString>,
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

impl App {
    /// Changes name, description, contacts, redirect URIs, scopes, or whether payloads are encrypted. Needs `clients:write`.
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

    /// Changes what `edit` makes of the client as it stands when it is decided, by the rules of a channel. Needs
    /// `clients:write`, and no `If-Match`: the edit says itself what it is made for.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Invalid`] with what `edit` says.
    pub async fn edit_client(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
        if_match: Option<IfMatch>,
        channel: Channel,
        edit: impl Fn(&Registration) -> Result<ClientEdit, Vec<Violation>> + Send + Sync + 'static,
    ) -> Result<ChangedClient, CommandError> {
        self.run(move |inner| async move {
            let target = Target { environment, client_id, if_match };
            let work = inner.edit_by(&context, &target, channel, &edit);
            inner.on_client(&context, &target, Permission::ClientsWrite, work).await
        })
        .await
    }

    /// Lets no token be good any more that it got so far. Needs `clients:write`, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke_tokens(
        &self,
        context: Context,
        environment: EnvironmentName,
        client_id: ClientId,
    ) -> Result<ChangedClient, CommandError> {
        self.plain(context, environment, client_id, ClientCommand::RevokeTokens).await
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

    async fn edit_by(
        &self,
        context: &Context,
        target: &Target,
        channel: Channel,
        edit: &(dyn Fn(&Registration) -> Result<ClientEdit, Vec<Violation>> + Send + Sync),
    ) -> Result<ChangedClient, CommandError> {
        self.check_context(context, &target.environment).await?;
        let judged = |registration: &Registration, facts: &Facts| {
            let ClientEdit { client_name, description, redirect_uris } =
                edit(registration).map_err(CommandError::Invalid)?;
            let new = redirect_uris.as_deref().unwrap_or_default();
            let wrong = channel.check_redirect_uris(new, &registration.redirect_uris);
            if !wrong.is_empty() {
                return Err(CommandError::Invalid(wrong));
            }
            Ok(ClientCommand::ChangeClient(Box::new(domain::client::ChangeClient {
                client_name,
                description,
                redirect_uris,
                redirect_rule: facts.policy.redirect_rule,
                ..domain::client::ChangeClient::default()
            })))
        };
        self.execute_judged(context, target, HangsOn::default(), judged, Beside::default()).await
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
        let sound = match self.check_context(context, &target.environment).await {
            Ok(()) => true,
            Err(CommandError::Invalid(_)) => false,
            Err(error) => return Err(error),
        };
        for _ in 0..MOST_ATTEMPTS {
            let register = self.erasures.current(Erasures::REGISTER).await?.revision;
            match self.change_sealed(context, target, &request, sound).await {
                // Somebody was erased meanwhile: whoever is sealed under a key that is gone has to be sealed anew.
                Err(CommandError::Contended)
                    if self.erasures.current(Erasures::REGISTER).await?.revision != register => {}
                changed => return changed,
            }
        }
        Err(CommandError::Contended)
    }

    async fn change_sealed(
        &self,
        context: &Context,
        target: &Target,
        request: &ChangeClientRequest,
        sound: bool,
    ) -> Result<ChangedClient, CommandError> {
        let loaded = self.clients.current(&target.client_id.to_string()).await?;
        target.registration(&loaded.aggregate)?;
        let mut beside = Beside::default();
        if sound {
            self.rehearse_change(target, &loaded, request).await?;
        }
        let contacts = match &request.contacts {
            // The decision refuses it, with all else that is wrong: nothing is sealed for it.
            Some(_) if !sound => None,
            Some(contacts) if self.same_contacts(target.client_id, contacts).await? => None,
            Some(contacts) => Some(self.seal_contacts(contacts, &mut beside).await?),
            None => None,
        };
        let command = domain::client::ChangeClient {
            client_name: request.client_name.clone(),
            description: request.description.clone(),
            contacts,
            redirect_uris: request.redirect_uris.clone(),
            post_logout_redirect_uris: request.post_logout_redirect_uris.clone(),
            scope: request.scope.clone(),
            jwks: request.jwks.clone(),
            access_token_format: request.access_token_format,
            payload_encryption: request.payload_encryption,
            ..domain::client::ChangeClient::default()
        };
        self.execute_judged(
            context,
            target,
            HangsOn { scope: request.scope.as_deref(), ..HangsOn::default() },
            |registration, facts| {
                let mut command = command.clone();
                command.redirect_rule = facts.policy.redirect_rule;
                command.type_rules.clone_from(&facts.type_rules);
                if let Some(edit) = &request.redirect_uri_edit {
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
