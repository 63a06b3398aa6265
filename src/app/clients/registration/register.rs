//! Registering oneself (RFC 7591 section 3).

use std::sync::Arc;

use crypto::{Binding, ExposeSecret, Presented, SecretKind, SecretString};
use domain::{
    Admission, AdmissionCommand, AdmissionError, AdmissionEvent, ClientId, Environment, EnvironmentEvent,
    EnvironmentName, Event, MemberId, Rule, SecretId, Violation,
    client::{NewRegistrationToken, SelfRegistration, Software},
    environment::{Policy, RegistrationRule},
    oauth::ScopeSet,
};
use store::{ActorKind, Revision};

use super::{
    OwnRegistration, REGISTRATION, RegistrationAttempt, RegistrationError, RegistrationRefusal,
    RegistrationRequest,
};
use crate::{
    App, Inner,
    activity::Deed,
    admission::admission_part,
    aggregates::{Loaded, Loader},
    context::{Actor, Context},
    error::{CommandError, Fault},
    execute::ProposedStream,
    ids::uuid_v7,
};

/// Events of an environment that are read at a time.
const PAGE: usize = 100;

/// Who registers itself, by what right.
pub(in crate::clients) struct Registering {
    /// The member who answers for it.
    pub(in crate::clients) responsible: MemberId,
    initial_access_token_id: Option<SecretId>,
    /// What its initial access token lets it have at most.
    pub(super) scope: Option<ScopeSet>,
    pub(super) says_scope: bool,
    software: Software,
}

/// A registration access token that nobody has yet.
pub(in crate::clients) struct ManagementToken {
    pub(in crate::clients) new: NewRegistrationToken,
    pub(in crate::clients) text: SecretString,
    pub(in crate::clients) row: store::Credential,
}

/// What lets a client in, if nothing has moved by then.
pub(in crate::clients) struct Admitted {
    pub(in crate::clients) before: Arc<Loaded<Admission>>,
    pub(in crate::clients) events: Vec<AdmissionEvent>,
    /// What its right to come rests on.
    unmoved: Vec<ProposedStream>,
}

impl App {
    /// Registers the client that asks.
    ///
    /// # Errors
    /// [`RegistrationError`]; each refusal is recorded or counted before it is answered.
    pub async fn register_client(
        &self,
        attempt: RegistrationAttempt,
        request: RegistrationRequest,
    ) -> Result<OwnRegistration, RegistrationError> {
        // The command is done to its end, whatever becomes of who asks; what came of it has two kinds of errors.
        self.run(move |inner| async move { Ok(inner.register(&attempt, request).await) }).await?
    }
}

impl Registering {
    /// What the events will say of it.
    pub(in crate::clients) fn recorded(
        &self,
        names_contacts: bool,
        token: NewRegistrationToken,
    ) -> SelfRegistration {
        SelfRegistration {
            initial_access_token_id: self.initial_access_token_id.clone(),
            token,
            software: self.software.clone(),
            names_contacts,
        }
    }
}

impl Admitted {
    /// Its part of the commit.
    pub(in crate::clients) fn parts(
        &mut self,
        environment: &EnvironmentName,
        responsible: MemberId,
    ) -> Result<Vec<ProposedStream>, Fault> {
        let stream = Loader::<Admission>::stream(environment.as_str())?;
        let revision = self.before.revision;
        let mut parts = std::mem::take(&mut self.unmoved);
        parts.push(admission_part(stream, revision, environment, Some(responsible), self.events.clone()));
        Ok(parts)
    }
}

impl Inner {
    async fn register(
        self: &Arc<Self>,
        attempt: &RegistrationAttempt,
        request: RegistrationRequest,
    ) -> Result<OwnRegistration, RegistrationError> {
        let Some(policy) = self.policy_of(&attempt.environment).await? else {
            return self.no_such_environment(attempt).await;
        };
        let mut deed = attempt.deed(None, None);
        let (actor, registering) = match self.who_registers(attempt, &policy, &request, &mut deed).await? {
            Ok(found) => found,
            Err(refusal) => {
                self.record_refused(deed, refusal.as_str()).await?;
                return Err(RegistrationError::Refused(refusal));
            }
        };
        let context = self.registration_context(attempt, actor, "RegisterClient", &request)?;
        match self.create(&context, &attempt.environment, &request.client, Some(&registering)).await {
            Ok(created) => Ok(OwnRegistration {
                client: created.client,
                contacts: request.client.contacts.into_iter().map(|contact| contact.email).collect(),
                client_secret: created.client_secret,
                registration_access_token: created.registration_access_token,
            }),
            Err(error) => Err(self.not_registered(deed, &context, error).await),
        }
    }

