//! Codes: what a member's consent is exchanged for (RFC 6749 section 4.1.3, RFC 7636).

use crypto::{Binding, ExposeSecret, Presented, SecretKind, SecretString, fits_code_challenge};
use domain::{ClientId, GrantCommand, GrantId, MemberId, SecretId, oauth::ScopeSet};
use serde::{Deserialize, Serialize};
use store::VoucherChange;

use super::{AccessToken, Asked, Draft, OfGrant, TokenAsk, TokenError, TokenRefusal, TokenRequest};
use crate::{
    Inner,
    context::{Actor, Context},
    error::{CommandError, Fault},
    ids::uuid_v7,
};

/// The kind of the vouchers that codes are.
pub(crate) const CODE: &str = "code";

/// What a code is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CodeVoucher {
    pub(crate) client_id: ClientId,
    pub(crate) grant_id: GrantId,
    pub(crate) member_id: MemberId,
    /// Where it was sent.
    pub(crate) redirect_uri: String,
    /// Of RFC 7636, always S256.
    pub(crate) code_challenge: String,
    pub(crate) scope: ScopeSet,
    pub(crate) resources: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    /// When the member signed in, in seconds.
    pub(crate) auth_time: i64,
    /// How (RFC 8176).
    pub(crate) methods: Vec<String>,
    /// The generation of the client's tokens that it belongs to.
    pub(crate) generation: u32,
    /// The key that must be proved (RFC 9449 section 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_thumbprint: Option<String>,
}

impl Inner {
    pub(super) async fn for_code(
        &self,
        asked: &Asked<'_>,
        code: &SecretString,
        redirect_uri: Option<&str>,
        code_verifier: Option<&str>,
    ) -> Result<Draft, TokenError> {
        let refusals = (TokenRefusal::UnknownCode, TokenRefusal::CodeOfAnother);
        let code_id = self.our_secret(asked, SecretKind::AuthorizationCode, code, refusals).await?;
        let kept = self.activity.voucher(CODE, &code_id.0).await.map_err(Fault::from)?;
        let kept = kept.ok_or(TokenRefusal::ExpiredCode)?;
        let voucher: CodeVoucher = serde_json::from_slice(&kept.data)
            .map_err(|error| Fault::permanent("reading what a code is good for", error))?;
        if voucher.client_id != asked.client.client_id {
            return Err(TokenRefusal::CodeOfAnother.into());
        }
        if kept.spent_at.is_some() {
            return Err(self
                .reused_code(asked.request, asked.client.client_id, voucher.grant_id, code_id)
                .await);
        }
        if !kept.is_live(asked.now) {
            return Err(TokenRefusal::ExpiredCode.into());
        }
        if voucher.generation != asked.registration.token_generation {
            return Err(TokenRefusal::EndedGrant.into());
        }
        if redirect_uri != Some(voucher.redirect_uri.as_str()) {
            return Err(TokenRefusal::RedirectUriDiffers.into());
        }
        check_verifier(&voucher.code_challenge, code_verifier)?;
        if voucher.key_thumbprint.is_some() && voucher.key_thumbprint != asked.request.key_thumbprint {
            return Err(TokenRefusal::AnotherKey.into());
        }
        self.check_grant(voucher.grant_id, voucher.member_id).await?;
        let resources =
            if asked.request.resources.is_empty() { &voucher.resources } else { &asked.request.resources };
        let beyond = |resource| !voucher.resources.is_empty() && !voucher.resources.contains(resource);
        if resources.iter().any(beyond) {
            return Err(TokenRefusal::UnknownResource.into());
        }
        let audience = Self::audience(asked.policy, &asked.request.issuer, resources)?;
        let of_grant = OfGrant {
            grant_id: voucher.grant_id,
            subject: voucher.member_id.to_string(),
            auth_time: voucher.auth_time,
        };
        // What the client may hold can have become less since the member was asked.
        let most = voucher.scope.common_with(&asked.registration.scope);
        let scope = Self::scope_within(asked.request.scope.as_deref(), &most)?;
        let token = self.draft_token(asked, &scope, audience, Some(of_grant))?;
        let mut vouchers = vec![VoucherChange::Spend { kind: CODE, id: code_id.0 }];
        let refresh_token = self.first_refresh_token(asked, &voucher, &scope, &mut vouchers)?;
        let id_token = self.id_token(asked, &voucher, &scope, &token).await?;
        Ok(Draft { token, scope, vouchers, refresh_token, id_token })
    }

    /// The id of a secret that we made for this client in this environment.
    pub(super) async fn our_secret(
        &self,
        asked: &Asked<'_>,
        kind: SecretKind,
        secret: &SecretString,
        (unknown, of_another): (TokenRefusal, TokenRefusal),
    ) -> Result<SecretId, TokenError> {
        let presented = Presented::parse(secret.expose_secret()).map_err(|_| unknown)?;
        if presented.kind() != kind {
            return Err(unknown.into());
        }
        let owner = asked.client.client_id.to_string();
        let binding = Binding { environment: asked.request.environment.as_str(), owner: &owner };
        if presented.verify_tag(&self.vault.ring.tags, &binding).is_ok() {
            return Ok(SecretId(presented.id().as_str().to_owned()));
        }
        // The client hears the same; whoever reads the activity hears whether it was stolen or made up.
        let voucher_kind = if kind == SecretKind::AuthorizationCode { CODE } else { super::REFRESH_TOKEN };
        let known =
            self.activity.voucher(voucher_kind, presented.id().as_str()).await.map_err(Fault::from)?;
        Err(if known.is_some() { of_another } else { unknown }.into())
    }

