//! The authorization endpoint's use cases: what a client may ask a member for, and what comes of the member's answer.

mod refusal;

use std::sync::Arc;

use crypto::{SecretKind, SecretString, is_code_challenge};
use domain::{
    ClientId, EnvironmentName, GrantCommand, GrantId, MemberId, Permission,
    client::{Registration, Status},
    environment::{Policy, SecondFactorRule},
    grant::{GrantDenied, GrantGiven},
    oauth::{GrantType, RedirectMismatch, ScopeSet},
};
use jiff::{SignedDuration, Timestamp};
use store::{ActivityCommit, Outcome, Voucher, VoucherChange};

pub use refusal::{AuthorizationRefusal, PageRefusal};

use crate::{
    App, Inner,
    activity::Deed,
    context::{Context, Source},
    error::{CommandError, Fault},
    grants::ChangedGrant,
    ids::uuid_v7,
    look,
    sessions::{AuthenticationMethod, Session},
    tokens::{CODE, CodeVoucher, TokenRefusal},
};

/// What a client has a member asked for.
pub(crate) const AUTHORIZATION: &str = "authorization";
/// The longest `state` and `nonce` that are carried back.
const LONGEST_TEXT: usize = 2_000;

/// A request at the authorization endpoint, as it came in (RFC 6749 section 4.1.1).
#[derive(Clone, Debug, Default)]
pub struct AuthorizationParameters {
    /// `client_id`.
    pub client_id: Option<String>,
    /// `redirect_uri`.
    pub redirect_uri: Option<String>,
    /// `response_type`.
    pub response_type: Option<String>,
    /// `response_mode`.
    pub response_mode: Option<String>,
    /// `scope`.
    pub scope: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `nonce` (OpenID Connect Core section 3.1.2.1).
    pub nonce: Option<String>,
    /// `code_challenge` (RFC 7636).
    pub code_challenge: Option<String>,
    /// `code_challenge_method`.
    pub code_challenge_method: Option<String>,
    /// `prompt`.
    pub prompt: Option<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<String>,
    /// `resource`, each of them (RFC 8707).
    pub resources: Vec<String>,
    /// `dpop_jkt` (RFC 9449 section 10).
    pub key_thumbprint: Option<String>,
    /// `request` (RFC 9101), which is not supported.
    pub request: Option<String>,
    /// The parameters that stand more than once.
    pub repeated: Vec<String>,
}

/// A request at the authorization endpoint, and where it comes from.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// The environment that it is asked in.
    pub environment: EnvironmentName,
    /// The URL of that environment.
    pub issuer: String,
    /// What it says.
    pub parameters: AuthorizationParameters,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it comes from.
    pub source: Option<Source>,
}

/// A request that can be granted.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// The environment.
    pub environment: EnvironmentName,
    /// Who asks.
    pub client_id: ClientId,
    /// What it is, as its stream stood at that moment.
    pub registration: Registration,
    /// Where the answer goes; registered, byte for byte.
    pub redirect_uri: String,
    /// What is asked for.
    pub scope: ScopeSet,
    /// What goes back with the answer as it came.
    pub state: Option<String>,
    /// Whether the member must sign in anew.
    pub prompt_login: bool,
    /// Whether the member must be asked even if that is remembered.
    pub prompt_consent: bool,
    /// Whether the member must see nothing.
    pub prompt_none: bool,
    /// How long ago the member may have signed in.
    pub max_age: Option<SignedDuration>,
    nonce: Option<String>,
    code_challenge: String,
    resources: Vec<String>,
    key_thumbprint: Option<String>,
}

/// A member who has signed in.
#[derive(Clone, Debug)]
pub struct SignedInMember {
    /// Who.
    pub member_id: MemberId,
    /// When.
    pub signed_in_at: Timestamp,
    /// How (RFC 8176).
    pub methods: Vec<String>,
}

