//! Deciding and appending a command on a client, and deciding again when another command was faster.

use domain::{
    Admission, AdmissionEvent, Client, ClientCommand, ClientEvent, ClientId, Environment, EnvironmentName,
    Event, Member, MemberId, SecretId,
    admission::ClientLeft,
    client::{Registration, SecretState},
    client_type::TypeRules,
    environment::Policy,
    member::MemberStatus,
};
use jiff::Timestamp;
use store::{AppendError, ExpectedRevision, Position, Revision, StreamName};

use super::ChangedClient;
use crate::{
    Inner,
    aggregates::Loader,
    configuration::with_violations,
    context::{Context, IfMatch},
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream, claim_changes},
};

/// What a command on an existing client is made of, beside the command.
pub(super) struct Target {
    pub(super) environment: EnvironmentName,
    pub(super) client_id: ClientId,
    pub(super) if_match: Option<IfMatch>,
}

/// What a command on a client is judged by, beside the client.
pub(super) struct Facts {
    pub(super) policy: Policy,
    /// The rules of its type, if it asks for scopes and the catalog has the type.
    pub(super) type_rules: Option<TypeRules>,
    /// What the member is who shall answer for it, if there is such a member.
    pub(super) status: Option<MemberStatus>,
}

/// What a command on a client hangs on beyond the client and the policy of its environment.
#[derive(Clone, Copy, Default)]
pub(super) struct HangsOn<'a> {
    /// The scopes that it asks for, which the client's type must allow.
    pub(super) scope: Option<&'a str>,
    /// The member who shall answer for the client.
    pub(super) responsible: Option<MemberId>,
}

/// What goes into a command's commit beside its events.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) credentials: Vec<store::Credential>,
    pub(super) private: Vec<store::Disclosure>,
    /// Streams by which they were made: if one has moved they are of no use, and the command is not decided again.
    pub(super) unmoved: Vec<(StreamName, Revision)>,
}

impl Target {
    /// What the client is, if it is there, in this environment, and not deleted.
    pub(super) fn registration<'a>(&self, client: &'a Client) -> Result<&'a Registration, CommandError> {
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

impl Inner {
    /// Decides and appends a command that is judged by the client alone.
    pub(super) async fn execute(
        &self,
        context: &Context,
        target: &Target,
        command: impl Fn(&Registration) -> Result<ClientCommand, CommandError>,
        beside: Beside,
    ) -> Result<ChangedClient, CommandError> {
        let judged = |registration: &Registration, _: &Facts| command(registration);
        self.execute_judged(context, target, HangsOn::default(), judged, beside).await
    }