    /// Whether a grant and its member can still be acted for.
    pub(super) async fn check_grant(&self, grant_id: GrantId, member_id: MemberId) -> Result<(), TokenError> {
        let grant = self.grants.current(&grant_id.to_string()).await?;
        if !grant.aggregate.given().is_some_and(domain::grant::GivenGrant::is_live) {
            return Err(TokenRefusal::EndedGrant.into());
        }
        let member = self.members.current(&member_id.to_string()).await?;
        let active = member
            .aggregate
            .membership()
            .is_some_and(|member| member.status == domain::member::MemberStatus::Active);
        if active { Ok(()) } else { Err(TokenRefusal::EndedMember.into()) }
    }

    /// A code that came twice: whoever has it, its tokens are not safe. The grant ends, and that is in the history.
    async fn reused_code(
        &self,
        request: &TokenRequest,
        client_id: ClientId,
        grant_id: GrantId,
        code_id: SecretId,
    ) -> TokenError {
        let command = GrantCommand::ReportReusedCode(code_id);
        self.ended_by_reuse(request, client_id, grant_id, command, TokenRefusal::ReusedCode).await
    }

    pub(super) async fn ended_by_reuse(
        &self,
        request: &TokenRequest,
        client_id: ClientId,
        grant_id: GrantId,
        command: GrantCommand,
        refusal: TokenRefusal,
    ) -> TokenError {
        let context = match self.client_context(request, client_id, "ReportReuse") {
            Ok(context) => context,
            Err(fault) => return fault.into(),
        };
        match self.change_grant(&context, grant_id, command).await {
            Ok(_) => refusal.into(),
            Err(error) => error.into(),
        }
    }

    /// Of what a client causes.
    pub(crate) fn client_context(
        &self,
        request: &TokenRequest,
        client_id: ClientId,
        operation: &'static str,
    ) -> Result<Context, Fault> {
        Ok(Context {
            actor: Actor::Client { client_id, credential: None },
            operation,
            environment: Some(request.environment.clone()),
            request_id: request.request_id.clone(),
            correlation_id: uuid_v7(self.log.now(), self.entropy.as_ref())?,
            source: request.source.clone(),
            reason: None,
            ticket: None,
            idempotency: None,
            malformed: Vec::new(),
        })
    }

    /// What to answer when the code or refresh token was spent between the look at it and the commit.
    pub(super) async fn spent_meanwhile(&self, request: &TokenRequest, token: &AccessToken) -> TokenError {
        let Some(grant_id) = token.grant_id else {
            return Fault::passing("recording activity", NothingToSpend).into();
        };
        let id = |secret: &SecretString| {
            let presented = Presented::parse(secret.expose_secret()).ok()?;
            Some(SecretId(presented.id().as_str().to_owned()))
        };
        match &request.ask {
            TokenAsk::ClientCredentials => CommandError::Contended.into(),
            TokenAsk::AuthorizationCode { code, .. } => match id(code) {
                Some(code_id) => self.reused_code(request, token.client_id, grant_id, code_id).await,
                None => TokenRefusal::UnknownCode.into(),
            },
            TokenAsk::RefreshToken(refresh_token) => match id(refresh_token) {
                Some(token_id) => {
                    self.reused_refresh_token(request, token.client_id, grant_id, token_id).await
                }
                None => TokenRefusal::UnknownRefreshToken.into(),
            },
        }
    }
}

/// RFC 7636 section 4.6, by S256, the one method there is.
fn check_verifier(challenge: &str, verifier: Option<&str>) -> Result<(), TokenRefusal> {
    let verifier = verifier.ok_or(TokenRefusal::VerifierMissing)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(fits) {
        return Err(TokenRefusal::VerifierMalformed);
    }
    if fits_code_challenge(verifier, challenge) { Ok(()) } else { Err(TokenRefusal::VerifierWrong) }
}

#[derive(Debug, thiserror::Error)]
#[error("nothing was to be spent, and it was spent")]
struct NothingToSpend;

#[cfg(test)]
mod tests {
    use super::{TokenRefusal, check_verifier};

    #[test]
    fn oauth_12_the_verifier_of_rfc_7636_appendix_b_fits_its_challenge() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        let check = |verifier: Option<&str>| check_verifier(challenge, verifier);
        assert_eq!(check(Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")), Ok(()));
        assert_eq!(check(None), Err(TokenRefusal::VerifierMissing));
        assert_eq!(check(Some(challenge)), Err(TokenRefusal::VerifierWrong), "the challenge is no verifier");
        assert_eq!(check(Some(&"a".repeat(42))), Err(TokenRefusal::VerifierMalformed));
        assert_eq!(check(Some(&"a".repeat(129))), Err(TokenRefusal::VerifierMalformed));
        assert_eq!(check(Some(&"ä".repeat(43))), Err(TokenRefusal::VerifierMalformed));
    }
}
