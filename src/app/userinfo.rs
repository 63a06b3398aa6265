//! Who signed in, told to the client that may know (OpenID Connect Core section 5.3).

use domain::EnvironmentName;
use store::{ActivityCommit, Outcome};

use crate::{
    App, Inner,
    activity::Deed,
    context::Source,
    error::{CommandError, Fault},
    key_proofs::{self, KeyProof, ProofRefusal},
    look,
    tokens::MemberClaims,
};

/// What a client does who asks who signed in.
pub(crate) const USERINFO: &str = "userinfo";
/// Why it is not told.
pub(crate) const REASONS: [&str; 4] =
    ["unknown_token", "another_audience", "insufficient_scope", "key_not_proved"];

/// A request for what the scopes of a token tell about its member.
#[derive(Clone, Debug)]
pub struct UserinfoRequest {
    /// The environment that it is asked in.
    pub environment: EnvironmentName,
    /// The URL of that environment.
    pub issuer: String,
    /// The access token.
    pub token: String,
    /// The proof that the sender has the key that the token is bound to (RFC 9449 section 7).
    pub key_proof: Option<KeyProof>,
    /// The id that the answer carries too.
    pub request_id: String,
    /// Where it comes from.
    pub source: Option<Source>,
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum UserinfoError {
    /// There is no such environment.
    #[error("there is no such environment")]
    NoSuchEnvironment,
    /// The token is none of ours, or is good no longer.
    #[error("the token is not good")]
    InvalidToken,
    /// The token is bound to a key, and the proof of that is not good.
    #[error("the proof of a key is refused: {}", .0.as_str())]
    Proof(ProofRefusal),
    /// The token is not for this.
    #[error("the token has not the scope openid")]
    InsufficientScope,
    /// The service could not find out, or could not record it.
    #[error(transparent)]
    Failed(#[from] CommandError),
}

impl From<Fault> for UserinfoError {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.into())
    }
}

impl App {
    /// What the scopes of a token tell about its member. Each use is recorded.
    ///
    /// # Errors
    /// [`UserinfoError`]; each refusal is recorded or counted before it is answered.
    pub async fn userinfo(&self, request: UserinfoRequest) -> Result<MemberClaims, UserinfoError> {
        look::once(self.inner.userinfo(request)).await
    }
}

impl Inner {
    async fn userinfo(&self, request: UserinfoRequest) -> Result<MemberClaims, UserinfoError> {
        let deed = Deed {
            kind: USERINFO,
            request_id: request.request_id,
            source: request.source,
            ..Deed::default()
        };
        if self.environments.current(request.environment.as_str()).await?.aggregate.policy().is_none() {
            self.record_refused(deed, "no_such_environment").await?;
            return Err(UserinfoError::NoSuchEnvironment);
        }
        let deed = Deed { environment: Some(request.environment.to_string()), ..deed };
        let Some(token) = self.read_access_token(&request.environment, &request.token).await? else {
            self.record_refused(deed, "unknown_token").await?;
            return Err(UserinfoError::InvalidToken);
        };
        let deed = Deed {
            client: Some(token.client_id.to_string()),
            token: Some(token.jti.to_string()),
            grant: token.grant_id.map(|grant| grant.to_string()),
            scope: Some(token.scope.clone()),
            ..deed
        };
        if let Some(end) = self.token_end(&request.environment, &token).await? {
            self.record_refused(deed, end.as_str()).await?;
            return Err(UserinfoError::InvalidToken);
        }
        // One that is for another resource server must not be of use here to that one (RFC 9068 section 4).
        if !token.aud.contains(&request.issuer) {
            self.record_refused(deed, "another_audience").await?;
            return Err(UserinfoError::InvalidToken);
        }
        let proved = request.key_proof.map(|proof| self.prove_key(&proof, Some(&request.token))).transpose();
        let key = match proved {
            Ok(key) => key,
            Err(refusal) => {
                self.record_refused(deed, refusal.as_str()).await?;
                return Err(UserinfoError::Proof(refusal));
            }
        };
        if token.cnf.as_ref().map(|cnf| &cnf.jkt) != key.as_ref().map(|key| &key.thumbprint) {
            self.record_refused(deed, "key_not_proved").await?;
            return Err(UserinfoError::InvalidToken);
        }
        let (Some(member_id), true) = (token.member_id(), token.has_scope("openid")) else {
            self.record_refused(deed, "insufficient_scope").await?;
            return Err(UserinfoError::InsufficientScope);
        };
        let claims = self.member_claims(member_id, |scope| token.has_scope(scope)).await?;
        let record = self.listed(deed.clone(), Outcome::Done, None).await?;
        let vouchers = key.into_iter().map(|key| key.used).collect();
        let commit = ActivityCommit { records: vec![record], vouchers, ..ActivityCommit::default() };
        match self.activity.append(commit).await {
            Ok(_) => Ok(claims),
            Err(error) => match key_proofs::reused(&error) {
                Some(refusal) => {
                    self.record_refused(deed, refusal.as_str()).await?;
                    Err(UserinfoError::Proof(refusal))
                }
                None => Err(Fault::passing("recording activity", error).into()),
            },
        }
    }
}
