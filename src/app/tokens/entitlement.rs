//! What a member's consent entitles a client to: the part that codes and refresh tokens have in common, and what is asked of
//! both before anything comes of them.

use crypto::{Binding, ExposeSecret, Presented, SecretKind, SecretString};
use domain::{ClientId, GrantCommand, GrantId, MemberId, SecretId, oauth::ScopeSet};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{AccessToken, Asked, OfGrant, TokenError, TokenRefusal};
use crate::{
    Inner,
    authenticate_client::ActingClient,
    error::{CommandError, Fault},
};

/// What a member's consent entitles a client to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entitlement {
    pub(crate) client_id: ClientId,
    pub(crate) grant_id: GrantId,
    pub(crate) member_id: MemberId,
    pub(crate) scope: ScopeSet,
    pub(crate) resources: Vec<String>,
    /// When the member signed in, in seconds.
    pub(crate) auth_time: i64,
    /// The generation of the client's tokens that it belongs to.
    pub(crate) generation: u32,
    /// The key that must be proved (RFC 9449 sections 5 and 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_thumbprint: Option<String>,
}

/// What is exchanged for tokens, once: how it is kept, and why it can be refused.
pub(crate) struct Exchanged {
    /// The kind of its vouchers.
    pub(crate) voucher: &'static str,
    pub(crate) secret: SecretKind,
    pub(super) unknown: TokenRefusal,
    pub(super) of_another: TokenRefusal,
    pub(super) expired: TokenRefusal,
    pub(super) reused: TokenRefusal,
    /// What becomes of the grant of one that comes again.
    pub(super) report: fn(SecretId) -> GrantCommand,
}

impl AsRef<Self> for Entitlement {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl Inner {
    /// What a code or a refresh token is good for, if it is good now, for this client, and was never used.
    pub(super) async fn exchangeable<V: DeserializeOwned + AsRef<Entitlement>>(
        &self,
        asked: &Asked<'_>,
        exchanged: &Exchanged,
        secret: &SecretString,
    ) -> Result<(SecretId, V), TokenError> {
        let id = self.our_secret(asked, exchanged, secret).await?;
        let kept = self.activity.voucher(exchanged.voucher, &id.0).await.map_err(Fault::from)?;
        let kept = kept.ok_or(exchanged.expired)?;
        let voucher: V = serde_json::from_slice(&kept.data)
            .map_err(|error| Fault::permanent("reading what a code or refresh token is good for", error))?;
        let entitlement = voucher.as_ref();
        if entitlement.client_id != asked.client.client_id {
            return Err(exchanged.of_another.into());
        }
        if kept.spent_at.is_some() {
            return Err(self.reused(asked, exchanged, entitlement.grant_id, id).await);
        }
        if !kept.is_live(asked.now) {
            return Err(exchanged.expired.into());
        }
        if entitlement.generation != asked.registration.token_generation {
            return Err(TokenRefusal::EndedGrant.into());
        }
        let bound_to = entitlement.key_thumbprint.as_deref();
        if bound_to.is_some() && bound_to != asked.key_thumbprint {
            return Err(TokenRefusal::AnotherKey.into());
        }
        self.check_grant(entitlement).await?;
        Ok((id, voucher))
    }

    /// An access token within what a client is entitled to.
    pub(super) fn entitled_token(
        &self,
        asked: &Asked<'_>,
        entitlement: &Entitlement,
    ) -> Result<(AccessToken, ScopeSet), TokenError> {
        let asked_for = &asked.request.resources;
        let resources = if asked_for.is_empty() { &entitlement.resources } else { asked_for };
        let beyond =
            |resource| !entitlement.resources.is_empty() && !entitlement.resources.contains(resource);
        if resources.iter().any(beyond) {
            return Err(TokenRefusal::UnknownResource.into());
        }
        let audience = Self::audience(asked.policy, &asked.request.issuer, resources)?;
        let scope = Self::scope_within(asked.request.scope.as_deref(), &still_allowed(asked, entitlement))?;
        let of_grant = OfGrant {
            grant_id: entitlement.grant_id,
            subject: entitlement.member_id.to_string(),
            auth_time: entitlement.auth_time,
        };
        let token = self.draft_token(asked, &scope, audience, Some(of_grant))?;
        Ok((token, scope))
    }

    /// The id of a secret that we made for this client in this environment.
    async fn our_secret(
        &self,
        asked: &Asked<'_>,
        exchanged: &Exchanged,
        secret: &SecretString,
    ) -> Result<SecretId, TokenError> {
        let presented = Presented::parse(secret.expose_secret()).map_err(|_| exchanged.unknown)?;
        if presented.kind() != exchanged.secret {
            return Err(exchanged.unknown.into());
        }
        let id = presented.id().as_str();
        let owner = asked.client.client_id.to_string();
        let binding = Binding { environment: asked.request.environment.as_str(), owner: &owner };
        if presented.verify_tag(&self.vault.ring.tags, &binding).is_ok() {
            return Ok(SecretId(id.to_owned()));
        }
        // The client hears the same; whoever reads the activity hears whether it was stolen or made up.
        let known = self.activity.voucher(exchanged.voucher, id).await.map_err(Fault::from)?;
        Err(if known.is_some() { exchanged.of_another } else { exchanged.unknown }.into())
    }

    /// Whether a grant and its member can still be acted for.
    async fn check_grant(&self, entitlement: &Entitlement) -> Result<(), TokenError> {
        let grant = self.grants.current(&entitlement.grant_id.to_string()).await?;
        if !grant.aggregate.given().is_some_and(domain::grant::GivenGrant::is_live) {
            return Err(TokenRefusal::EndedGrant.into());
        }
        let member = self.members.current(&entitlement.member_id.to_string()).await?;
        let active = member
            .aggregate
            .membership()
            .is_some_and(|member| member.status == domain::member::MemberStatus::Active);
        if active { Ok(()) } else { Err(TokenRefusal::EndedMember.into()) }
    }

    /// What came twice: whoever has it, its tokens are not safe. The grant ends, and that is in the history.
    async fn reused(
        &self,
        asked: &Asked<'_>,
        exchanged: &Exchanged,
        grant_id: GrantId,
        id: SecretId,
    ) -> TokenError {
        let acting = ActingClient {
            client: asked.client,
            environment: &asked.request.environment,
            request_id: &asked.request.request_id,
            source: asked.request.source.as_ref(),
        };
        let ended = match self.client_context(acting, "ReportReuse") {
            Ok(context) => self.change_grant(&context, grant_id, (exchanged.report)(id)).await,
            Err(fault) => Err(CommandError::from(fault)),
        };
        match ended {
            Ok(_) => exchanged.reused.into(),
            Err(error) => error.into(),
        }
    }
}

/// What a member allowed, without what the client may not hold any more.
pub(super) fn still_allowed(asked: &Asked<'_>, entitlement: &Entitlement) -> ScopeSet {
    entitlement.scope.common_with(&asked.registration.scope)
}
