//! Refresh tokens: each is good once, and whoever presents one again ends the grant (RFC 9700 section 4.14.2).

use crypto::{SecretKind, SecretString};
use domain::{
    GrantCommand,
    oauth::{GrantType, ScopeSet},
};
use jiff::SignedDuration;
use store::{Voucher, VoucherChange};

use super::{
    Asked, CodeVoucher, Draft, Entitlement, Exchanged, TokenError, TokenRefusal, entitlement::still_allowed,
};
use crate::{Inner, authenticate_client::ProvedBy, error::Fault};

/// Refresh tokens; their vouchers are [`Entitlement`]s.
pub(crate) const REFRESH_TOKEN: Exchanged = Exchanged {
    voucher: "refresh_token",
    secret: SecretKind::RefreshToken,
    unknown: TokenRefusal::UnknownRefreshToken,
    of_another: TokenRefusal::RefreshTokenOfAnother,
    expired: TokenRefusal::ExpiredRefreshToken,
    reused: TokenRefusal::ReusedRefreshToken,
    report: GrantCommand::ReportReusedRefreshToken,
};

impl Inner {
    pub(super) async fn for_refresh_token(
        &self,
        asked: &Asked<'_>,
        secret: &SecretString,
    ) -> Result<Draft, TokenError> {
        let (id, entitlement): (_, Entitlement) = self.exchangeable(asked, &REFRESH_TOKEN, secret).await?;
        let (token, scope) = self.entitled_token(asked, &entitlement)?;
        let mut vouchers = vec![VoucherChange::Spend { kind: REFRESH_TOKEN.voucher, id: id.0 }];
        // The next one is good for all that this one was, however little was asked for now.
        let next = Entitlement {
            scope: still_allowed(asked, &entitlement),
            key_thumbprint: entitlement.key_thumbprint.clone().or_else(|| bound_to(asked)),
            ..entitlement
        };
        let refresh_token = Some(self.issue_refresh_token(asked, &next, &mut vouchers)?);
        Ok(Draft { token, scope, vouchers, refresh_token, id_token: None })
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
        let entitlement =
            Entitlement { scope: scope.clone(), key_thumbprint: bound_to(asked), ..code.entitlement.clone() };
        self.issue_refresh_token(asked, &entitlement, vouchers).map(Some)
    }

    fn issue_refresh_token(
        &self,
        asked: &Asked<'_>,
        entitlement: &Entitlement,
        vouchers: &mut Vec<VoucherChange>,
    ) -> Result<SecretString, TokenError> {
        let environment = &asked.request.environment;
        let minted = self.mint_for_client(REFRESH_TOKEN.secret, environment, entitlement.client_id)?;
        let data = serde_json::to_vec(entitlement)
            .map_err(|error| Fault::permanent("writing what a refresh token is good for", error))?;
        let lifetime = SignedDuration::from_secs(asked.policy.refresh_token_lifetime_seconds.into());
        vouchers.push(VoucherChange::Issue(Voucher {
            kind: REFRESH_TOKEN.voucher,
            id: minted.id.into(),
            data,
            expires_at: asked.now + lifetime,
        }));
        Ok(minted.secret)
    }
}

/// The key that a refresh token is bound to from now on. Who proves itself otherwise is bound by that, and may take another key
/// (RFC 9449 section 5).
fn bound_to(asked: &Asked<'_>) -> Option<String> {
    asked.key_thumbprint.filter(|_| asked.client.by == ProvedBy::Nothing).map(str::to_owned)
}
