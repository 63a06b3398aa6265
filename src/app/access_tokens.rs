//! What an access token says, how it is written, and whether it is good now.
//!
//! A token is either a JWT (RFC 9068), which a resource server reads by itself, or the same claims sealed, which say nothing
//! to who holds them. Neither is kept: what can end a token is kept, and is asked each time. So a revocation, a deactivated
//! client, a secret that ended, a consent withdrawn holds from the next question on, on every node.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{JwtPublicKey, JwtType, PresentedJwt, SecretKind};
use domain::{
    ClientId, EnvironmentName, GrantId, MemberId, SecretId, SigningAlgorithm,
    client::{SecretState, Status},
    environment::AccessTokenFormat,
    member::MemberStatus,
    oauth::PublicKey,
};
use jiff::Timestamp;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};

use crate::{
    Inner,
    error::{CommandError, Fault},
    signing_keys::jwt_algorithm,
};

/// The kind of the vouchers by which single tokens are known to be revoked.
pub(crate) const REVOKED_TOKEN: &str = "revoked_token";
/// Tokens whose signature was verified, or that were unsealed.
const CACHED: u64 = 50_000;
/// The longest text that can be a token.
const LONGEST: usize = 8_192;

/// What an access token says (RFC 9068 section 2.2, RFC 7662 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessToken {
    /// Who issued it: the URL of the environment.
    pub iss: String,
    /// In whose name: a member, or the client itself.
    pub sub: String,
    /// The resource servers that it is for.
    pub aud: Vec<String>,
    /// Who holds it.
    pub client_id: ClientId,
    /// It is not good from here on, in seconds.
    pub exp: i64,
    /// When it was issued, in seconds.
    pub iat: i64,
    /// Its id.
    pub jti: SecretId,
    /// What it is good for: scopes separated by blanks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// When the member signed in, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// The key that its holder must prove to have (RFC 9449 section 6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// The grant that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
    /// The secret that it was got with: it lives no longer than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_id: Option<SecretId>,
    /// The thumbprint of the key that it was got with: it lives no longer than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// The generation of the client's tokens that it belongs to.
    #[serde(rename = "gen")]
    pub generation: u32,
}

/// What a holder must prove (RFC 7800 section 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The thumbprint of a key (RFC 9449 section 6.1).
    pub jkt: String,
}

impl AccessToken {
    /// Whether this is one of its scopes.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|one| one == scope)
    }

    /// The member in whose name it is, if it is in a member's.
    pub fn member_id(&self) -> Option<MemberId> {
        self.grant_id?;
        self.sub.parse().ok()
    }
}

/// Why a token that we issued is good no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenEnd {
    Expired,
    Revoked,
    Client,
    Secret,
    Grant,
    Member,
}

impl TokenEnd {
    pub(crate) const ALL: [Self; 6] =
        [Self::Expired, Self::Revoked, Self::Client, Self::Secret, Self::Grant, Self::Member];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::Client => "token_of_ended_client",
            Self::Secret => "token_of_ended_secret",
            Self::Grant => "token_of_ended_grant",
            Self::Member => "token_of_ended_member",
        }
    }
}

/// A token whose signature or seal fits.
#[derive(Clone)]
struct Known {
    environment: EnvironmentName,
    /// The key that signed it: believed as long as it is published.
    key_id: Option<String>,
    token: Arc<AccessToken>,
}

/// Tokens that were read before.
pub(crate) struct KnownTokens(Cache<[u8; 32], Known>);

impl KnownTokens {
    pub(crate) fn new() -> Self {
        Self(Cache::new(CACHED))
    }
}

impl Inner {
    /// Writes a token.
    pub(crate) async fn write_access_token(
        &self,
        environment: &EnvironmentName,
        format: AccessTokenFormat,
        token: &AccessToken,
    ) -> Result<String, CommandError> {
        match format {
            AccessTokenFormat::Jwt => {
                self.signed_access_token(environment, SigningAlgorithm::Es256, token).await
            }
            AccessTokenFormat::JwtRs256 => {
                self.signed_access_token(environment, SigningAlgorithm::Rs256, token).await
            }
            AccessTokenFormat::Opaque => {
                let claims =
                    serde_json::to_vec(token).map_err(|error| Fault::permanent("writing a token", error))?;
                let place = place(environment, &token.jti.0);
                let sealed = self
                    .vault
                    .ring
                    .tokens
                    .seal(place.as_bytes(), &claims, self.entropy.as_ref())
                    .map_err(Fault::from)?;
                let mut text = format!("{}_{}_", SecretKind::AccessToken.prefix(), token.jti);
                URL_SAFE_NO_PAD.encode_string(&sealed, &mut text);
                Ok(text)
            }
        }
    }

    async fn signed_access_token(
        &self,
        environment: &EnvironmentName,
        algorithm: SigningAlgorithm,
        token: &AccessToken,
    ) -> Result<String, CommandError> {
        let signer = self.signer(environment, algorithm).await?;
        let signed = signer.sign(JwtType::AccessToken, token);
        Ok(signed.map_err(|error| Fault::passing("signing a token", error))?)
    }

