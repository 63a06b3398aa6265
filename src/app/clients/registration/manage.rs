//! Managing one's registration (RFC 7592 section 2).

use std::sync::Arc;

use crypto::{Binding, ExposeSecret, Personal, Presented, SecretKind};
use domain::{
    Client, ClientCommand, ClientId, Erasures, Rule, SecretId, Violation,
    client::{ChangeClient, Registration, ReplaceRegistration, SelfRegistered, Status},
    environment::Policy,
};

use super::{
    OwnRegistration, RegistrationAttempt, RegistrationError, RegistrationRefusal, RegistrationRequest,
    completed::beyond,
};
use crate::{
    App, ClientAuthenticationError, Inner, ProvedBy,
    activity::Deed,
    aggregates::Loaded,
    clients::{
        ChangedClient,
        execute::{Beside, HangsOn, Target},
    },
    context::{Actor, Context},
    error::{CommandError, Fault},
    execute::MOST_ATTEMPTS,
};

/// A client that has proved that this registration is its own.
struct Manager {
    target: Target,
    token_id: SecretId,
    loaded: Arc<Loaded<Client>>,
    deed: Deed,
}

impl App {
    /// What the client is registered as that asks.
    ///
    /// # Errors
    /// [`RegistrationError`]; each refusal is recorded or counted before it is answered.
    pub async fn read_registration(
        &self,
        attempt: RegistrationAttempt,
        client_id: String,
    ) -> Result<OwnRegistration, RegistrationError> {
        self.run(move |inner| async move { Ok(inner.read_registration(&attempt, &client_id).await) }).await?
    }

    /// Registers anew the client that asks, and gives it another token to manage that with.
    ///
    /// # Errors
    /// As [`App::read_registration`].
    pub async fn replace_registration(
        &self,
        attempt: RegistrationAttempt,
        client_id: String,
        request: RegistrationRequest,
    ) -> Result<OwnRegistration, RegistrationError> {
        self.run(
            move |inner| async move { Ok(inner.replace_registration(&attempt, &client_id, &request).await) },
        )
        .await?
    }

    /// Ends the client that asks.
    ///
    /// # Errors
    /// As [`App::read_registration`].
    pub async fn delete_registration(
        &self,
        attempt: RegistrationAttempt,
        client_id: String,
    ) -> Result<ChangedClient, RegistrationError> {
        self.run(move |inner| async move { Ok(inner.delete_registration(&attempt, &client_id).await) })
            .await?
    }
}

impl Inner {
    async fn read_registration(
        &self,
        attempt: &RegistrationAttempt,
        claimed: &str,
    ) -> Result<OwnRegistration, RegistrationError> {
        let Manager { target, loaded, deed, .. } = self.manager(attempt, claimed).await?;
        let registration = target.registration(&loaded.aggregate)?.clone();
        let own = OwnRegistration {
            contacts: self.own_contacts(target.client_id, &registration).await?,
            client: ChangedClient {
                client_id: target.client_id,
                registration,
                revision: loaded.revision,
                position: self.log.head().await.map_err(Fault::from)?,
                replayed: false,
            },
            client_secret: None,
            registration_access_token: None,
        };
        self.record_done(deed, Vec::new()).await?;
        Ok(own)
    }

    async fn replace_registration(
        &self,
        attempt: &RegistrationAttempt,
        claimed: &str,
        request: &RegistrationRequest,
    ) -> Result<OwnRegistration, RegistrationError> {
        let manager = self.manager(attempt, claimed).await?;
        let actor = manager.actor();
        let context = self.registration_context(attempt, actor, "ReplaceRegistration", request)?;
        match self.replace(&context, &manager, request).await {
            Ok(own) => Ok(own),
            Err(error) => Err(self.not_registered(manager.deed, &context, error).await),
        }
    }

    async fn delete_registration(
        &self,
        attempt: &RegistrationAttempt,
        claimed: &str,
    ) -> Result<ChangedClient, RegistrationError> {
        let manager = self.manager(attempt, claimed).await?;
        let nothing = RegistrationRequest::default();
        let context = self.registration_context(attempt, manager.actor(), "DeleteRegistration", &nothing)?;
        let command = |_: &Registration| Ok(ClientCommand::Delete);
        match self.execute(&context, &manager.target, command, Beside::default()).await {
            Ok(client) => Ok(client),
            Err(error) => Err(self.not_registered(manager.deed, &context, error).await),
        }
    }