    /// Decides and appends, and decides again when another command was faster, on the client or on what it is judged by:
    /// the policy of its environment, which also says whether there must be a reason, and what else it hangs on.
    pub(super) async fn execute_judged(
        &self,
        context: &Context,
        target: &Target,
        hangs_on: HangsOn<'_>,
        command: impl Fn(&Registration, &Facts) -> Result<ClientCommand, CommandError>,
        beside: Beside,
    ) -> Result<ChangedClient, CommandError> {
        let id = target.client_id.to_string();
        let stream = Loader::<Client>::stream(&id)?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.clients.current(&id).await?;
            let registration = target.registration(&loaded.aggregate)?;
            self.check_if_match(target.if_match, loaded.revision, &stream).await?;
            let (facts, unmoved) = self.facts(target, registration, hangs_on).await?;
            let wrong = context.violations(context.must_say_why(&facts.policy));
            let asked = command(registration, &facts);
            let now = self.log.now();
            let decided = asked.and_then(|asked| Ok(loaded.aggregate.decide(asked, now)?));
            let events = with_violations(decided, wrong)?;
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
            streams.extend(Self::left(target, registration, &events)?);
            let unmoved = unmoved.into_iter().chain(beside.unmoved.iter().cloned());
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
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { stream, .. }))
                    if beside.unmoved.iter().any(|(made_by, _)| *made_by == stream) =>
                {
                    return Err(CommandError::Contended);
                }
                Err(NotAppended::ByLog(error)) => self.after_conflict(error)?,
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// What tells that a client has made room which had registered itself. Whoever else registers or leaves meanwhile is
    /// nothing to it: what must end ends.
    fn left(
        target: &Target,
        registration: &Registration,
        events: &[ClientEvent],
    ) -> Result<Option<ProposedStream>, Fault> {
        let deleted = events.iter().any(|event| matches!(event, ClientEvent::Deleted(_)));
        if !deleted || registration.self_registered.is_none() {
            return Ok(None);
        }
        let left = AdmissionEvent::ClientLeft(ClientLeft { client_id: target.client_id });
        Ok(Some(ProposedStream {
            stream: Loader::<Admission>::stream(target.environment.as_str())?,
            expected: ExpectedRevision::Any,
            environment: Some(target.environment.to_string()),
            responsible: Some(registration.responsible.to_string()),
            events: vec![left.into()],
            private: Vec::new(),
        }))
    }

    /// What a failed append means: decide again, or an error. A command that is recorded already is left to the guard,
    /// which answers it as the repeated request that it is.
    pub(super) fn after_conflict(&self, error: AppendError) -> Result<(), CommandError> {
        match error {
            // A name that is not held was released by the command that was faster: the next load sees it.
            AppendError::WrongExpectedRevision { stream, .. } | AppendError::ClaimNotHeld { stream, .. } => {
                if stream.category() == Client::CATEGORY {
                    self.clients.forget(stream.id());
                }
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

    pub(super) fn remembered(
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
    pub(super) async fn check_context(
        &self,
        context: &Context,
        environment: &EnvironmentName,
    ) -> Result<(), CommandError> {
        let loaded = self.environments.current(environment.as_str()).await?;
        let policy = loaded.aggregate.policy().ok_or(CommandError::NotFound("environment"))?;
        let wrong = context.violations(context.must_say_why(policy));
        if wrong.is_empty() { Ok(()) } else { Err(CommandError::Invalid(wrong)) }
    }

    /// What a command on a client is judged by beside the client, as it stands now, and the streams that say so.
    async fn facts(
        &self,
        target: &Target,
        registration: &Registration,
        hangs_on: HangsOn<'_>,
    ) -> Result<(Facts, Vec<(StreamName, Revision)>), CommandError> {
        let (policy, stream) = self.policy(&target.environment).await?;
        let mut unmoved = vec![stream];
        let mut type_rules = None;
        if let Some(scope) = hangs_on.scope
            && let Some((rules, streams)) = self.type_rules(&registration.client_type, scope).await?
        {
            unmoved.extend(streams);
            type_rules = Some(rules);
        }
        let mut status = None;
        if let Some(member_id) = hangs_on.responsible {
            let (found, stream) = self.member_status(member_id).await?;
            unmoved.push(stream);
            status = found;
        }
        Ok((Facts { policy, type_rules, status }, unmoved))
    }

    /// Whether there is such a member who can act, and the stream that says so.
    pub(super) async fn member_status(
        &self,
        member_id: MemberId,
    ) -> Result<(Option<MemberStatus>, (StreamName, Revision)), Fault> {
        let id = member_id.to_string();
        let loaded = self.members.current(&id).await?;
        let status = loaded.aggregate.membership().map(|membership| membership.status);
        Ok((status, (Loader::<Member>::stream(&id)?, loaded.revision)))
    }

    pub(crate) async fn policy(
        &self,
        environment: &EnvironmentName,
    ) -> Result<(Policy, (StreamName, Revision)), CommandError> {
        let loaded = self.environments.current(environment.as_str()).await?;
        let policy = loaded.aggregate.policy().cloned().ok_or(CommandError::NotFound("environment"))?;
        let stream = Loader::<Environment>::stream(environment.as_str())?;
        Ok((policy, (stream, loaded.revision)))
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
    let manages = || {
        let registered = client.and_then(|client| client.self_registered.as_ref());
        registered.map(|registered| &registered.registration_access_token)
    };
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
                ended.extend(manages().map(|token| &token.id));
            }
            ClientEvent::RegistrationReplaced(replaced) => ended.push(&replaced.replaced_id),
            ClientEvent::Created(_)
            | ClientEvent::NameChanged(_)
            | ClientEvent::DescriptionChanged(_)
            | ClientEvent::ContactsChanged(_)
            | ClientEvent::RedirectUrisChanged(_)
            | ClientEvent::PostLogoutRedirectUrisChanged(_)
            | ClientEvent::RedirectExceptionGranted(_)
            | ClientEvent::RedirectExceptionWithdrawn(_)
            | ClientEvent::ScopeChanged(_)
            | ClientEvent::ResponsibleChanged(_)
            | ClientEvent::SecretChanged(_)
            | ClientEvent::SecretLeakReported(_)
            | ClientEvent::PayloadEncryptionChanged(_)
            | ClientEvent::KeysChanged(_)
            | ClientEvent::AccessTokenFormatChanged(_)
            | ClientEvent::SigningSecretRevealed(_)
            | ClientEvent::TokensRevoked(_)
            | ClientEvent::Deactivated(_)
            | ClientEvent::Enabled(_)
            | ClientEvent::SelfRegistered(_) => {}
        }
    }
    ended.into_iter().map(ToString::to_string).collect()
}
