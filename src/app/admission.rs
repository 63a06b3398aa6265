//! Initial access tokens: who may register clients by the protocol (RFC 7591), and how many.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Binding, Minted, Presented, SecretKind, SecretString};
use domain::{
    Admission, AdmissionCommand, AdmissionError, AdmissionEvent, EnvironmentName, Event, MemberId,
    Permission, Reach, Rights, SecretId,
    admission::{InitialAccessToken, IssueInitialAccessToken},
    environment::Policy,
    member::MemberStatus,
};
use jiff::Timestamp;
use store::{AppendError, ExpectedRevision, Position, Revision, StreamName};

use crate::{
    App, Inner, Principal, Via,
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream},
    idempotency::Replay,
    members::own_among,
    standing::Standing,
    vault::SealedCredential,
};

/// What the vault calls the keyed digest of a token that registers, or manages a registration.
const VERIFIER: &str = "registration_token_verifier";
const DIGEST_LABEL: &str = "registration-token";
/// Whose an initial access token is by its tag: it belongs to no client yet.
const OWNER: &str = "registration";
/// Environments that are looked at at a time.
const PAGE: usize = 500;

/// Who may register clients in an environment, after a command.
#[derive(Clone, Debug)]
pub struct ChangedAdmission {
    /// The tokens, and the clients that registered themselves.
    pub admission: Admission,
    /// How many events its stream has.
    pub revision: Revision,
    /// The position to wait for before reading what the command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request: nothing happened now.
    pub replayed: bool,
}

/// An initial access token that was just issued; its text is shown once.
#[derive(Debug)]
pub struct IssuedInitialAccessToken {
    /// All there are.
    pub admission: ChangedAdmission,
    /// The id of the new token; the one that was issued then, for a replay.
    pub token_id: SecretId,
    /// The new token; `None` for a replay.
    pub token: Option<SecretString>,
}

/// An initial access token, as it was asked for.
#[derive(Clone, Debug)]
pub struct InitialAccessTokenRequest {
    /// What it is called.
    pub label: String,
    /// The scopes that its clients can have at most, in the wire form; `None` is whatever the environment lets.
    pub scope: Option<String>,
    /// How many clients it registers.
    pub max_uses: u32,
    /// How long it lives, in seconds.
    pub expires_in_seconds: u32,
}

impl App {
    /// The initial access tokens of an environment and the clients that registered themselves, as the log stands now.
    ///
    /// # Errors
    /// [`CommandError::NotFound`] if there is no such environment, or a fault.
    pub async fn admission(&self, environment: EnvironmentName) -> Result<Admission, CommandError> {
        self.run(move |inner| async move {
            inner.policy(&environment).await?;
            Ok(inner.admissions.current(environment.as_str()).await?.aggregate.clone())
        })
        .await
    }

