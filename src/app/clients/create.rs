//! Registering a client.

use std::{borrow::Cow, sync::Arc};

use crypto::{SecretString, SigningSecret};
use domain::{
    Claim, Client, ClientCommand, ClientId, EnvironmentName, Event, Permission, Violation,
    client::{CreateClient, NewSecret, NewSigningSecret},
    oauth::TokenEndpointAuthMethod,
};
use store::{AppendError, ExpectedRevision, StreamName};

use super::{Beside, CreateClientRequest, CreatedClient, registration::Registering};
use crate::{
    App, Inner,
    aggregates::Loader,
    context::Context,
    error::CommandError,
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream, claim_changes, claim_key},
    idempotency::Replay,
    ids::uuid_v7,
    look,
};

impl App {
    /// Registers a client. Needs `clients:write`.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::Invalid`] names every field at fault at once.
    pub async fn create_client(
        &self,
        context: Context,
        environment: EnvironmentName,
        request: CreateClientRequest,
    ) -> Result<CreatedClient, CommandError> {
        self.run(move |inner| async move {
            let allowed = context.demand(Permission::ClientsWrite);
            let work = inner.create(&context, &environment, &request, None);
            let replayed = |replay| inner.replayed_creation(replay);
            inner.guarded(&context, None, allowed, work, replayed).await
        })
        .await
    }
}