    /// What a text says that we wrote in this environment as an access token; `None` if we did not.
    pub(crate) async fn read_access_token(
        &self,
        environment: &EnvironmentName,
        text: &str,
    ) -> Result<Option<Arc<AccessToken>>, Fault> {
        if text.len() > LONGEST {
            return Ok(None);
        }
        let digest = self.vault.ring.digests.digest("access-token", &[text.as_bytes()]);
        if let Some(known) = self.known_tokens.0.get(&digest) {
            if known.environment != *environment {
                return Ok(None);
            }
            if let Some(key_id) = &known.key_id
                && self.published_key(environment, key_id).await?.is_none()
            {
                return Ok(None);
            }
            return Ok(Some(known.token));
        }
        let opaque = text.starts_with(SecretKind::AccessToken.prefix());
        let read = if opaque { self.unsealed(environment, text) } else { None };
        let read = match read {
            Some(token) => Some((token, None)),
            None if opaque => None,
            None => self.verified(environment, text).await?,
        };
        let Some((token, key_id)) = read else { return Ok(None) };
        let token = Arc::new(token);
        let known = Known { environment: environment.clone(), key_id, token: Arc::clone(&token) };
        self.known_tokens.0.insert(digest, known);
        Ok(Some(token))
    }

    fn unsealed(&self, environment: &EnvironmentName, text: &str) -> Option<AccessToken> {
        let (_, rest) = text.split_once('_')?;
        let (id, sealed) = rest.split_once('_')?;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let claims = self.vault.ring.tokens.open(place(environment, id).as_bytes(), &sealed).ok()?;
        serde_json::from_slice(&claims).ok()
    }

    async fn verified(
        &self,
        environment: &EnvironmentName,
        text: &str,
    ) -> Result<Option<(AccessToken, Option<String>)>, Fault> {
        let Ok(presented) = PresentedJwt::parse(text) else { return Ok(None) };
        let Some(key_id) = presented.header().ok().and_then(|header| header.kid) else { return Ok(None) };
        let Some((algorithm, public)) = self.published_key(environment, &key_id).await? else {
            return Ok(None);
        };
        let verified = presented.verified(jwt_algorithm(algorithm), JwtType::AccessToken, &public);
        let token = verified.ok().and_then(|claims| serde_json::from_slice(&claims).ok());
        Ok(token.map(|token| (token, Some(key_id))))
    }

    /// Whether a token of ours is good now, whatever it is used for.
    pub(crate) async fn token_end(
        &self,
        environment: &EnvironmentName,
        token: &AccessToken,
    ) -> Result<Option<TokenEnd>, Fault> {
        let now = self.log.now();
        if Timestamp::from_second(token.exp).is_ok_and(|end| end <= now) {
            return Ok(Some(TokenEnd::Expired));
        }
        let client = self.clients.current(&token.client_id.to_string()).await?;
        let registration = client.aggregate.registration();
        let Some(registration) = registration.filter(|client| client.environment == *environment) else {
            return Ok(Some(TokenEnd::Client));
        };
        if registration.status != Status::Active {
            return Ok(Some(TokenEnd::Client));
        }
        if registration.token_generation != token.generation {
            return Ok(Some(TokenEnd::Revoked));
        }
        if let Some(secret_id) = &token.secret_id {
            let secret = registration.secrets.iter().find(|secret| secret.id == *secret_id);
            if secret.is_none_or(|secret| secret.state(now) != SecretState::Active) {
                return Ok(Some(TokenEnd::Secret));
            }
        }
        if let Some(thumbprint) = &token.client_key {
            let known = |key: &PublicKey| {
                let key = JwtPublicKey::of_members(|name| key.member(name));
                key.is_some_and(|key| key.thumbprint() == *thumbprint)
            };
            if !registration.keys.iter().any(known) {
                return Ok(Some(TokenEnd::Secret));
            }
        }
        if let Some(grant_id) = token.grant_id {
            let grant = self.grants.current(&grant_id.to_string()).await?;
            let live = grant
                .aggregate
                .given()
                .is_some_and(|grant| grant.is_live() && grant.client_id == token.client_id);
            if !live {
                return Ok(Some(TokenEnd::Grant));
            }
            let member = self.members.current(&token.sub).await?;
            let active =
                member.aggregate.membership().is_some_and(|member| member.status == MemberStatus::Active);
            if !active {
                return Ok(Some(TokenEnd::Member));
            }
        }
        let revoked = self.activity.has_voucher(REVOKED_TOKEN, &token.jti.0).await?;
        Ok(revoked.then_some(TokenEnd::Revoked))
    }
}

/// Where a sealed token belongs: it opens nowhere else.
fn place(environment: &EnvironmentName, id: &str) -> String {
    format!("access-token/{environment}/{id}")
}
