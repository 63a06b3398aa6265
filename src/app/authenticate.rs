//! Whose personal token this is.
//!
//! Order of a check: form, checksum, holder, tag, state in the member's stream, digest. A guess ends at the tag at the
//! latest, and a revoked token at the state. The verifier of a token is a keyed digest, not Argon2id: the token has 256
//! random bits, which no dictionary finds.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{Binding, Presented, SecretKind};
use domain::{
    Claim, Member, MemberId, SecretId,
    member::{MemberStatus, Membership, PersonalToken},
};
use moka::sync::Cache;
use store::Revision;

use crate::{
    App, Inner, Principal, Via, aggregates::Loader, error::Fault, execute::claim_key, look,
    members::own_among, standing::Standing,
};

/// Tokens whose holder and verifier are kept in memory.
const CACHED: u64 = 50_000;
/// What a tag of a personal token is bound to in place of an environment: members stand above environments.
pub(crate) const MEMBERS: &str = "members";
const DIGEST_LABEL: &str = "personal-token";

/// Why a request is nobody's. All but the last are one answer, so that a guess learns nothing.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The text is not in the form of a token; says what is wrong with the form, never what the text is.
    #[error("the token is malformed")]
    Malformed,
    /// No token of ours.
    #[error("the token is unknown")]
    Unknown,
    /// It was revoked, its time is over, or its member is deactivated.
    #[error("the token no longer works")]
    NotLive,
    /// The service could not find out.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What never changes about a token: whose it is, and which digest it has.
pub(crate) struct TokenCache(Cache<String, Arc<Known>>);

struct Known {
    member: MemberId,
    digest: String,
}

impl TokenCache {
    pub(crate) fn new() -> Self {
        Self(Cache::new(CACHED))
    }
}

impl App {
    /// The member and the permissions behind a personal token, as the log stands now: a revoked token is refused by the
    /// very next request.
    ///
    /// # Errors
    /// [`AuthenticationError`]; a fault means that the head of the log could not be read, which is no answer.
    pub async fn authenticate(&self, presented: &str) -> Result<Principal, AuthenticationError> {
        look::once(self.inner.authenticate(presented)).await
    }
}

impl Inner {
    pub(crate) async fn authenticate(&self, presented: &str) -> Result<Principal, AuthenticationError> {
        self.authenticate_one_of(presented, &[MemberStatus::Active]).await
    }

    /// The same for a member that may have another status, whose tokens will work again when that changes.
    pub(crate) async fn authenticate_one_of(
        &self,
        presented: &str,
        allowed: &[MemberStatus],
    ) -> Result<Principal, AuthenticationError> {
        let presented = Presented::parse(presented).map_err(|_| AuthenticationError::Malformed)?;
        if presented.kind() != SecretKind::PersonalToken {
            return Err(AuthenticationError::Malformed);
        }
        let token_id = presented.id().as_str();
        let known = self.tokens.0.get(token_id);
        let member = match &known {
            Some(known) => known.member,
            None => self.token_holder(token_id).await?.ok_or(AuthenticationError::Unknown)?,
        };
        let owner = member.to_string();
        presented
            .verify_tag(&self.vault.ring.tags, &Binding { environment: MEMBERS, owner: &owner })
            .map_err(|_| AuthenticationError::Unknown)?;
        let loaded = self.members.current(&owner).await?;
        let token_id = SecretId(token_id.to_owned());
        let (membership, token) = self.live_token(&loaded.aggregate, &token_id, allowed)?;
        let known = match known {
            Some(known) => known,
            None => self.known_token(member, token).await?,
        };
        if known.digest != self.token_digest(presented.expose_secret()) {
            return Err(AuthenticationError::Unknown);
        }
        Ok(self.principal(member, loaded.revision, membership, token).await?)
    }

    /// The token, if it works now, and the member whose it is.
    pub(crate) fn live_token<'a>(
        &self,
        member: &'a Member,
        token_id: &SecretId,
        allowed: &[MemberStatus],
    ) -> Result<(&'a Membership, &'a PersonalToken), AuthenticationError> {
        let membership = member.membership().ok_or(AuthenticationError::Unknown)?;
        let token = membership.token(token_id).ok_or(AuthenticationError::Unknown)?;
        if !allowed.contains(&membership.status) || !token.live(self.log.now()) {
            return Err(AuthenticationError::NotLive);
        }
        Ok((membership, token))
    }

    /// What a member, who is at `revision`, can do with a token.
    pub(crate) async fn principal(
        &self,
        member: MemberId,
        revision: Revision,
        membership: &Membership,
        token: &PersonalToken,
    ) -> Result<Principal, Fault> {
        let roles = self.own_roles(own_among(&membership.roles)).await?;
        let rights = membership.rights(&roles.allow).limited_to(&token.permissions, &token.reach);
        let stream = Loader::<Member>::stream(&member.to_string())?;
        let standing = Standing::new((stream, revision), roles.streams, token.expires_at);
        Ok(Principal { member, via: Via::Token(token.id.clone()), rights, standing })
    }

    async fn token_holder(&self, token_id: &str) -> Result<Option<MemberId>, Fault> {
        let holder = self.log.claim_holder(&claim_key(&Claim::personal_token(token_id))).await?;
        Ok(holder.and_then(|stream| stream.id().parse().ok()))
    }

    async fn known_token(&self, member: MemberId, token: &PersonalToken) -> Result<Arc<Known>, Fault> {
        let digest = self.vault.open_credential(self.log.as_ref(), &token.id.0, &token.commitment).await?;
        let known = Arc::new(Known { member, digest: digest.expose().clone() });
        self.tokens.0.insert(token.id.0.clone(), Arc::clone(&known));
        Ok(known)
    }

    /// What the vault keeps of a personal token.
    pub(crate) fn token_digest(&self, secret: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.vault.ring.digests.digest(DIGEST_LABEL, &[secret.as_bytes()]))
    }
}
