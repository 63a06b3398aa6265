//! The token endpoint's use cases: what a client asks for, and what it gets (RFC 6749).
//!
//! Whatever the answer, the activity log has it before anyone hears it. What can be used once is spent in the commit of
//! that record, and a quota is counted in it.

mod client_credentials;
mod code;
mod entitlement;
mod id_token;
mod refresh;
mod refusal;

use std::sync::Arc;

use crypto::{Binding, Minted, SecretKind, SecretString, mint};
use domain::{
    ClientId, EnvironmentName, GrantId, SecretId,
    client::Registration,
    environment::Policy,
    oauth::{GrantType, ResourceIndicator, ScopeSet},
};
use jiff::{SignedDuration, Timestamp};
use store::{ActivityCommit, ActivityError, Count, Outcome, VoucherChange};

pub(crate) use code::{CODE, CodeVoucher};
pub(crate) use entitlement::{Entitlement, Exchanged};
pub use id_token::MemberClaims;
pub(crate) use refresh::REFRESH_TOKEN;
pub use refusal::TokenRefusal;

use crate::{
    App, Inner,
    access_tokens::{AccessToken, Confirmation},
    activity::Deed,
    authenticate_client::{self, ClientAuthenticationError, ClientRefusal, ProvedBy, ProvedClient, Traces},
    context::Source,
    error::{CommandError, Fault},
    key_proofs::{self, KeyProof, ProofRefusal},
    look,
};

/// What a client does who asks for tokens.
pub(crate) const TOKEN: &str = "token";

/// What a client presents to prove who it is.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// The id that it claims.
    pub client_id: String,
    /// How it proves that.
    pub proof: ClientProof,
}

/// How a client proves who it is.
#[derive(Clone, Debug)]
pub enum ClientProof {
    /// It cannot: a public client (RFC 6749 section 2.1).
    None,
    /// By a secret.
    Secret(SecretString),
    /// By an assertion that it signed (RFC 7523 section 2.2).
    Assertion {
        /// The assertion.
        assertion: SecretString,
        /// What it may name as its audience.
        audiences: Vec<String>,
    },
}

/// A request for tokens.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The environment that it is asked in.
    pub environment: EnvironmentName,
    /// The URL of that environment.
    pub issuer: String,
    /// Who asks.
    pub client: ClientCredentials,
    /// What for.
    pub ask: TokenAsk,
    /// The scopes asked for, as they came in.
    pub scope: Option<String>,
    /// The resource servers asked for, as they came in (RFC 8707).
    pub resources: Vec<String>,
    /// The proof that the sender has a key, to which the tokens are to be bound (RFC 9449 section 5).
    pub key_proof: Option<KeyProof>,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it comes from.
    pub source: Option<Source>,
}

/// What tokens are asked for.
#[derive(Clone, Debug)]
pub enum TokenAsk {
    /// The client itself (RFC 6749 section 4.4).
    ClientCredentials,
    /// A code (RFC 6749 section 4.1.3).
    AuthorizationCode {
        /// The code.
        code: SecretString,
        /// Where it was sent.
        redirect_uri: Option<String>,
        /// What its challenge was made of (RFC 7636).
        code_verifier: Option<String>,
    },
    /// A refresh token (RFC 6749 section 6).
    RefreshToken(SecretString),
}

impl TokenAsk {
    fn grant_type(&self) -> GrantType {
        match self {
            Self::ClientCredentials => GrantType::ClientCredentials,
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::RefreshToken(_) => GrantType::RefreshToken,
        }
    }
}

