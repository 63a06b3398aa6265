//! Refresh tokens: each is good once, and whoever presents one again ends the grant (RFC 9700 section 4.14.2).

use crypto::{SecretKind, SecretString};
use domain::{
    ClientId, GrantCommand, GrantId, MemberId, SecretId,
    oauth::{GrantType, ScopeSet},
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use store::{Voucher, VoucherChange};

use super::{Asked, CodeVoucher, Draft, OfGrant, TokenError, TokenRefusal, TokenRequest};
use crate::{Inner, error::Fault};

/// The kind of the vouchers that refresh tokens are.
pub(crate) const REFRESH_TOKEN: &str = "refresh_token";

/// What a refresh token is good for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefreshVoucher {
    pub(crate) client_id: ClientId,
    pub(crate) grant_id: GrantId,
    pub(crate) member_id: MemberId,
    pub(crate) scope: ScopeSet,
    pub(crate) resources: Vec<String>,
    /// When the member signed in, in seconds.
    pub(crate) auth_time: i64,
    /// The generation of the client's tokens that it belongs to.
    pub(crate) generation: u32,
    /// The key that must be proved (RFC 9449 section 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_thumbprint: Option<String>,
}

impl Inner {
    pub(super) async fn for_refresh_token(
        &self,
        asked: &Asked<'_>,
        secret: &SecretString,
    ) -> Result<Draft, TokenError> {
        let refusals = (TokenRefusal::UnknownRefreshToken, TokenRefusal::RefreshTokenOfAnother);
        let token_id = self.our_secret(asked, SecretKind::RefreshToken, secret, refusals).await?;
        let kept = self.activity.voucher(REFRESH_TOKEN, &token_id.0).await.map_err(Fault::from)?;
        let kept = kept.ok_or(TokenRefusal::ExpiredRefreshToken)?;
        let voucher: RefreshVoucher = serde_json::from_slice(&kept.data)
            .map_err(|error| Fault::permanent("reading what a refresh token is good for", error))?;
        if voucher.client_id != asked.client.client_id {
            return Err(TokenRefusal::RefreshTokenOfAnother.into());
        }
        if kept.spent_at.is_some() {
            let (client_id, grant_id) = (asked.client.client_id, voucher.grant_id);
            return Err(self.reused_refresh_token(asked.request, client_id, grant_id, token_id).await);
        }
        if !kept.is_live(asked.now) {
            return Err(TokenRefusal::ExpiredRefreshToken.into());
        }
        if voucher.generation != asked.registration.token_generation {
            return Err(TokenRefusal::EndedGrant.into());
        }
        if voucher.key_thumbprint.is_some() && voucher.key_thumbprint != asked.request.key_thumbprint {
            return Err(TokenRefusal::AnotherKey.into());
        }
        self.check_grant(voucher.grant_id, voucher.member_id).await?;
        let most = voucher.scope.common_with(&asked.registration.scope);
        let scope = Self::scope_within(asked.request.scope.as_deref(), &most)?;
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
        let token = self.draft_token(asked, &scope, audience, Some(of_grant))?;
        let mut vouchers = vec![VoucherChange::Spend { kind: REFRESH_TOKEN, id: token_id.0 }];
        // The next one is good for all that this one was, however little was asked for now.
        let next =
            self.issue_refresh_token(asked, &RefreshVoucher { scope: most, ..voucher }, &mut vouchers)?;
        Ok(Draft { token, scope, vouchers, refresh_token: Some(next), id_token: None })
    }

    /// The first refresh token of a code, if the client is registered for them; of an application that signs people in only if
    /// it asked to stay connected (OpenID Connect Core section 11).
    pub(super) fn first_refresh_token(
        &self,
        asked: &Asked<'_>,
        code: &CodeVoucher,
        scope: &ScopeSet,
        vouchers: &mut Vec<VoucherChange>,
    ) -> Result<Option<SecretString>, TokenError> {
        let registered = asked.registration.grant_types.contains(&GrantType::RefreshToken);
        if !registered || scope.has("openid") && !scope.has("offline_access") {
            return Ok(None);
        }
        let voucher = RefreshVoucher {
            client_id: code.client_id,
            grant_id: code.grant_id,
            member_id: code.member_id,
            scope: scope.clone(),
            resources: code.resources.clone(),
            auth_time: code.auth_time,
            generation: asked.registration.token_generation,
            key_thumbprint: asked.request.key_thumbprint.clone(),
        };
        self.issue_refresh_token(asked, &voucher, vouchers).map(Some)
    }

    fn issue_refresh_token(
        &self,
        asked: &Asked<'_>,
        voucher: &RefreshVoucher,
        vouchers: &mut Vec<VoucherChange>,
    ) -> Result<SecretString, TokenError> {
        let minted =
            self.mint_for_client(SecretKind::RefreshToken, &asked.request.environment, voucher.client_id)?;
        let data = serde_json::to_vec(voucher)
            .map_err(|error| Fault::permanent("writing what a refresh token is good for", error))?;
        let lifetime = SignedDuration::from_secs(asked.policy.refresh_token_lifetime_seconds.into());
        vouchers.push(VoucherChange::Issue(Voucher {
            kind: REFRESH_TOKEN,
            id: minted.id.into(),
            data,
            expires_at: asked.now + lifetime,
        }));
        Ok(minted.secret)
    }

    pub(super) async fn reused_refresh_token(
        &self,
        request: &TokenRequest,
        client_id: ClientId,
        grant_id: GrantId,
        token_id: SecretId,
    ) -> TokenError {
        let command = GrantCommand::ReportReusedRefreshToken(token_id);
        self.ended_by_reuse(request, client_id, grant_id, command, TokenRefusal::ReusedRefreshToken).await
    }
}