    /// Lets somebody register clients. Needs `clients:write`, and so it is worth no more than who makes it: its clients are
    /// made as that member, who answers for them.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn issue_initial_access_token(
        &self,
        context: Context,
        environment: EnvironmentName,
        request: InitialAccessTokenRequest,
    ) -> Result<IssuedInitialAccessToken, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<Admission>::stream(environment.as_str())?;
            let work = inner.issue_initial_token(&context, &environment, &request);
            let replayed = |replay| inner.replayed_initial_token(&environment, replay);
            let allowed = context.demand(Permission::ClientsWrite);
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Lets nobody register clients by a token any more; those that came by it stay. Needs `clients:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke_initial_access_token(
        &self,
        context: Context,
        environment: EnvironmentName,
        token_id: SecretId,
    ) -> Result<ChangedAdmission, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<Admission>::stream(environment.as_str())?;
            let work =
                inner.change_admission(&context, &environment, None, Vec::new(), |admission, _, now| {
                    let token_id = token_id.clone();
                    admission.decide(AdmissionCommand::RevokeInitialAccessToken { token_id }, now)
                });
            let replayed = |replay: Replay| inner.replayed_admission(&environment, replay.recorded.position);
            let allowed = context.demand(Permission::ClientsWrite);
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }
}

impl Inner {
    async fn issue_initial_token(
        &self,
        context: &Context,
        environment: &EnvironmentName,
        request: &InitialAccessTokenRequest,
    ) -> Result<IssuedInitialAccessToken, CommandError> {
        let member_id = context.member().ok_or(CommandError::Denied(Permission::ClientsWrite))?;
        let binding = Binding { environment: environment.as_str(), owner: OWNER };
        let (minted, sealed) = self.mint_registration_token(SecretKind::InitialAccessToken, &binding)?;
        let token_id = SecretId(minted.id.as_str().to_owned());
        let decide = |admission: &Admission, rules: Option<&domain::client_type::TypeRules>, now| {
            admission.decide(
                AdmissionCommand::IssueInitialAccessToken(Box::new(IssueInitialAccessToken {
                    environment: environment.clone(),
                    token_id: token_id.clone(),
                    label: request.label.clone(),
                    hint: minted.hint.clone(),
                    member_id,
                    scope: request.scope.clone(),
                    max_uses: request.max_uses,
                    expires_in_seconds: request.expires_in_seconds,
                    commitment: sealed.commitment.clone(),
                    type_rules: rules.cloned(),
                })),
                now,
            )
        };
        let scope = request.scope.as_deref();
        let admission = self.change_admission(context, environment, scope, vec![sealed.row], decide).await?;
        Ok(IssuedInitialAccessToken { admission, token_id, token: Some(minted.secret) })
    }

    /// Stops an initial access token that strangers have seen, whichever environment's it is.
    pub(crate) async fn stop_initial_token(
        &self,
        context: &Context,
        presented: &Presented<'_>,
    ) -> Result<(), CommandError> {
        let mut after: Option<StreamName> = None;
        loop {
            let streams = self.log.streams(Admission::CATEGORY, after.as_ref(), PAGE).await?;
            for stream in &streams {
                let Ok(environment) = EnvironmentName::parse(stream.id()) else { continue };
                if let Some(token_id) = self.initial_token_id(presented, &environment) {
                    return self.stop_initial_token_of(context, presented, &environment, token_id).await;
                }
            }
            let Some(last) = streams.into_iter().last() else { return Ok(()) };
            after = Some(last);
        }
    }

    async fn stop_initial_token_of(
        &self,
        context: &Context,
        presented: &Presented<'_>,
        environment: &EnvironmentName,
        token_id: SecretId,
    ) -> Result<(), CommandError> {
        let loaded = self.admissions.current(environment.as_str()).await?;
        let live = loaded.aggregate.token(&token_id).filter(|token| token.is_live(self.log.now()));
        let Some(token) = live else { return Ok(()) };
        if !self.is_registration_token(presented, &token.commitment).await? {
            return Ok(());
        }
        let context = Context { environment: Some(environment.clone()), ..context.clone() };
        let revoked = self.change_admission(&context, environment, None, Vec::new(), |admission, _, now| {
            let token_id = token_id.clone();
            admission.decide(AdmissionCommand::RevokeInitialAccessToken { token_id }, now)
        });
        revoked.await.map(drop)
    }

    /// Decides and appends, and decides again when another command was faster. What `decide` is told beside the state are
    /// the rules of the type of such clients, if `scope` hangs on them.
    async fn change_admission(
        &self,
        context: &Context,
        environment: &EnvironmentName,
        scope: Option<&str>,
        credentials: Vec<store::Credential>,
        decide: impl Fn(
            &Admission,
            Option<&domain::client_type::TypeRules>,
            Timestamp,
        ) -> Result<Vec<AdmissionEvent>, AdmissionError>,
    ) -> Result<ChangedAdmission, CommandError> {
        let stream = Loader::<Admission>::stream(environment.as_str())?;
        for _ in 0..MOST_ATTEMPTS {
            let (policy, fact) = self.policy(environment).await?;
            let (rules, facts) = self.rules_of_registered(&policy, scope).await?;
            let loaded = self.admissions.current(environment.as_str()).await?;
            let now = self.log.now();
            let wrong = context.violations(context.must_say_why(&policy));
            let decided = decide(&loaded.aggregate, rules.as_ref(), now).map_err(CommandError::from);
            let events = crate::configuration::with_violations(decided, wrong)?;
            let ended = loaded.aggregate.tokens.iter().filter(|token| !token.is_live(now));
            let revoked = events.iter().filter_map(|event| match event {
                AdmissionEvent::TokenRevoked(revoked) => Some(&revoked.token_id),
                AdmissionEvent::TokenIssued(_)
                | AdmissionEvent::ClientAdmitted(_)
                | AdmissionEvent::ClientLeft(_) => None,
            });
            let destroyed = ended.map(|token| &token.id).chain(revoked).map(ToString::to_string).collect();
            let mut streams = vec![admission_part(
                stream.clone(),
                loaded.revision,
                environment,
                context.member(),
                events.clone(),
            )];
            let facts = std::iter::once(fact).chain(facts);
            streams.extend(facts.map(|(stream, revision)| ProposedStream::unmoved(stream, revision)));
            let proposal = Proposal {
                streams,
                credentials: credentials.clone(),
                destroyed_credentials: destroyed,
                ..Proposal::default()
            };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let loaded = (&loaded.aggregate, loaded.revision);
                    return Ok(self.remember_admission(environment, loaded, &events, &receipt));
                }
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { .. })) => {
                    self.admissions.forget(environment.as_str());
                    self.environments.forget(environment.as_str());
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

    /// What a commit made of an admission.
    pub(crate) fn remember_admission(
        &self,
        environment: &EnvironmentName,
        (before, revision): (&Admission, Revision),
        events: &[AdmissionEvent],
        receipt: &store::Receipt,
    ) -> ChangedAdmission {
        let mut admission = before.clone();
        events.iter().for_each(|event| admission.apply(event, receipt.at));
        let revision = Revision::new(revision.get() + events.len() as u64);
        let position = receipt.position;
        self.admissions.remember(environment.as_str(), admission.clone(), revision, position);
        ChangedAdmission { admission, revision, position, replayed: false }
    }

    /// The rules of the type that clients get which register themselves, and the streams that say so.
    async fn rules_of_registered(
        &self,
        policy: &Policy,
        scope: Option<&str>,
    ) -> Result<(Option<domain::client_type::TypeRules>, Vec<(StreamName, Revision)>), CommandError> {
        let (Some(scope), Some(name)) = (scope, &policy.registration_defaults.client_type) else {
            return Ok((None, Vec::new()));
        };
        Ok(self
            .type_rules(name, scope)
            .await?
            .map_or((None, Vec::new()), |(rules, facts)| (Some(rules), facts)))
    }

    async fn replayed_initial_token(
        &self,
        environment: &EnvironmentName,
        replay: Replay,
    ) -> Result<IssuedInitialAccessToken, CommandError> {
        let Event::Admission(AdmissionEvent::TokenIssued(issued)) = replay.event()? else {
            return Err(CommandError::IdempotencyMismatch);
        };
        let admission = self.replayed_admission(environment, replay.recorded.position).await?;
        Ok(IssuedInitialAccessToken { admission, token_id: issued.token_id, token: None })
    }

    async fn replayed_admission(
        &self,
        environment: &EnvironmentName,
        position: Position,
    ) -> Result<ChangedAdmission, CommandError> {
        let loaded = self.admissions.current(environment.as_str()).await?;
        let (admission, revision) = (loaded.aggregate.clone(), loaded.revision);
        Ok(ChangedAdmission { admission, revision, position, replayed: true })
    }

    /// A token that registers clients or manages one, and its verifier for the vault. The verifier is a keyed digest: the
    /// token has 256 random bits, which no dictionary finds.
    pub(crate) fn mint_registration_token(
        &self,
        kind: SecretKind,
        binding: &Binding<'_>,
    ) -> Result<(Minted, SealedCredential), Fault> {
        let minted = crypto::mint(kind, binding, &self.vault.ring.tags, self.entropy.as_ref())?;
        let text = crypto::ExposeSecret::expose_secret(&minted.secret);
        let digest = self.vault.ring.digests.digest(DIGEST_LABEL, &[text.as_bytes()]);
        let digest = URL_SAFE_NO_PAD.encode(digest);
        let sealed = self.vault.seal_credential(minted.id.as_str(), VERIFIER, &digest)?;
        Ok((minted, sealed))
    }

    /// Whether this is the very token that its event committed to.
    pub(crate) async fn is_registration_token(
        &self,
        presented: &Presented<'_>,
        commitment: &str,
    ) -> Result<bool, Fault> {
        let id = presented.id().as_str();
        let kept = self.vault.open_credential(self.log.as_ref(), id, commitment).await?;
        let kept = URL_SAFE_NO_PAD.decode(kept.expose()).unwrap_or_default();
        let text = presented.expose_secret().as_bytes();
        Ok(self.vault.ring.digests.matches(DIGEST_LABEL, &[text], &kept))
    }

    /// The id of a text that we made as an initial access token of this environment.
    pub(crate) fn initial_token_id(
        &self,
        presented: &Presented<'_>,
        environment: &EnvironmentName,
    ) -> Option<SecretId> {
        let binding = Binding { environment: environment.as_str(), owner: OWNER };
        let ours = presented.kind() == SecretKind::InitialAccessToken
            && presented.verify_tag(&self.vault.ring.tags, &binding).is_ok();
        ours.then(|| SecretId(presented.id().as_str().to_owned()))
    }

    /// Who acts by an initial access token: its member, who may do by it nothing but create clients in that environment; and
    /// only as long as it may do that itself.
    pub(crate) async fn principal_by_initial_token(
        &self,
        environment: &EnvironmentName,
        token: &InitialAccessToken,
    ) -> Result<Option<Principal>, Fault> {
        let member = token.member_id;
        let Some(Registrar { rights, stream, roles }) = self.registrar(environment, member).await? else {
            return Ok(None);
        };
        let standing = Standing::new(stream, roles, token.expires_at);
        Ok(Some(Principal { member, via: Via::InitialAccessToken(token.id.clone()), rights, standing }))
    }

    /// What a member may do for clients that register themselves: create them in that environment. `None` if it may not do
    /// that itself.
    pub(crate) async fn registrar(
        &self,
        environment: &EnvironmentName,
        member: MemberId,
    ) -> Result<Option<Registrar>, Fault> {
        let loaded = self.members.current(&member.to_string()).await?;
        let Some(membership) = loaded.aggregate.membership() else { return Ok(None) };
        let roles = self.own_roles(own_among(&membership.roles)).await?;
        let here = Reach::Within([environment.clone()].into());
        let rights = membership.rights(&roles.allow).limited_to(&[Permission::ClientsWrite].into(), &here);
        let allowed = rights.allows(Permission::ClientsWrite, Some(environment));
        if membership.status != MemberStatus::Active || !allowed {
            return Ok(None);
        }
        let stream = Loader::<domain::Member>::stream(&member.to_string())?;
        Ok(Some(Registrar { rights, stream: (stream, loaded.revision), roles: roles.streams }))
    }

    /// The same for who began with it and has not come to the end yet.
    pub(crate) async fn principal_by_initial_token_id(
        &self,
        environment: Option<&EnvironmentName>,
        token_id: &SecretId,
    ) -> Result<Option<Principal>, Fault> {
        let Some(environment) = environment else { return Ok(None) };
        let loaded = self.admissions.current(environment.as_str()).await?;
        match loaded.aggregate.token(token_id).filter(|token| token.is_live(self.log.now())) {
            Some(token) => self.principal_by_initial_token(environment, token).await,
            None => Ok(None),
        }
    }
}

/// A member who answers for clients that register themselves.
pub(crate) struct Registrar {
    rights: Rights,
    /// Its stream, and those of its roles that are not built in, as they were.
    stream: (StreamName, Revision),
    roles: Vec<(StreamName, Revision)>,
}

impl Registrar {
    /// What has not moved if it still may.
    pub(crate) fn unmoved(self) -> impl Iterator<Item = ProposedStream> {
        let streams = std::iter::once(self.stream).chain(self.roles);
        streams.map(|(stream, revision)| ProposedStream::unmoved(stream, revision))
    }
}

/// The part of an admission in a commit.
pub(crate) fn admission_part(
    stream: StreamName,
    revision: Revision,
    environment: &EnvironmentName,
    responsible: Option<MemberId>,
    events: Vec<AdmissionEvent>,
) -> ProposedStream {
    let expected = match revision {
        Revision::NONE => ExpectedRevision::NoStream,
        revision => ExpectedRevision::Exact(revision),
    };
    ProposedStream {
        stream,
        expected,
        environment: Some(environment.to_string()),
        responsible: responsible.map(|member| member.to_string()),
        events: events.into_iter().map(Event::Admission).collect(),
        private: Vec::new(),
    }
}
