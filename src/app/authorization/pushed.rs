//! Requests that a client hands in itself, before it sends a member along with nothing but their name (RFC 9126): nobody on the
//! way can read or change them.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::Entropy;
use domain::{ClientId, oauth::ScopeSet};
use jiff::SignedDuration;
use store::{ActivityCommit, Outcome, Voucher, VoucherChange};

use super::{
    AuthorizationError, AuthorizationParameters, AuthorizationRefusal, AuthorizationRequest, PageRefusal,
};
use crate::{
    App, Inner,
    activity::Deed,
    authenticate_client::{self, ClientAuthenticationError, ProvedClient, Traces},
    error::{CommandError, Fault},
    key_proofs::{self, KeyProof},
    look,
    tokens::{ClientCredentials, TokenError},
};

/// What a client does who hands in a request.
pub(crate) const PUSHED_REQUEST: &str = "pushed_request";
/// RFC 9126 section 2.2.
const URN: &str = "urn:ietf:params:oauth:request_uri:";
/// Time enough for a member to sign in and to think about it.
const LIFETIME: SignedDuration = SignedDuration::from_mins(10);
const DIGEST_LABEL: &str = "pushed-request";

/// A request that a client hands in, and how it says who it is.
#[derive(Clone, Debug)]
pub struct PushRequest {
    /// The request; where it comes from is where the client is.
    pub request: AuthorizationRequest,
    /// Who asks.
    pub client: ClientCredentials,
    /// The proof of a key to which the tokens are to be bound (RFC 9449 section 10.1).
    pub key_proof: Option<KeyProof>,
}

/// A request that is kept.
#[derive(Clone, Debug)]
pub struct PushedRequest {
    /// Its name.
    pub request_uri: String,
    /// How long it is kept, in seconds.
    pub expires_in: i64,
}

/// Why a request is not kept.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The client is not who it says it is, or its proof is not good, or nobody could find out.
    #[error(transparent)]
    Asking(#[from] TokenError),
    /// The request would lead nowhere.
    #[error("the request is refused: {}", .0.as_str())]
    Page(PageRefusal),
    /// The request would be refused.
    #[error("the request is refused: {}", .0.as_str())]
    Refused(AuthorizationRefusal),
}

/// Whether it can be the name of a request that was handed in; others are addresses of requests (RFC 9101), which nobody fetches.
pub(super) fn is_name(request_uri: &str) -> bool {
    request_uri.starts_with(URN)
}

impl PushError {
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Asking(error) => error.reason(),
            Self::Page(refusal) => Some(refusal.as_str()),
            Self::Refused(refusal) => Some(refusal.as_str()),
        }
    }
}

impl From<Fault> for PushError {
    fn from(fault: Fault) -> Self {
        Self::Asking(fault.into())
    }
}

impl App {
    /// Keeps a request that a client hands in, if it could be granted.
    ///
    /// # Errors
    /// [`PushError`]; each refusal is recorded or counted before it is answered.
    pub async fn push_authorization(&self, push: PushRequest) -> Result<PushedRequest, PushError> {
        let inner = Arc::clone(&self.inner);
        match self.commands.spawn(look::once(async move { inner.push_authorization(push).await })).await {
            Ok(result) => result,
            Err(gone) => Err(Fault::unknown_outcome(gone).into()),
        }
    }
}

impl Inner {
    async fn push_authorization(&self, mut push: PushRequest) -> Result<PushedRequest, PushError> {
        let deed = Deed {
            kind: PUSHED_REQUEST,
            request_id: push.request.request_id.clone(),
            source: push.request.source.clone(),
            ..Deed::default()
        };
        let environment = push.request.environment.clone();
        let Some(policy) = self.policy_of(&environment).await? else {
            // Anybody can make up names of environments: nothing is counted by them.
            self.record_refused(deed, "no_such_environment").await?;
            return Err(TokenError::NoSuchEnvironment.into());
        };
        let claimed = push.client.client_id.parse::<ClientId>().ok();
        let mut deed = Deed {
            environment: Some(environment.to_string()),
            client: claimed.map(|id| id.to_string()),
            ..deed
        };
        let mut client = match self.prove_client(&environment, &push.client).await {
            Ok(client) => client,
            Err(ClientAuthenticationError::Refused(refusal)) => {
                self.record_refused(deed, refusal.as_str()).await?;
                return Err(TokenError::from(refusal).into());
            }
            Err(error) => return Err(TokenError::from(error).into()),
        };
        deed.credential = client.by.credential();
        let pushed = match self.judge_pushed(&mut push, &policy, &mut client).await {
            Ok(scope) => {
                let deed = Deed { scope: Some(scope.to_wire()), ..deed.clone() };
                self.keep_pushed(&push.request.parameters, &client, deed).await
            }
            Err(refused) => Err(refused),
        };
        if let Err(error) = &pushed
            && let Some(reason) = error.reason()
        {
            self.record_refused_to(client, deed, reason).await?;
        }
        pushed
    }

