//! The authorization endpoint's use cases: what a client may ask a member for, and what comes of the member's answer.

mod code;
mod parameters;
mod pushed;
mod refusal;

use domain::{
    ClientId, EnvironmentName, GrantCommand, GrantId, MemberId, Permission,
    client::{Registration, Status},
    environment::{Policy, SecondFactorRule},
    grant::{GrantDenied, GrantGiven},
    oauth::{RedirectMismatch, ScopeSet},
};
use jiff::SignedDuration;
use store::{ActivityCommit, VoucherChange};

pub use code::SignedInMember;
use parameters::Addressed;
pub use parameters::AuthorizationParameters;
pub(crate) use pushed::PUSHED_REQUEST;
pub use pushed::{PushError, PushRequest, PushedRequest};
pub use refusal::{AuthorizationRefusal, PageRefusal};

use crate::{
    App, Inner,
    activity::Deed,
    context::{Context, Source},
    error::{CommandError, Fault},
    grants::ChangedGrant,
    ids::uuid_v7,
    look,
    sessions::Session,
};

/// What a client has a member asked for.
pub(crate) const AUTHORIZATION: &str = "authorization";

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
    /// The voucher of the request, if its client handed it in: spent with the answer.
    pushed: Option<String>,
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

impl Authorization {
    /// A request that was handed in is answered once.
    fn spends(&self) -> Option<VoucherChange> {
        let id = self.pushed.clone()?;
        Some(VoucherChange::Revoke { kind: PUSHED_REQUEST, id })
    }
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
        Ok(wanted && !session.has_second_factor())
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
        let known = !registration.token_endpoint_auth_method.is_public()
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
        // Who only lacks a second factor may come back with one: the client has no answer yet.
        let answered = refusal != AuthorizationRefusal::SecondFactorMissing;
        let vouchers = authorization.spends().filter(|_| answered).into_iter().collect();
        let beside = ActivityCommit { vouchers, ..ActivityCommit::default() };
        self.inner.record_refused_with(deed, refusal.as_str(), beside).await
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
        match self.judge_presented(request, &policy).await {
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

    /// Judges what a client handed in if the request names that, else what it says itself.
    async fn judge_presented(
        &self,
        mut request: AuthorizationRequest,
        policy: &Policy,
    ) -> Result<Authorization, AuthorizationError> {
        let parameters = &request.parameters;
        let named = |name: &String| pushed::is_name(name) && !parameters.repeats_an_address();
        let Some(request_uri) = parameters.request_uri.clone().filter(named) else {
            return self.judge_authorization(&request, policy).await;
        };
        let (handed_in, id) = self.pushed_request(&request_uri, parameters.client_id.as_deref()).await?;
        // Whatever stands beside the name counts for nothing (RFC 9126 section 4).
        request.parameters = handed_in;
        let authorization = self.judge_authorization(&request, policy).await?;
        Ok(Authorization { pushed: Some(id), ..authorization })
    }

    async fn judge_authorization(
        &self,
        request: &AuthorizationRequest,
        policy: &Policy,
    ) -> Result<Authorization, AuthorizationError> {
        let AuthorizationParameters { client_id, redirect_uri, .. } = &request.parameters;
        let page = |refusal| AuthorizationError::Page(refusal, None);
        if request.parameters.repeats_an_address() {
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
        let addressed = Addressed { client_id, registration, redirect_uri };
        addressed.asks(request, policy).map_err(|refusal| AuthorizationError::Refused {
            refusal,
            redirect_uri: redirect_uri.to_owned(),
            state: request.parameters.state_to_return(),
        })
    }
}