impl Inner {
    /// Registers a client for a member, or one that registers itself.
    pub(super) async fn create(
        self: &Arc<Self>,
        context: &Context,
        environment: &EnvironmentName,
        request: &CreateClientRequest,
        by_itself: Option<&Registering>,
    ) -> Result<CreatedClient, CommandError> {
        let responsible = match by_itself {
            Some(registering) => registering.responsible,
            None => context.member().ok_or(CommandError::Denied(Permission::ClientsWrite))?,
        };
        let client_id = ClientId(uuid_v7(self.log.now(), self.entropy.as_ref())?);
        let mut beside = Beside::default();
        let mut rehearsed = false;
        let mut minted = self.mint_client_secrets(environment, client_id, request)?;
        let token = match by_itself {
            Some(_) => Some(self.mint_management_token(environment, client_id)?),
            None => None,
        };
        beside.credentials.extend(token.iter().map(|token| token.row.clone()));
        let mut turn = None;
        for _ in 0..MOST_ATTEMPTS {
            let (policy, policy_fact) = self.policy(environment).await?;
            let self_registration = by_itself.zip(token.as_ref()).map(|(registering, token)| {
                registering.recorded(!request.contacts.is_empty(), token.new.clone())
            });
            let request = match by_itself {
                Some(registering) => {
                    let completed =
                        self.completed_by_itself(request, registering, environment, &policy, client_id);
                    Cow::Owned(completed.await?)
                }
                None => self.completed(request, environment, &policy, responsible).await?,
            };
            let request = request.as_ref();
            let type_rules =
                self.type_rules(request.metadata.client_type.trim(), &request.metadata.scope).await?;
            let command = |contacts, minted: &MintedSecrets| CreateClient {
                environment: environment.clone(),
                metadata: request.metadata.clone(),
                contacts,
                responsible,
                terms_accepted: request.terms_accepted.clone(),
                secret: Some(minted.secret.clone()),
                signing_secret: minted.signing_secret.clone(),
                policy: policy.clone(),
                type_rules: type_rules.as_ref().map(|(rules, _)| rules.clone()),
                self_registration: self_registration.clone(),
            };
            if !rehearsed {
                // Everything that can be refused is refused before a person is looked up and before Argon2 is asked:
                // bad requests must not be dear.
                self.rehearse(context, request, context.must_say_why(&policy), command, &minted)?;
                self.check_name_is_free(environment, &request.metadata.client_name, None).await?;
                if let Some(registering) = by_itself {
                    self.let_in(registering, environment, client_id, &policy).await?;
                }
                beside.credentials.extend(self.seal_client_secrets(request, &mut minted).await?);
                rehearsed = true;
            }
            let mut contacts_beside = Beside::default();
            let contacts = self.seal_contacts(&request.contacts, &mut contacts_beside).await?;
            let create = ClientCommand::CreateClient(Box::new(command(contacts, &minted)));
            let events = Client::Absent.decide(create, self.log.now())?;

            if by_itself.is_some() && turn.is_none() {
                turn = Some(self.admitting.lock().await);
                look::again();
            }
            let mut admitted = match by_itself {
                Some(registering) => Some(self.let_in(registering, environment, client_id, &policy).await?),
                None => None,
            };
            let stream = Loader::<Client>::stream(&client_id.to_string())?;
            let mut streams = vec![ProposedStream {
                stream: stream.clone(),
                expected: ExpectedRevision::NoStream,
                environment: Some(environment.to_string()),
                responsible: Some(responsible.to_string()),
                events: events.iter().cloned().map(Event::Client).collect(),
                private: contacts_beside.private,
            }];
            if let Some(admitted) = &mut admitted {
                streams.extend(admitted.parts(environment, responsible)?);
            }
            let of_type = type_rules.into_iter().flat_map(|(_, facts)| facts);
            let facts = std::iter::once(policy_fact).chain(of_type).chain(contacts_beside.unmoved);
            streams.extend(facts.map(|(stream, revision)| ProposedStream::unmoved(stream, revision)));
            let proposal = Proposal {
                streams,
                claims: claim_changes(Client::Absent.claims(&events), &stream),
                credentials: beside.credentials.clone(),
                ..Proposal::default()
            };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let mut client = Client::Absent;
                    for event in &events {
                        client.apply(event, receipt.at);
                    }
                    if let Some(admitted) = &admitted {
                        let before = (&admitted.before.aggregate, admitted.before.revision);
                        self.remember_admission(environment, before, &admitted.events, &receipt);
                    }
                    let revision = store::Revision::new(events.len() as u64);
                    let client = self.remembered(client_id, client, revision, receipt.position)?;
                    let has_secret = client.registration.token_endpoint_auth_method.has_secret();
                    return Ok(CreatedClient {
                        client,
                        client_secret: has_secret.then_some(minted.secret_text),
                        signing_secret: Some(minted.signing_secret_text),
                        registration_access_token: token.map(|token| token.text),
                    });
                }
                Err(NotAppended::ByLog(error)) => {
                    // A client that registers itself gets another name in place of one that was taken meanwhile.
                    let renamed = by_itself.is_some() && matches!(error, AppendError::ClaimTaken { .. });
                    if !renamed {
                        self.after_conflict(error)?;
                    }
                    self.admissions.forget(environment.as_str());
                    self.members.forget(&responsible.to_string());
                    // Only policy, type or the register of erasures can have moved: the client's own stream is new.
                    self.environments.forget(environment.as_str());
                    self.client_types.forget(request.metadata.client_type.trim());
                }
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// Refuses a name that is taken before anything is made for it: the commit is what decides, but a key for a contact of
    /// a client that never came to be would stay behind. `own` may hold it.
    pub(super) async fn check_name_is_free(
        &self,
        environment: &EnvironmentName,
        client_name: &str,
        own: Option<&StreamName>,
    ) -> Result<(), CommandError> {
        let claim = claim_key(&Claim::client_name(environment, client_name));
        match self.log.claim_holder(&claim).await? {
            Some(holder) if own != Some(&holder) => Err(CommandError::Taken { pointer: "/client_name" }),
            Some(_) | None => Ok(()),
        }
    }

    /// Decides with stand-ins for what is dear to make, and collects every violation into one answer.
    fn rehearse(
        &self,
        context: &Context,
        request: &CreateClientRequest,
        reason_required: bool,
        command: impl Fn(Vec<domain::PersonId>, &MintedSecrets) -> CreateClient,
        minted: &MintedSecrets,
    ) -> Result<(), CommandError> {
        let mut wrong = Vec::new();
        for (place, contact) in request.contacts.iter().enumerate() {
            let pointer = format!("/contacts/{place}");
            wrong.extend(domain::client::check_contact(
                contact.name.expose(),
                contact.email.expose(),
                &pointer,
            ));
        }
        if let Some(channel) = request.channel {
            wrong.extend(channel.check_redirect_uris(&request.metadata.redirect_uris, &[]));
        }
        let stand_ins = self.stand_ins(request)?;
        let create = ClientCommand::CreateClient(Box::new(command(stand_ins, minted)));
        match Client::Absent.decide(create, self.log.now()).map_err(CommandError::from) {
            Ok(_) => {}
            Err(CommandError::Invalid(violations)) => {
                let known = |violation: &Violation| wrong.iter().any(|one| one.pointer == violation.pointer);
                let others: Vec<_> = violations.into_iter().filter(|violation| !known(violation)).collect();
                wrong.extend(others);
            }
            Err(error) => return Err(error),
        }
        wrong.extend(context.violations(reason_required));
        if wrong.is_empty() { Ok(()) } else { Err(CommandError::Invalid(wrong)) }
    }

    /// One pseudonym for each different address: enough to find an address that stands twice.
    fn stand_ins(&self, request: &CreateClientRequest) -> Result<Vec<domain::PersonId>, CommandError> {
        let mut seen: Vec<(String, domain::PersonId)> = Vec::new();
        let mut stand_ins = Vec::new();
        for contact in &request.contacts {
            let email = contact.email.expose().trim().to_lowercase();
            let known = seen.iter().find(|(other, _)| *other == email).map(|(_, person)| *person);
            let person = match known {
                Some(person) => person,
                None => domain::PersonId(uuid_v7(self.log.now(), self.entropy.as_ref())?),
            };
            seen.push((email, person));
            stand_ins.push(person);
        }
        Ok(stand_ins)
    }

    fn mint_client_secrets(
        &self,
        environment: &EnvironmentName,
        client_id: ClientId,
        request: &CreateClientRequest,
    ) -> Result<MintedSecrets, CommandError> {
        let minted = self.mint_client_secret(environment, client_id)?;
        let secret = NewSecret {
            id: domain::SecretId(minted.id.as_str().to_owned()),
            label: request.label.clone(),
            hint: minted.hint,
            not_before: None,
            expires_in_seconds: request.expires_in_seconds,
            commitment: String::new(),
        };
        let signing = SigningSecret::mint(self.entropy.as_ref())?;
        let signing_secret = NewSigningSecret { id: self.credential_id()?, commitment: String::new() };
        Ok(MintedSecrets {
            secret,
            secret_text: minted.secret,
            signing_secret,
            signing_secret_text: signing.reveal(),
        })
    }

    async fn seal_client_secrets(
        &self,
        request: &CreateClientRequest,
        minted: &mut MintedSecrets,
    ) -> Result<Vec<store::Credential>, CommandError> {
        let mut rows = Vec::with_capacity(2);
        let method = request.metadata.token_endpoint_auth_method.as_deref();
        let has_secret =
            method.and_then(TokenEndpointAuthMethod::parse).is_none_or(TokenEndpointAuthMethod::has_secret);
        if has_secret {
            let sealed = self.seal_client_secret(&minted.secret.id, &minted.secret_text).await?;
            minted.secret.commitment = sealed.commitment;
            rows.push(sealed.row);
        }
        let sealed = self.seal_signing_secret(&minted.signing_secret.id, &minted.signing_secret_text)?;
        minted.signing_secret.commitment = sealed.commitment;
        rows.push(sealed.row);
        Ok(rows)
    }

    async fn replayed_creation(&self, replay: Replay) -> Result<CreatedClient, CommandError> {
        let client = self.replayed_client(&replay).await?;
        Ok(CreatedClient {
            client,
            client_secret: None,
            signing_secret: None,
            registration_access_token: None,
        })
    }
}

/// Both secrets of a new client, and what the event will say of them.
struct MintedSecrets {
    secret: NewSecret,
    secret_text: SecretString,
    signing_secret: NewSigningSecret,
    signing_secret_text: SecretString,
}
