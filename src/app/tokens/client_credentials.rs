//! A client that acts for itself (RFC 6749 section 4.4).

use domain::oauth::ScopeSet;

use super::{Asked, Draft, TokenError, TokenRefusal};
use crate::Inner;

/// What only means something in somebody's name.
const OF_MEMBERS: [&str; 4] = ["openid", "profile", "email", "offline_access"];

impl Inner {
    pub(super) fn for_itself(&self, asked: &Asked<'_>) -> Result<Draft, TokenError> {
        if asked.registration.token_endpoint_auth_method.is_public() {
            return Err(TokenRefusal::PublicClient.into());
        }
        let of_members: ScopeSet = OF_MEMBERS.into_iter().collect();
        let most = ScopeSet(asked.registration.scope.0.difference(&of_members.0).cloned().collect());
        let scope = Self::scope_within(asked.request.scope.as_deref(), &most)?;
        let audience = Self::audience(asked.policy, &asked.request.issuer, &asked.request.resources)?;
        let token = self.draft_token(asked, &scope, audience, None)?;
        Ok(Draft { token, scope, vouchers: Vec::new(), refresh_token: None, id_token: None })
    }
}