/// Tokens (RFC 6749 section 5.1).
#[derive(Debug)]
pub struct IssuedTokens {
    /// The access token.
    pub access_token: SecretString,
    /// Whether it must be presented with a proof of a key.
    pub is_bound: bool,
    /// How long it lives, in seconds.
    pub expires_in: u32,
    /// What it is good for.
    pub scope: ScopeSet,
    /// What the next one is got with.
    pub refresh_token: Option<SecretString>,
    /// Who signed in (OpenID Connect Core section 2).
    pub id_token: Option<SecretString>,
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no such environment.
    #[error("there is no such environment")]
    NoSuchEnvironment,
    /// The client is not who it says it is; that is recorded or counted.
    #[error(transparent)]
    Client(#[from] ClientRefusal),
    /// The proof of its key is not good; that is recorded or counted.
    #[error("the proof of a key is refused: {}", .0.as_str())]
    Proof(ProofRefusal),
    /// What it asks for is refused; that is recorded or counted.
    #[error("the request for tokens is refused: {}", .0.as_str())]
    Refused(TokenRefusal),
    /// The service could not find out, or could not record it.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl TokenError {
    /// Why a client is refused, if it is.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Client(refusal) => Some(refusal.as_str()),
            Self::Proof(refusal) => Some(refusal.as_str()),
            Self::Refused(refusal) => Some(refusal.as_str()),
            Self::NoSuchEnvironment | Self::Failed(_) => None,
        }
    }
}

impl From<TokenRefusal> for TokenError {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ProofRefusal> for TokenError {
    fn from(refusal: ProofRefusal) -> Self {
        Self::Proof(refusal)
    }
}

impl From<Fault> for TokenError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl From<ClientAuthenticationError> for TokenError {
    fn from(error: ClientAuthenticationError) -> Self {
        match error {
            ClientAuthenticationError::NoSuchEnvironment => Self::NoSuchEnvironment,
            ClientAuthenticationError::Refused(refusal) => Self::Client(refusal),
            ClientAuthenticationError::Failed(error) => Self::Failed(error),
        }
    }
}

impl App {
    /// Tokens for a client, if it may have them.
    ///
    /// # Errors
    /// [`TokenError`]; each refusal is recorded or counted before it is answered.
    pub async fn issue_tokens(&self, request: TokenRequest) -> Result<IssuedTokens, TokenError> {
        let by_secret = matches!(request.client.proof, ClientProof::Secret(_)) && request.key_proof.is_none();
        if by_secret && matches!(request.ask, TokenAsk::ClientCredentials) {
            // Spends nothing that a client which hangs up could lose: it is spared the way to another thread and back.
            return look::once(self.inner.issue_tokens(request)).await;
        }
        let inner = Arc::clone(&self.inner);
        // Off the HTTP workers: who hangs up after a code was spent must not cancel its tokens half way.
        match self.commands.spawn(look::once(async move { inner.issue_tokens(request).await })).await {
            Ok(result) => result,
            Err(gone) => Err(Fault::unknown_outcome(gone).into()),
        }
    }
}

/// What is about to be issued, and what is recorded of it.
struct Draft {
    token: AccessToken,
    scope: ScopeSet,
    vouchers: Vec<VoucherChange>,
    refresh_token: Option<SecretString>,
    id_token: Option<SecretString>,
}

/// All that a request is judged by.
struct Asked<'r> {
    request: &'r TokenRequest,
    policy: &'r Policy,
    client: &'r ProvedClient,
    registration: &'r Registration,
    /// The key that its sender has.
    key_thumbprint: Option<&'r str>,
    now: Timestamp,
}

impl Inner {
    async fn issue_tokens(&self, request: TokenRequest) -> Result<IssuedTokens, TokenError> {
        let environment = self.environments.current(request.environment.as_str()).await?;
        let Some(policy) = environment.aggregate.policy() else {
            // Anybody can make up names of environments: nothing is counted by them.
            let deed = Deed {
                kind: TOKEN,
                request_id: request.request_id.clone(),
                source: request.source.clone(),
                ..Deed::default()
            };
            self.record_refused(deed, "no_such_environment").await?;
            return Err(TokenError::NoSuchEnvironment);
        };
        let known_id = request.client.client_id.parse::<ClientId>().ok();
        let mut deed = Deed {
            kind: TOKEN,
            environment: Some(request.environment.to_string()),
            client: known_id.map(|id| id.to_string()),
            request_id: request.request_id.clone(),
            source: request.source.clone(),
            ..Deed::default()
        };
        let mut client = match self.prove_client(&request.environment, &request.client).await {
            Ok(client) => client,
            Err(ClientAuthenticationError::Refused(refusal)) => {
                self.record_refused(deed, refusal.as_str()).await?;
                return Err(refusal.into());
            }
            Err(error) => return Err(error.into()),
        };
        deed.credential = client.by.credential();
        let issued = match self.key_of(&request, &mut client) {
            Ok(key) => self.issue_proved(&request, policy, &client, key.as_deref(), deed.clone()).await,
            Err(refusal) => Err(refusal.into()),
        };
        if let Err(error) = &issued
            && let Some(reason) = error.reason()
        {
            self.record_refused_to(client, deed, reason).await?;
        }
        issued
    }