    /// Who acts when somebody registers, or why nobody may.
    async fn who_registers(
        &self,
        attempt: &RegistrationAttempt,
        policy: &Policy,
        request: &RegistrationRequest,
        deed: &mut Deed,
    ) -> Result<Result<(Actor, Registering), RegistrationRefusal>, Fault> {
        let registering = |responsible, initial_access_token_id, scope| Registering {
            responsible,
            initial_access_token_id,
            scope,
            says_scope: request.says_scope,
            software: request.software.clone(),
        };
        let token = match (policy.registration, &attempt.token) {
            (RegistrationRule::Closed, _) => return Ok(Err(RegistrationRefusal::Closed)),
            (RegistrationRule::InitialAccessToken, None) => {
                return Ok(Err(RegistrationRefusal::InitialTokenMissing));
            }
            (RegistrationRule::Open, None) => {
                let opened_by = self.opened_registration(&attempt.environment).await?;
                let Some(member) = opened_by else { return Ok(Err(RegistrationRefusal::Unanswered)) };
                let answers = self.registrar(&attempt.environment, member).await?.is_some();
                let registering = registering(member, None, None);
                return Ok(if answers {
                    Ok((Actor::Anonymous, registering))
                } else {
                    Err(RegistrationRefusal::Unanswered)
                });
            }
            (RegistrationRule::InitialAccessToken | RegistrationRule::Open, Some(token)) => token,
        };
        let Ok(presented) = Presented::parse(token.expose_secret()) else {
            return Ok(Err(RegistrationRefusal::InitialTokenUnknown));
        };
        let Some(token_id) = self.initial_token_id(&presented, &attempt.environment) else {
            return Ok(Err(RegistrationRefusal::InitialTokenUnknown));
        };
        deed.credential = Some(token_id.to_string());
        let loaded = self.admissions.current(attempt.environment.as_str()).await?;
        let live = loaded.aggregate.token(&token_id).filter(|token| token.is_live(self.log.now()));
        let Some(token) = live else { return Ok(Err(RegistrationRefusal::InitialTokenEnded)) };
        if !self.is_registration_token(&presented, &token.commitment).await? {
            return Ok(Err(RegistrationRefusal::InitialTokenUnknown));
        }
        let Some(principal) = self.principal_by_initial_token(&attempt.environment, token).await? else {
            return Ok(Err(RegistrationRefusal::InitialTokenOfEndedMember));
        };
        let registering = registering(principal.member, Some(token_id), token.scope.clone());
        Ok(Ok((Actor::Member(principal), registering)))
    }

    /// The member who opened registration to anybody, and answers for who comes; `None` if the host did.
    async fn opened_registration(&self, environment: &EnvironmentName) -> Result<Option<MemberId>, Fault> {
        let stream = Loader::<Environment>::stream(environment.as_str())?;
        let unreadable = |error| Fault::permanent("reading an event", error);
        let mut opened_by = None;
        let mut after = Revision::NONE;
        loop {
            let page = self.log.read_stream(&stream, after, PAGE).await?;
            for recorded in &page {
                let envelope = recorded.envelope().map_err(unreadable)?;
                let event = Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get())
                    .map_err(|error| Fault::permanent("reading an event", error))?;
                if opens_registration(&event) {
                    let member = envelope.actor.kind == ActorKind::Member;
                    opened_by = member.then(|| envelope.actor.id.parse().ok()).flatten();
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = last.revision,
                Some(_) | None => return Ok(opened_by),
            }
        }
    }

