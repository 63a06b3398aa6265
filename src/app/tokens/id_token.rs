//! ID tokens: who signed in, told to the client (OpenID Connect Core section 2).

use crypto::{JwtType, SecretString};
use domain::{MemberId, SigningAlgorithm, oauth::ScopeSet};
use serde::Serialize;
use serde_json::Value;

use super::{AccessToken, Asked, CodeVoucher, TokenError};
use crate::{
    Inner,
    aggregates::Loader,
    error::{CommandError, Fault},
    members::details::{MEMBER, SAID_BY},
};

/// What every client verifies without being told (OpenID Connect Core section 2).
const ALGORITHM: SigningAlgorithm = SigningAlgorithm::Rs256;

#[derive(Serialize)]
struct IdToken<'a> {
    iss: &'a str,
    sub: String,
    aud: String,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    amr: &'a [String],
    /// The client that it was issued to.
    azp: String,
}

/// What is told about a member, as far as the scopes go (OpenID Connect Core section 5.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MemberClaims {
    /// The member.
    pub sub: String,
    /// With `profile`: what the member is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// With `email`: where the member is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

impl Inner {
    pub(super) async fn id_token(
        &self,
        asked: &Asked<'_>,
        code: &CodeVoucher,
        scope: &ScopeSet,
        token: &AccessToken,
    ) -> Result<Option<SecretString>, TokenError> {
        if !scope.has("openid") {
            return Ok(None);
        }
        let claims = IdToken {
            iss: &asked.request.issuer,
            sub: token.sub.clone(),
            aud: token.client_id.to_string(),
            exp: token.exp,
            iat: token.iat,
            auth_time: code.entitlement.auth_time,
            nonce: code.nonce.as_deref(),
            amr: &code.methods,
            azp: token.client_id.to_string(),
        };
        let signer = self.signer(&asked.request.environment, ALGORITHM).await?;
        let signed = signer.sign(JwtType::IdToken, &claims);
        Ok(Some(signed.map_err(|error| Fault::passing("signing a token", error))?.into()))
    }

    /// What these scopes tell about a member.
    pub(crate) async fn member_claims(
        &self,
        member_id: MemberId,
        has_scope: impl Fn(&str) -> bool,
    ) -> Result<MemberClaims, CommandError> {
        let mut claims = MemberClaims { sub: member_id.to_string(), ..MemberClaims::default() };
        if has_scope("profile") || has_scope("email") {
            let stream = Loader::<domain::Member>::stream(&member_id.to_string())?;
            let said = self.newest_part(&stream, &SAID_BY, MEMBER).await?;
            let text = |field: &str| said.as_ref()?.get(field).and_then(Value::as_str).map(str::to_owned);
            claims.name = text("name").filter(|_| has_scope("profile"));
            claims.email = text("email").filter(|_| has_scope("email"));
        }
        Ok(claims)
    }
}