    /// Judges a request as if a member came with it, and binds it to the key that its sender has; answers what it asks for.
    async fn judge_pushed(
        &self,
        push: &mut PushRequest,
        policy: &domain::environment::Policy,
        client: &mut ProvedClient,
    ) -> Result<ScopeSet, PushError> {
        let parameters = &mut push.request.parameters;
        if parameters.request_uri.is_some() {
            return Err(PushError::Refused(AuthorizationRefusal::RequestObject));
        }
        parameters.client_id = Some(client.client_id.to_string());
        if let Some(proof) = &push.key_proof {
            let key = self.prove_key(proof, None).map_err(TokenError::from)?;
            client.traces.vouchers.push(key.used);
            if parameters.key_thumbprint.as_ref().is_some_and(|claimed| *claimed != key.thumbprint) {
                return Err(PushError::Refused(AuthorizationRefusal::KeyThumbprint));
            }
            parameters.key_thumbprint = Some(key.thumbprint);
        }
        match self.judge_authorization(&push.request, policy).await {
            Ok(authorization) => Ok(authorization.scope),
            Err(AuthorizationError::Page(refusal, _)) => Err(PushError::Page(refusal)),
            Err(AuthorizationError::Refused { refusal, .. }) => Err(PushError::Refused(refusal)),
            Err(AuthorizationError::NoSuchEnvironment) => Err(TokenError::NoSuchEnvironment.into()),
            Err(AuthorizationError::Failed(error)) => Err(TokenError::from(error).into()),
        }
    }

    async fn keep_pushed(
        &self,
        parameters: &AuthorizationParameters,
        client: &ProvedClient,
        deed: Deed,
    ) -> Result<PushedRequest, PushError> {
        let data = serde_json::to_vec(parameters)
            .map_err(|error| Fault::permanent("writing a request that was handed in", error))?;
        let random = <dyn Entropy>::array::<32>(self.entropy.as_ref()).map_err(Fault::from)?;
        let name = URL_SAFE_NO_PAD.encode(random);
        let id = self.pushed_id(&name);
        let deed = Deed { token: Some(id.clone()), ..deed };
        let record = self.listed(deed, Outcome::Done, None).await?;
        let issued = Voucher { kind: PUSHED_REQUEST, id, data, expires_at: self.log.now() + LIFETIME };
        let Traces { digests, mut vouchers } = client.traces.clone();
        vouchers.push(VoucherChange::Issue(issued));
        let commit = ActivityCommit { records: vec![record], digests, vouchers, ..ActivityCommit::default() };
        self.activity.append(commit).await.map_err(|error| {
            let of_client = authenticate_client::reused(&error).map(TokenError::from);
            let reused = of_client.or_else(|| key_proofs::reused(&error).map(TokenError::from));
            reused.unwrap_or_else(|| Fault::passing("recording activity", error).into())
        })?;
        Ok(PushedRequest { request_uri: format!("{URN}{name}"), expires_in: LIFETIME.as_secs() })
    }

    /// What a client handed in under this name, and by what it is spent.
    pub(super) async fn pushed_request(
        &self,
        request_uri: &str,
        client_id: Option<&str>,
    ) -> Result<(AuthorizationParameters, String), AuthorizationError> {
        let refused = || AuthorizationError::Page(PageRefusal::RequestUri, None);
        let id = self.pushed_id(request_uri.strip_prefix(URN).ok_or_else(refused)?);
        let kept = self.activity.voucher(PUSHED_REQUEST, &id).await.map_err(Fault::from)?;
        let kept = kept.filter(|kept| kept.is_live(self.log.now())).ok_or_else(refused)?;
        let parameters: AuthorizationParameters = serde_json::from_slice(&kept.data)
            .map_err(|error| Fault::permanent("reading a request that was handed in", error))?;
        // A name that leaks is of no use to another client (RFC 9126 section 4).
        if parameters.client_id.as_deref() != client_id {
            return Err(refused());
        }
        Ok((parameters, id))
    }

    /// What is kept is not the name itself.
    fn pushed_id(&self, name: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.vault.ring.digests.digest(DIGEST_LABEL, &[name.as_bytes()]))
    }
}

impl From<CommandError> for PushError {
    fn from(error: CommandError) -> Self {
        Self::Asking(error.into())
    }
}