/// Why there is nothing to grant.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationError {
    /// There is no such environment.
    #[error("there is no such environment")]
    NoSuchEnvironment,
    /// Nobody is sent anywhere: it is not known who asks, or the address is not one of theirs.
    #[error("the request is refused where it is made: {}", .0.as_str())]
    Page(PageRefusal, Option<RedirectMismatch>),
    /// The client is told.
    #[error("the request is refused: {}", refusal.as_str())]
    Refused {
        /// Why.
        refusal: AuthorizationRefusal,
        /// Where the answer goes; registered, byte for byte.
        redirect_uri: String,
        /// What goes back with it as it came.
        state: Option<String>,
    },
    /// The service could not find out, or could not record it.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl From<Fault> for AuthorizationError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl App {
    /// Whether a request can be granted; by whom is not looked at yet.
    ///
    /// # Errors
    /// [`AuthorizationError`]; each refusal is recorded or counted before it is answered.
    pub async fn check_authorization(
        &self,
        request: AuthorizationRequest,
    ) -> Result<Authorization, AuthorizationError> {
        look::once(self.inner.check_authorization(request)).await
    }

    /// Whether an environment wants a second factor of this member, and the session began without one.
    ///
    /// # Errors
    /// A fault.
    pub async fn lacks_second_factor(
        &self,
        environment: &EnvironmentName,
        session: &Session,
    ) -> Result<bool, CommandError> {
        let Some(policy) = self.inner.policy_of(environment).await? else { return Ok(false) };
        let wanted = match policy.second_factor_required {
            SecondFactorRule::Never => false,
            SecondFactorRule::Administrators => Permission::CHANGING
                .iter()
                .any(|permission| session.principal.allows(*permission, Some(environment))),
            SecondFactorRule::Always => true,
        };
        Ok(wanted && !session.methods.contains(&AuthenticationMethod::OneTimePassword))
    }

    /// The grant by which this member need not be asked, if there is one.
    ///
    /// # Errors
    /// A fault.
    pub async fn remembered_grant(
        &self,
        authorization: &Authorization,
        member_id: MemberId,
    ) -> Result<Option<GrantId>, CommandError> {
        // Anybody can take over the address of a client without a secret that listens on a member's own machine: there
        // the member is asked each time (RFC 9700 section 4.15, RFC 8252 section 8.6).
        let registration = &authorization.registration;
        let known = registration.token_endpoint_auth_method.has_secret()
            || authorization.redirect_uri.starts_with("https:");
        if authorization.prompt_consent || !known {
            return Ok(None);
        }
        let found = self
            .inner
            .remembered_grant(&authorization.environment, authorization.client_id, member_id)
            .await?;
        Ok(found
            .filter(|(_, given)| authorization.scope.is_within(&given.scope))
            .map(|(grant_id, _)| grant_id))
    }

    /// Records that a member allows it.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn give_grant(
        &self,
        context: Context,
        authorization: Authorization,
        remember: bool,
    ) -> Result<ChangedGrant, CommandError> {
        self.run(move |inner| async move {
            let member_id = context.member().ok_or(CommandError::Unauthenticated)?;
            let Authorization { environment, client_id, scope, .. } = authorization;
            let remembered = match inner.remembered_grant(&environment, client_id, member_id).await? {
                Some((grant_id, _)) if remember => Some(grant_id),
                Some(_) | None => None,
            };
            let grant_id = match remembered {
                Some(grant_id) => grant_id,
                None => GrantId(uuid_v7(inner.log.now(), inner.entropy.as_ref())?),
            };
            let given = GrantGiven { environment, client_id, member_id, scope, remembered: remember };
            inner.change_grant(&context, grant_id, GrantCommand::Give(given)).await
        })
        .await
    }

    /// Records that a member does not allow it.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn deny_grant(
        &self,
        context: Context,
        authorization: Authorization,
    ) -> Result<ChangedGrant, CommandError> {
        self.run(move |inner| async move {
            let member_id = context.member().ok_or(CommandError::Unauthenticated)?;
            let Authorization { environment, client_id, scope, .. } = authorization;
            let grant_id = GrantId(uuid_v7(inner.log.now(), inner.entropy.as_ref())?);
            let denied = GrantDenied { environment, client_id, member_id, scope };
            inner.change_grant(&context, grant_id, GrantCommand::Deny(denied)).await
        })
        .await
    }

    /// A code for what a member allows.
    ///
    /// # Errors
    /// A fault.
    pub async fn issue_code(
        &self,
        authorization: Authorization,
        grant_id: GrantId,
        member: SignedInMember,
        request_id: String,
        source: Option<Source>,
    ) -> Result<SecretString, CommandError> {
        self.run(move |inner| async move {
            inner.issue_code(authorization, grant_id, member, request_id, source).await
        })
        .await
    }

    /// Records that a request could not be granted without asking, or that its member said no.
    ///
    /// # Errors
    /// The fault that kept it from being recorded.
    pub async fn refused_authorization(
        &self,
        authorization: &Authorization,
        refusal: AuthorizationRefusal,
        request_id: String,
        source: Option<Source>,
    ) -> Result<(), Fault> {
        let deed = Deed {
            kind: AUTHORIZATION,
            environment: Some(authorization.environment.to_string()),
            client: Some(authorization.client_id.to_string()),
            scope: Some(authorization.scope.to_wire()),
            request_id,
            source,
            ..Deed::default()
        };
        self.inner.record_refused(deed, refusal.as_str()).await
    }
}

