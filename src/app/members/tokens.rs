//! Personal tokens: issuing and revoking.

use crypto::{Binding, Minted, SecretKind, SecretString};
use domain::{
    Event, Member, MemberCommand, MemberError, MemberEvent, MemberId, Permission, Rights, SecretId,
    member::{IssueToken, Membership, PersonalToken},
};

use super::{Along, ChangedMember, IssueTokenRequest, own_or, parse_permissions};
use crate::{
    App, Inner,
    aggregates::Loader,
    authenticate::MEMBERS,
    context::Context,
    error::{CommandError, Fault},
    idempotency::Replay,
    vault::SealedCredential,
};

/// What the vault calls the keyed digest of a personal token.
const VERIFIER: &str = "personal_token_verifier";

/// A token that was just issued; its text is shown once.
#[derive(Debug)]
pub struct IssuedPersonalToken {
    /// The member.
    pub member: ChangedMember,
    /// The id of the new token; the one that was issued then, for a replay.
    pub token_id: SecretId,
    /// The new token; `None` for a replay.
    pub token: Option<SecretString>,
}

impl App {
    /// Issues a personal token. A member may make its own; other ones need `members:write`. No token can do more than
    /// the one that made it, and none of the same member reaches further or lives longer.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn issue_token(
        &self,
        context: Context,
        member_id: MemberId,
        request: IssueTokenRequest,
    ) -> Result<IssuedPersonalToken, CommandError> {
        self.run(move |inner| async move {
            let stream = Loader::<Member>::stream(&member_id.to_string())?;
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let work = inner.issue_token(&context, member_id, &request);
            let replayed = |replay| inner.replayed_token(replay);
            inner.guarded(&context, Some(&stream), allowed, work, replayed).await
        })
        .await
    }

    /// Stops a personal token and those that it made. A member may stop its own with a token that can do all that the
    /// other can; any other case needs `members:write`. The last one that the last administrator can manage members with
    /// is stopped only if `allow_lockout` says so.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke_token(
        &self,
        context: Context,
        member_id: MemberId,
        token_id: SecretId,
        allow_lockout: bool,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let work = inner.execute_member(&context, member_id, Along::default(), |membership, facts| {
                if let Some(token) = membership.token(&token_id) {
                    let rights = membership.rights(&facts.own_roles);
                    if context.demand_all(&rights.limited_to(&token.permissions, &token.reach)).is_err() {
                        context.demand(Permission::MembersWrite)?;
                    }
                }
                Ok(MemberCommand::RevokeToken {
                    token_id: token_id.clone(),
                    allow_lockout,
                    another_administrator: facts.another_administrator,
                })
            });
            inner.on_member(&context, member_id, allowed, work).await
        })
        .await
    }
}

impl Inner {
    async fn issue_token(
        &self,
        context: &Context,
        member_id: MemberId,
        request: &IssueTokenRequest,
    ) -> Result<IssuedPersonalToken, CommandError> {
        let asked = request.permissions.as_deref().map(parse_permissions).transpose()?;
        let mut wrong = Vec::new();
        let limit = match &request.environments {
            Some(names) => Some(self.parse_environments(names, "/environments", &mut wrong).await?),
            None => None,
        };
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let (minted, sealed) = self.mint_token(member_id)?;
        let token_id = SecretId(minted.id.as_str().to_owned());
        let along = Along { credentials: vec![sealed.row], ..Along::default() };
        let member = self.execute_member(context, member_id, along, |membership, facts| {
            let rights = membership.rights(&facts.own_roles);
            let maker = maker_of(context, member_id, membership);
            let permissions = asked.clone().unwrap_or_else(|| rights.permissions());
            let reach =
                limit.clone().unwrap_or_else(|| maker.map(|maker| maker.reach.clone()).unwrap_or_default());
            context.demand_all(&rights.limited_to(&permissions, &reach))?;
            if maker.is_none() {
                // It will grow with its member: so the maker must hold all that it says, not only what it can do now.
                context.demand_all(&Rights::all_of(&permissions, &reach))?;
            }
            Ok(MemberCommand::IssueToken(IssueToken {
                id: token_id.clone(),
                label: request.label.clone(),
                hint: minted.hint.clone(),
                permissions,
                reach,
                expires_in_seconds: request.expires_in_seconds,
                commitment: sealed.commitment.clone(),
                made_with: context.made_with(member_id),
                own_roles: facts.own_roles.clone(),
            }))
        });
        let member = match member.await {
            // The one that makes it has ended since it was authenticated.
            Err(error @ CommandError::Member(MemberError::TokenNotLive(_))) => {
                self.demand_standing(context).await?;
                return Err(error);
            }
            issued => issued?,
        };
        Ok(IssuedPersonalToken { member, token_id, token: Some(minted.secret) })
    }

    /// A token for a member, and its verifier for the vault.
    pub(crate) fn mint_token(&self, member_id: MemberId) -> Result<(Minted, SealedCredential), Fault> {
        let owner = member_id.to_string();
        let binding = Binding { environment: MEMBERS, owner: &owner };
        let minted =
            crypto::mint(SecretKind::PersonalToken, &binding, &self.vault.ring.tags, self.entropy.as_ref())?;
        let digest = self.token_digest(crypto::ExposeSecret::expose_secret(&minted.secret));
        let sealed = self.vault.seal_credential(minted.id.as_str(), VERIFIER, &digest)?;
        Ok((minted, sealed))
    }

    /// The token that was issued then, by what the log says: others may have come since.
    async fn replayed_token(&self, replay: Replay) -> Result<IssuedPersonalToken, CommandError> {
        let Event::Member(MemberEvent::TokenIssued(issued)) = replay.event()? else {
            return Err(CommandError::IdempotencyMismatch);
        };
        let member = self.replayed_member(&replay).await?;
        Ok(IssuedPersonalToken { member, token_id: issued.token.id, token: None })
    }
}

/// The member's own token that this request came with, which bounds those that it makes.
fn maker_of<'a>(
    context: &Context,
    member_id: MemberId,
    membership: &'a Membership,
) -> Option<&'a PersonalToken> {
    context.made_with(member_id).and_then(|made| membership.token(&made.token))
}