    /// The key that the sender has, if it proves one; the proof is used with the client's own.
    fn key_of(
        &self,
        request: &TokenRequest,
        client: &mut ProvedClient,
    ) -> Result<Option<String>, ProofRefusal> {
        let Some(proof) = &request.key_proof else { return Ok(None) };
        let key = self.prove_key(proof, None)?;
        client.traces.vouchers.push(key.used);
        Ok(Some(key.thumbprint))
    }

    async fn issue_proved(
        &self,
        request: &TokenRequest,
        policy: &Policy,
        client: &ProvedClient,
        key_thumbprint: Option<&str>,
        deed: Deed,
    ) -> Result<IssuedTokens, TokenError> {
        let registration = client.registration().ok_or(ClientRefusal::NoSuchClient)?;
        if !registration.grant_types.contains(&request.ask.grant_type()) {
            return Err(TokenRefusal::GrantTypeNotAllowed.into());
        }
        let now = self.log.now();
        let asked = Asked { request, policy, client, registration, key_thumbprint, now };
        let draft = self.draft(&asked).await?;
        let format = registration.access_token_format.unwrap_or(policy.access_token_format);
        let access_token = self.write_access_token(&request.environment, format, &draft.token).await?;
        let counts = self.quota(client.client_id, registration, now).await?;
        let deed = Deed {
            token: Some(draft.token.jti.to_string()),
            grant: draft.token.grant_id.map(|grant| grant.to_string()),
            scope: Some(draft.token.scope.clone()),
            ..deed
        };
        let record = self.listed(deed, Outcome::Done, None).await?;
        let Traces { digests, mut vouchers } = client.traces.clone();
        vouchers.extend(draft.vouchers);
        let commit = ActivityCommit { records: vec![record], digests, vouchers, counts };
        match self.activity.append(commit).await {
            Ok(_) => {}
            Err(ActivityError::OverLimit { .. }) => return Err(TokenRefusal::OverQuota.into()),
            // Meanwhile the code or refresh token was used, or its time ended: another look tells which.
            Err(error @ ActivityError::VoucherNotLive { .. }) => {
                let asked = Asked { now: self.log.now(), ..asked };
                let looked_again = self.draft(&asked).await;
                return Err(looked_again
                    .err()
                    .unwrap_or_else(|| Fault::passing("recording activity", error).into()));
            }
            Err(error @ (ActivityError::Unavailable(_) | ActivityError::VoucherTaken { .. })) => {
                let of_client = authenticate_client::reused(&error).map(TokenError::from);
                let reused = of_client.or_else(|| key_proofs::reused(&error).map(TokenError::from));
                return Err(reused.unwrap_or_else(|| Fault::passing("recording activity", error).into()));
            }
        }
        Ok(IssuedTokens {
            access_token: access_token.into(),
            is_bound: draft.token.cnf.is_some(),
            expires_in: policy.access_token_lifetime_seconds,
            scope: draft.scope,
            refresh_token: draft.refresh_token,
            id_token: draft.id_token,
        })
    }

    /// What comes of a request if it is recorded.
    async fn draft(&self, asked: &Asked<'_>) -> Result<Draft, TokenError> {
        match &asked.request.ask {
            TokenAsk::ClientCredentials => self.for_itself(asked),
            TokenAsk::AuthorizationCode { code, redirect_uri, code_verifier } => {
                self.for_code(asked, code, redirect_uri.as_deref(), code_verifier.as_deref()).await
            }
            TokenAsk::RefreshToken(token) => self.for_refresh_token(asked, token).await,
        }
    }