    async fn replace(
        &self,
        context: &Context,
        manager: &Manager,
        request: &RegistrationRequest,
    ) -> Result<OwnRegistration, CommandError> {
        let target = &manager.target;
        let registration = target.registration(&manager.loaded.aggregate)?;
        let (policy, _) = self.policy(&target.environment).await?;
        let mut wrong = context.malformed.clone();
        wrong.extend(self.wrong_identity(target, request).await?);
        let limit = self.limit_of(&policy, registration).await?;
        let metadata = &request.client.metadata;
        if request.says_scope {
            let held = registration.scope.clone();
            let limit = domain::oauth::ScopeSet(limit.0.union(&held.0).cloned().collect());
            wrong.extend(beyond(&metadata.scope, &limit));
        }
        if request.client.contacts.is_empty() && policy.registration_defaults.contacts_required {
            let detail = "name at least one e-mail address";
            wrong.push(Violation::new("/contacts", Rule::Required, detail));
        }
        let name = match metadata.client_name.trim().is_empty() {
            true => registration.client_name.clone(),
            false => self.free_name(&target.environment, &metadata.client_name, target.client_id).await?,
        };
        let scope = request.says_scope.then(|| metadata.scope.clone());
        let token = self.mint_management_token(&target.environment, target.client_id)?;
        let mut replace = ReplaceRegistration {
            change: ChangeClient {
                client_name: Some(name),
                redirect_uris: Some(metadata.redirect_uris.clone()),
                scope: scope.clone(),
                // What is left out of a replacement is there no more (RFC 7592 section 2.2).
                post_logout_redirect_uris: Some(metadata.post_logout_redirect_uris.clone()),
                jwks: Some(metadata.jwks.clone()),
                ..ChangeClient::default()
            },
            grant_types: metadata.grant_types.clone(),
            token_endpoint_auth_method: metadata.token_endpoint_auth_method.clone(),
            software: request.software.clone(),
            names_contacts: !request.client.contacts.is_empty(),
            token: token.new.clone(),
        };
        self.rehearse_replacement(&manager.loaded, &replace, &policy, wrong)?;
        for _ in 0..MOST_ATTEMPTS {
            let register = self.erasures.current(Erasures::REGISTER).await?.revision;
            let mut beside = Beside { credentials: vec![token.row.clone()], ..Beside::default() };
            replace.change.contacts = self.replaced_contacts(target, request, &mut beside).await?;
            let judged = |registration: &Registration, facts: &crate::clients::execute::Facts| {
                if !manager.still_manages(registration) {
                    return Err(CommandError::Gone("registration"));
                }
                let mut replace = replace.clone();
                replace.change.redirect_rule = facts.policy.redirect_rule;
                replace.change.type_rules.clone_from(&facts.type_rules);
                Ok(ClientCommand::ReplaceRegistration(Box::new(replace)))
            };
            let hangs_on = HangsOn { scope: scope.as_deref(), ..HangsOn::default() };
            match self.execute_judged(context, target, hangs_on, judged, beside).await {
                Ok(client) => {
                    return Ok(OwnRegistration {
                        client,
                        contacts: request.client.contacts.iter().map(|one| one.email.clone()).collect(),
                        client_secret: None,
                        registration_access_token: Some(token.text),
                    });
                }
                // Somebody was erased meanwhile: whoever is sealed under a key that is gone has to be sealed anew.
                Err(CommandError::Contended)
                    if self.erasures.current(Erasures::REGISTER).await?.revision != register => {}
                Err(error) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// Refuses what can be refused before a person is looked up: everything at once.
    fn rehearse_replacement(
        &self,
        loaded: &Loaded<Client>,
        replace: &ReplaceRegistration,
        policy: &Policy,
        mut wrong: Vec<Violation>,
    ) -> Result<(), CommandError> {
        let mut rehearsed = replace.clone();
        rehearsed.change.redirect_rule = policy.redirect_rule;
        // Which scopes its type allows is known when it is decided.
        rehearsed.change.scope = None;
        let command = ClientCommand::ReplaceRegistration(Box::new(rehearsed));
        match loaded.aggregate.decide(command, self.log.now()).map_err(CommandError::from) {
            Ok(_) => {}
            Err(CommandError::Invalid(violations)) => wrong.extend(violations),
            Err(error) => return Err(error),
        }
        if wrong.is_empty() { Ok(()) } else { Err(CommandError::Invalid(wrong)) }
    }

    /// The contacts from now on, unless they stay who they are.
    async fn replaced_contacts(
        &self,
        target: &Target,
        request: &RegistrationRequest,
        beside: &mut Beside,
    ) -> Result<Option<Vec<domain::PersonId>>, CommandError> {
        let loaded = self.clients.current(&target.client_id.to_string()).await?;
        let registration = target.registration(&loaded.aggregate)?;
        let named = registration.self_registered.as_ref().is_some_and(|it| it.names_contacts);
        let contacts = match request.client.contacts.is_empty() {
            true if !named => return Ok(None),
            true => vec![self.acting_contact(registration.responsible).await?],
            false => request.client.contacts.clone(),
        };
        if self.same_contacts(target.client_id, &contacts).await? {
            return Ok(None);
        }
        self.seal_contacts(&contacts, beside).await.map(Some)
    }

    /// What may be asked for by who registered by this token; if nobody knows the token any more, what it has already.
    async fn limit_of(
        &self,
        policy: &Policy,
        registration: &Registration,
    ) -> Result<domain::oauth::ScopeSet, CommandError> {
        let came_by =
            registration.self_registered.as_ref().and_then(|it| it.initial_access_token_id.as_ref());
        let Some(token_id) = came_by else {
            return self.scope_limit(policy, &registration.client_type, None).await;
        };
        let loaded = self.admissions.current(registration.environment.as_str()).await?;
        match loaded.aggregate.token(token_id) {
            Some(token) => self.scope_limit(policy, &registration.client_type, token.scope.as_ref()).await,
            None => Ok(registration.scope.clone()),
        }
    }

    /// What is wrong with who the client says that it is: it chooses neither its id nor its secret (RFC 7592 section 2.2).
    async fn wrong_identity(
        &self,
        target: &Target,
        request: &RegistrationRequest,
    ) -> Result<Vec<Violation>, CommandError> {
        let mut wrong = Vec::new();
        let own = target.client_id.to_string();
        match &request.client_id {
            Some(said) if *said == own => {}
            Some(_) => {
                let detail = "must be the id of this client";
                wrong.push(Violation::new("/client_id", Rule::Contradiction, detail));
            }
            None => wrong.push(Violation::new("/client_id", Rule::Required, "must be given")),
        }
        if let Some(secret) = &request.client_secret {
            match self.judge_secret(&target.environment, &own, secret).await {
                Ok(_) => {}
                Err(ClientAuthenticationError::Failed(error)) => return Err(error),
                Err(ClientAuthenticationError::Refused(_) | ClientAuthenticationError::NoSuchEnvironment) => {
                    let detail = "must be a secret that the client has: it cannot choose one";
                    wrong.push(Violation::new("/client_secret", Rule::WrongSecret, detail));
                }
            }
        }
        Ok(wrong)
    }

    /// The addresses that the client named itself.
    async fn own_contacts(
        &self,
        client_id: ClientId,
        registration: &Registration,
    ) -> Result<Vec<Personal<String>>, CommandError> {
        if !registration.self_registered.as_ref().is_some_and(|it| it.names_contacts) {
            return Ok(Vec::new());
        }
        let contacts = self.contacts_of(client_id).await?;
        let email = |part: &serde_json::Value| part.get("email")?.as_str().map(str::to_owned);
        Ok(contacts.iter().filter_map(email).map(Personal::new).collect())
    }

    /// The client whose registration access token this is; who refuses it has recorded that.
    async fn manager(
        &self,
        attempt: &RegistrationAttempt,
        claimed: &str,
    ) -> Result<Manager, RegistrationError> {
        if self.policy_of(&attempt.environment).await?.is_none() {
            return self.no_such_environment(attempt).await;
        }
        let client_id: Option<ClientId> = claimed.parse().ok();
        let mut deed = attempt.deed(client_id.as_ref(), None);
        match self.judge_manager(attempt, client_id, &mut deed).await? {
            Ok((target, token_id, loaded)) => Ok(Manager { target, token_id, loaded, deed }),
            Err(refusal) => {
                self.record_refused(deed, refusal.as_str()).await?;
                Err(RegistrationError::Refused(refusal))
            }
        }
    }

    async fn judge_manager(
        &self,
        attempt: &RegistrationAttempt,
        client_id: Option<ClientId>,
        deed: &mut Deed,
    ) -> Result<Result<(Target, SecretId, Arc<Loaded<Client>>), RegistrationRefusal>, Fault> {
        let Some(token) = &attempt.token else { return Ok(Err(RegistrationRefusal::TokenMissing)) };
        let unknown = Ok(Err(RegistrationRefusal::TokenUnknown));
        let (Some(client_id), Ok(presented)) = (client_id, Presented::parse(token.expose_secret())) else {
            return unknown;
        };
        let owner = client_id.to_string();
        let binding = Binding { environment: attempt.environment.as_str(), owner: &owner };
        if presented.kind() != SecretKind::RegistrationAccessToken
            || presented.verify_tag(&self.vault.ring.tags, &binding).is_err()
        {
            return unknown;
        }
        let token_id = SecretId(presented.id().as_str().to_owned());
        deed.credential = Some(token_id.to_string());
        let loaded = self.clients.current(&owner).await?;
        let Some(registration) = loaded.aggregate.registration() else { return unknown };
        let Some(registered) = &registration.self_registered else { return unknown };
        if registration.status == Status::Deleted || registered.registration_access_token.id != token_id {
            return Ok(Err(RegistrationRefusal::TokenEnded));
        }
        let commitment = &registered.registration_access_token.commitment;
        if !self.is_registration_token(&presented, commitment).await? {
            return unknown;
        }
        if registration.status == Status::Inactive {
            return Ok(Err(RegistrationRefusal::Deactivated));
        }
        let target = Target { environment: attempt.environment.clone(), client_id, if_match: None };
        Ok(Ok((target, token_id, loaded)))
    }
}

impl Manager {
    fn actor(&self) -> Actor {
        Actor::Client { client_id: self.target.client_id, by: ProvedBy::Secret(self.token_id.clone()) }
    }

    /// Whether its token is the one that manages the registration, when that is decided.
    fn still_manages(&self, registration: &Registration) -> bool {
        let current = |it: &SelfRegistered| it.registration_access_token.id == self.token_id;
        registration.status == Status::Active && registration.self_registered.as_deref().is_some_and(current)
    }
}