impl Inner {
    async fn check_authorization(
        &self,
        request: AuthorizationRequest,
    ) -> Result<Authorization, AuthorizationError> {
        let (request_id, source) = (request.request_id.clone(), request.source.clone());
        let deed = Deed { kind: AUTHORIZATION, request_id, source, ..Deed::default() };
        let Some(policy) = self.policy_of(&request.environment).await? else {
            // Anybody can make up names of environments: nothing is counted by them.
            self.record_refused(deed, "no_such_environment").await?;
            return Err(AuthorizationError::NoSuchEnvironment);
        };
        let environment = request.environment.to_string();
        let claimed = request.parameters.client_id.as_deref().and_then(|id| id.parse::<ClientId>().ok());
        let client = claimed.map(|id| id.to_string());
        let deed = Deed { environment: Some(environment), client, ..deed };
        match self.judge_authorization(&request, &policy).await {
            Err(AuthorizationError::Page(refusal, mismatch)) => {
                self.record_refused(deed, refusal.as_str()).await?;
                Err(AuthorizationError::Page(refusal, mismatch))
            }
            Err(AuthorizationError::Refused { refusal, redirect_uri, state }) => {
                self.record_refused(deed, refusal.as_str()).await?;
                Err(AuthorizationError::Refused { refusal, redirect_uri, state })
            }
            judged => judged,
        }
    }

    async fn judge_authorization(
        &self,
        request: &AuthorizationRequest,
        policy: &Policy,
    ) -> Result<Authorization, AuthorizationError> {
        let AuthorizationParameters { client_id, redirect_uri, state, repeated, .. } = &request.parameters;
        let page = |refusal| AuthorizationError::Page(refusal, None);
        if repeated.iter().any(|name| ["client_id", "redirect_uri"].contains(&name.as_str())) {
            return Err(page(PageRefusal::Repeated));
        }
        let claimed = client_id.as_deref().ok_or_else(|| page(PageRefusal::NoClient))?;
        let client_id: ClientId = claimed.parse().map_err(|_| page(PageRefusal::UnknownClient))?;
        let loaded = self.clients.current(claimed).await?;
        let registration =
            loaded.aggregate.registration().filter(|client| client.environment == request.environment);
        let registration = registration.ok_or_else(|| page(PageRefusal::UnknownClient))?;
        match registration.status {
            Status::Active => {}
            Status::Inactive => return Err(page(PageRefusal::InactiveClient)),
            Status::Deleted => return Err(page(PageRefusal::UnknownClient)),
        }
        let redirect_uri = redirect_uri.as_deref().ok_or_else(|| page(PageRefusal::NoRedirectUri))?;
        RedirectMismatch::check(&registration.redirect_uris, redirect_uri).map_err(|mismatch| {
            AuthorizationError::Page(PageRefusal::of_mismatch(&mismatch), Some(mismatch))
        })?;
        // From here on the client is told.
        let known = |text: &Option<String>| text.as_ref().is_none_or(|text| text.len() <= LONGEST_TEXT);
        let back = state.clone().filter(|_| known(state) && !repeated.iter().any(|name| name == "state"));
        judge_parameters(&request.parameters, policy, &request.issuer, registration)
            .map(|judged| Authorization {
                environment: request.environment.clone(),
                client_id,
                registration: registration.clone(),
                redirect_uri: redirect_uri.to_owned(),
                state: back.clone(),
                ..judged.into_authorization(client_id, registration)
            })
            .map_err(|refusal| AuthorizationError::Refused {
                refusal,
                redirect_uri: redirect_uri.to_owned(),
                state: back,
            })
    }

    async fn issue_code(
        self: Arc<Self>,
        authorization: Authorization,
        grant_id: GrantId,
        member: SignedInMember,
        request_id: String,
        source: Option<Source>,
    ) -> Result<SecretString, CommandError> {
        let (policy, _) = self.policy(&authorization.environment).await?;
        let client_id = authorization.client_id;
        let minted =
            self.mint_for_client(SecretKind::AuthorizationCode, &authorization.environment, client_id)?;
        let voucher = CodeVoucher {
            client_id,
            grant_id,
            member_id: member.member_id,
            redirect_uri: authorization.redirect_uri,
            code_challenge: authorization.code_challenge,
            scope: authorization.scope.clone(),
            resources: authorization.resources,
            nonce: authorization.nonce,
            auth_time: member.signed_in_at.as_second(),
            methods: member.methods,
            generation: authorization.registration.token_generation,
            key_thumbprint: authorization.key_thumbprint,
        };
        let data = serde_json::to_vec(&voucher)
            .map_err(|error| Fault::permanent("writing what a code is good for", error))?;
        let deed = Deed {
            kind: AUTHORIZATION,
            environment: Some(authorization.environment.to_string()),
            client: Some(client_id.to_string()),
            token: Some(minted.id.to_string()),
            grant: Some(grant_id.to_string()),
            scope: Some(authorization.scope.to_wire()),
            request_id,
            source,
            ..Deed::default()
        };
        let record = self.listed(deed, Outcome::Done, None).await?;
        let expires_at = self.log.now() + SignedDuration::from_secs(policy.code_lifetime_seconds.into());
        let issued = Voucher { kind: CODE, id: minted.id.into(), data, expires_at };
        let commit = ActivityCommit {
            records: vec![record],
            vouchers: vec![VoucherChange::Issue(issued)],
            ..ActivityCommit::default()
        };
        let recorded = self.activity.append(commit).await;
        recorded.map_err(|error| Fault::passing("recording activity", error))?;
        Ok(minted.secret)
    }
}