    /// One more token of the UTC day, if the client's type has a quota (behaviour O2).
    async fn quota(
        &self,
        client_id: ClientId,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Vec<Count>, Fault> {
        let client_type = self.client_types.current(&registration.client_type).await?;
        let quota = client_type.aggregate.listed().and_then(|listed| listed.daily_quota);
        let Some(quota) = quota else { return Ok(Vec::new()) };
        let day = now.as_second().div_euclid(86_400);
        Ok(vec![Count {
            key: format!("tokens/{client_id}/{day}"),
            limit: Some(quota.into()),
            expires_at: now + SignedDuration::from_hours(48),
        }])
    }

    /// The scopes of a request among those that it can have; all of them if it names none.
    pub(crate) fn scope_within(asked: Option<&str>, most: &ScopeSet) -> Result<ScopeSet, TokenRefusal> {
        let Some(text) = asked.filter(|text| !text.is_empty()) else { return Ok(most.clone()) };
        let scope = ScopeSet::parse(text, "/scope").map_err(|_| TokenRefusal::UnknownScope)?;
        if scope.is_within(most) && !scope.is_empty() { Ok(scope) } else { Err(TokenRefusal::UnknownScope) }
    }

    /// An access token of this client, for these scopes.
    fn draft_token(
        &self,
        asked: &Asked<'_>,
        scope: &ScopeSet,
        audience: Vec<String>,
        of_grant: Option<OfGrant>,
    ) -> Result<AccessToken, TokenError> {
        let iat = asked.now.as_second();
        let (sub, grant_id, auth_time) = match of_grant {
            Some(grant) => (grant.subject, Some(grant.grant_id), Some(grant.auth_time)),
            None => (asked.client.client_id.to_string(), None, None),
        };
        let (secret_id, client_key) = match asked.client.by.clone() {
            ProvedBy::Nothing => (None, None),
            ProvedBy::Secret(id) => (Some(id), None),
            ProvedBy::Key(thumbprint) => (None, Some(thumbprint)),
        };
        Ok(AccessToken {
            iss: asked.request.issuer.clone(),
            sub,
            aud: audience,
            client_id: asked.client.client_id,
            exp: iat + i64::from(asked.policy.access_token_lifetime_seconds),
            iat,
            jti: self.token_id()?,
            scope: scope.to_wire(),
            auth_time,
            cnf: asked.key_thumbprint.map(|jkt| Confirmation { jkt: jkt.to_owned() }),
            grant_id,
            secret_id,
            client_key,
            generation: asked.registration.token_generation,
        })
    }

    /// Whom a token is for: the resources asked for, all of which the environment must know, or else the authorization
    /// server itself.
    pub(crate) fn audience(
        policy: &Policy,
        issuer: &str,
        resources: &[String],
    ) -> Result<Vec<String>, TokenRefusal> {
        if resources.is_empty() {
            return Ok(vec![issuer.to_owned()]);
        }
        let known = |resource: &String| {
            let listed = ResourceIndicator::parse(resource).is_ok_and(|it| policy.resources.contains(&it));
            listed || resource == issuer
        };
        if resources.iter().all(known) { Ok(resources.to_vec()) } else { Err(TokenRefusal::UnknownResource) }
    }

    /// A fresh id of a token. Ids of later tokens come later in the order of ids: the index by token in the activity log grows
    /// at its end, instead of being rewritten all over.
    fn token_id(&self) -> Result<SecretId, Fault> {
        let now = u64::try_from(self.log.now().as_millisecond()).unwrap_or_default();
        Ok(SecretId(crypto::SecretId::in_time(now, self.entropy.as_ref())?.into()))
    }

    /// A fresh code or refresh token of a client.
    pub(crate) fn mint_for_client(
        &self,
        kind: SecretKind,
        environment: &EnvironmentName,
        client_id: ClientId,
    ) -> Result<Minted, Fault> {
        let owner = client_id.to_string();
        let binding = Binding { environment: environment.as_str(), owner: &owner };
        Ok(mint(kind, &binding, &self.vault.ring.tags, self.entropy.as_ref())?)
    }
}

/// What tokens of a grant say beyond those of the client itself.
struct OfGrant {
    grant_id: GrantId,
    subject: String,
    auth_time: i64,
}