    /// Lets the client in, as things stand.
    pub(in crate::clients) async fn let_in(
        &self,
        registering: &Registering,
        environment: &EnvironmentName,
        client_id: ClientId,
        policy: &Policy,
    ) -> Result<Admitted, CommandError> {
        let before = self.admissions.current(environment.as_str()).await?;
        let command = AdmissionCommand::AdmitClient {
            environment: environment.clone(),
            client_id,
            token_id: registering.initial_access_token_id.clone(),
            most: policy.max_registered_clients,
        };
        let events = before.aggregate.decide(command, self.log.now())?;
        let mut unmoved = Vec::new();
        if registering.initial_access_token_id.is_none() {
            // Whoever opened registration may have lost the right to answer for clients since this was judged.
            let registrar = self.registrar(environment, registering.responsible).await?;
            unmoved.extend(registrar.ok_or(CommandError::Contended)?.unmoved());
        }
        Ok(Admitted { before, events, unmoved })
    }

    pub(in crate::clients) fn mint_management_token(
        &self,
        environment: &EnvironmentName,
        client_id: ClientId,
    ) -> Result<ManagementToken, Fault> {
        let owner = client_id.to_string();
        let binding = Binding { environment: environment.as_str(), owner: &owner };
        let (minted, sealed) = self.mint_registration_token(SecretKind::RegistrationAccessToken, &binding)?;
        let id = SecretId(minted.id.as_str().to_owned());
        let new = NewRegistrationToken { id, commitment: sealed.commitment };
        Ok(ManagementToken { new, text: minted.secret, row: sealed.row })
    }

    pub(super) fn registration_context(
        &self,
        attempt: &RegistrationAttempt,
        actor: Actor,
        operation: &'static str,
        request: &RegistrationRequest,
    ) -> Result<Context, Fault> {
        Ok(Context {
            actor,
            operation,
            environment: Some(attempt.environment.clone()),
            request_id: attempt.request_id.clone(),
            correlation_id: uuid_v7(self.log.now(), self.entropy.as_ref())?,
            source: attempt.source.clone(),
            reason: None,
            ticket: None,
            idempotency: None,
            malformed: request.malformed.clone(),
        })
    }

    pub(super) async fn no_such_environment<T>(
        &self,
        attempt: &RegistrationAttempt,
    ) -> Result<T, RegistrationError> {
        // Anybody can make up names of environments: nothing is counted by them.
        let (request_id, source) = (attempt.request_id.clone(), attempt.source.clone());
        let deed = Deed { kind: REGISTRATION, request_id, source, ..Deed::default() };
        self.record_refused(deed, "no_such_environment").await?;
        Err(RegistrationError::NoSuchEnvironment)
    }

    /// What a refused command is to who registers; recorded by then.
    pub(super) async fn not_registered(
        &self,
        deed: Deed,
        context: &Context,
        error: CommandError,
    ) -> RegistrationError {
        let refused = told(context.with_form(error));
        let reason = match &refused {
            RegistrationError::Refused(refusal) => *refusal,
            RegistrationError::Invalid(_) => RegistrationRefusal::InvalidMetadata,
            RegistrationError::NoSuchEnvironment | RegistrationError::Failed(_) => return refused,
        };
        match self.record_refused(deed, reason.as_str()).await {
            Ok(()) => refused,
            Err(fault) => fault.into(),
        }
    }
}

/// What a refused command is to who registers; what is none is a failure of ours.
fn told(error: CommandError) -> RegistrationError {
    let refusal = if let CommandError::Invalid(violations) = error {
        return RegistrationError::Invalid(violations);
    } else if let CommandError::Taken { pointer } = error {
        let detail = "is taken by another client of the environment";
        return RegistrationError::Invalid(vec![Violation::new(pointer, Rule::Duplicate, detail)]);
    } else if let CommandError::Admission(AdmissionError::Full { .. }) = error {
        RegistrationRefusal::Full
    } else if let CommandError::Admission(_) = error {
        RegistrationRefusal::InitialTokenEnded
    } else if matches!(error, CommandError::Unauthenticated | CommandError::Denied(_)) {
        RegistrationRefusal::InitialTokenOfEndedMember
    } else if matches!(error, CommandError::Gone(_)) {
        RegistrationRefusal::TokenEnded
    } else {
        return RegistrationError::Failed(error);
    };
    RegistrationError::Refused(refusal)
}

fn opens_registration(event: &Event) -> bool {
    if let Event::Environment(EnvironmentEvent::PolicyChanged(changed)) = event {
        changed.registration.as_ref().is_some_and(|rule| rule.new == RegistrationRule::Open)
    } else if let Event::Environment(EnvironmentEvent::Created(created)) = event {
        Policy::from(&created.policy).registration == RegistrationRule::Open
    } else {
        false
    }
}