/// What the parameters say beyond who asks and where the answer goes.
struct Judged {
    scope: ScopeSet,
    prompts: Prompts,
    max_age: Option<SignedDuration>,
    nonce: Option<String>,
    code_challenge: String,
    resources: Vec<String>,
    key_thumbprint: Option<String>,
}

#[derive(Clone, Copy, Default)]
struct Prompts {
    login: bool,
    consent: bool,
    none: bool,
}

impl Judged {
    fn into_authorization(self, client_id: ClientId, registration: &Registration) -> Authorization {
        Authorization {
            environment: registration.environment.clone(),
            client_id,
            registration: registration.clone(),
            redirect_uri: String::new(),
            scope: self.scope,
            state: None,
            prompt_login: self.prompts.login,
            prompt_consent: self.prompts.consent,
            prompt_none: self.prompts.none,
            max_age: self.max_age,
            nonce: self.nonce,
            code_challenge: self.code_challenge,
            resources: self.resources,
            key_thumbprint: self.key_thumbprint,
        }
    }
}

fn judge_parameters(
    parameters: &AuthorizationParameters,
    policy: &Policy,
    issuer: &str,
    registration: &Registration,
) -> Result<Judged, AuthorizationRefusal> {
    use AuthorizationRefusal as Refusal;

    if !parameters.repeated.is_empty() {
        return Err(Refusal::Repeated);
    }
    if parameters.request.is_some() {
        return Err(Refusal::RequestObject);
    }
    let long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > LONGEST_TEXT);
    if long(&parameters.state) || long(&parameters.nonce) {
        return Err(Refusal::TooLong);
    }
    match parameters.response_type.as_deref() {
        Some("code") => {}
        Some(_) => return Err(Refusal::ResponseType),
        None => return Err(Refusal::NoResponseType),
    }
    if parameters.response_mode.as_deref().is_some_and(|mode| mode != "query") {
        return Err(Refusal::ResponseMode);
    }
    if !registration.grant_types.contains(&GrantType::AuthorizationCode) {
        return Err(Refusal::GrantTypeNotAllowed);
    }
    let challenge = parameters.code_challenge.as_deref().ok_or(Refusal::NoCodeChallenge)?;
    if parameters.code_challenge_method.as_deref() != Some("S256") {
        return Err(Refusal::CodeChallengeMethod);
    }
    if !is_code_challenge(challenge) {
        return Err(Refusal::CodeChallengeMalformed);
    }
    let scope = Inner::scope_within(parameters.scope.as_deref(), &registration.scope)
        .map_err(|_| Refusal::UnknownScope)?;
    Inner::audience(policy, issuer, &parameters.resources)
        .map_err(|_: TokenRefusal| Refusal::UnknownResource)?;
    let prompts = prompts(parameters.prompt.as_deref())?;
    let max_age = match parameters.max_age.as_deref() {
        None => None,
        Some(text) => {
            let seconds: u32 = text.parse().map_err(|_| Refusal::MaxAge)?;
            Some(SignedDuration::from_secs(seconds.into()))
        }
    };
    Ok(Judged {
        scope,
        prompts,
        max_age,
        nonce: parameters.nonce.clone(),
        code_challenge: challenge.to_owned(),
        resources: parameters.resources.clone(),
        key_thumbprint: parameters.key_thumbprint.clone(),
    })
}

/// `prompt` (OpenID Connect Core section 3.1.2.1). To choose an account is to sign in: a browser has one member at a time.
fn prompts(text: Option<&str>) -> Result<Prompts, AuthorizationRefusal> {
    let mut prompts = Prompts::default();
    let asked: Vec<_> = text.unwrap_or_default().split(' ').filter(|one| !one.is_empty()).collect();
    for one in &asked {
        match *one {
            "none" if asked.len() == 1 => prompts.none = true,
            "login" | "select_account" => prompts.login = true,
            "consent" => prompts.consent = true,
            _ => return Err(AuthorizationRefusal::Prompt),
        }
    }
    Ok(prompts)
}
