//! Deciding and appending a command on a member, and deciding again when another command was faster.

use std::collections::BTreeSet;

use domain::{
    Erasures, Event, Member, MemberCommand, MemberError, MemberEvent, MemberId, OwnRoles, PersonId,
    RoleGrant, RoleName, member::Membership,
};
use store::{AppendError, ExpectedRevision, Position, Revision, StreamName};

use super::{ChangedMember, refused_by_log};
use crate::{
    Inner,
    aggregates::Loader,
    configuration::with_violations,
    context::{Context, IfMatch},
    error::{CommandError, Fault},
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream, claim_changes},
    idempotency::Replay,
};

/// What goes along with a command on a member, beside the command.
#[derive(Default)]
pub(crate) struct Along {
    pub(crate) if_match: Option<IfMatch>,
    /// Roles that the command gives.
    pub(crate) roles: Vec<RoleGrant>,
    pub(crate) credentials: Vec<store::Credential>,
    pub(crate) private: Vec<store::Disclosure>,
    pub(crate) claims: Vec<store::ClaimChange>,
}

/// What a decision on a member rests on beyond the member's own stream.
pub(crate) struct MemberFacts {
    /// What the own roles allow that the member holds or is given.
    pub(crate) own_roles: OwnRoles,
    /// Whether another member is an administrator who can sign in; only looked for where the decision hangs on it.
    pub(crate) another_administrator: bool,
}

/// What own roles allow now, and the streams that say so.
pub(crate) struct KnownRoles {
    pub(crate) allow: OwnRoles,
    pub(crate) streams: Vec<(StreamName, Revision)>,
}

impl KnownRoles {
    /// The streams, none of which may have moved.
    pub(crate) fn unmoved(&self) -> impl Iterator<Item = ProposedStream> {
        self.streams.iter().map(|(stream, revision)| ProposedStream::unmoved(stream.clone(), *revision))
    }
}

impl Inner {
    /// Carries out what `command` makes of the member as it stands and of the facts beyond it.
    pub(crate) async fn execute_member(
        &self,
        context: &Context,
        member_id: MemberId,
        along: Along,
        command: impl Fn(&Membership, &MemberFacts) -> Result<MemberCommand, CommandError>,
    ) -> Result<ChangedMember, CommandError> {
        let id = member_id.to_string();
        let stream = Loader::<Member>::stream(&id)?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.members.current(&id).await?;
            let membership = loaded.aggregate.membership().ok_or(CommandError::NotFound("member"))?;
            self.check_if_match(along.if_match, loaded.revision, &stream).await?;
            let known = self.own_roles(own_among(membership.roles.iter().chain(&along.roles))).await?;
            let mut streams: Vec<_> = known.unmoved().collect();
            let mut facts = MemberFacts { own_roles: known.allow, another_administrator: false };
            let asked = command(membership, &facts)?;
            let register = self.erasures.current(Erasures::REGISTER).await?;
            if register.aggregate.erased_at(PersonId(member_id.0)).is_some() && !takes_away(&asked) {
                return Err(MemberError::Erased.into());
            }
            let erasures = Loader::<Erasures>::stream(Erasures::REGISTER)?;
            streams.push(ProposedStream::unmoved(erasures, register.revision));
            let decided = loaded.aggregate.decide(asked, self.log.now());
            let events = match decided {
                Err(MemberError::LastAdministrator) => {
                    let another = self.another_administrator(context, member_id).await?;
                    facts.another_administrator = another.is_some();
                    streams.extend(another);
                    loaded.aggregate.decide(command(membership, &facts)?, self.log.now())
                }
                decided => decided,
            };
            let events = with_violations(events.map_err(CommandError::from), context.violations(false))?;
            if events.is_empty() {
                let position = self.log.head().await?;
                return self.shown(member_id, membership.clone(), loaded.revision, position, false).await;
            }
            streams.insert(
                0,
                ProposedStream {
                    stream: stream.clone(),
                    expected: ExpectedRevision::Exact(loaded.revision),
                    environment: None,
                    responsible: None,
                    events: events.iter().cloned().map(Event::Member).collect(),
                    private: along.private.clone(),
                },
            );
            let mut claims = claim_changes(Member::claims(&events), &stream);
            claims.extend(along.claims.iter().cloned());
            let proposal = Proposal {
                streams,
                claims,
                credentials: along.credentials.clone(),
                destroyed_credentials: ended_credentials(&events),
                ..Proposal::default()
            };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let mut aggregate = loaded.aggregate.clone();
                    for event in &events {
                        aggregate.apply(event, receipt.at);
                    }
                    let revision = Revision::new(loaded.revision.get() + events.len() as u64);
                    return self.remembered_member(member_id, aggregate, revision, receipt.position).await;
                }
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { .. })) => {
                    self.members.forget(&id);
                }
                Err(NotAppended::ByLog(error)) => return Err(refused_by_log(error)),
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    /// What these roles allow. One that is not there, or not any more, is left out.
    pub(crate) async fn own_roles(&self, names: BTreeSet<RoleName>) -> Result<KnownRoles, Fault> {
        let mut known = KnownRoles { allow: OwnRoles::new(), streams: Vec::new() };
        for name in names {
            let loaded = self.roles.current(name.as_str()).await?;
            if let Some(role) = loaded.aggregate.definition() {
                let stream = Loader::<domain::Role>::stream(name.as_str())?;
                known.streams.push((stream, loaded.revision));
                known.allow.insert(name, role.permissions.clone());
            }
        }
        Ok(known)
    }

    pub(super) async fn remembered_member(
        &self,
        member_id: MemberId,
        aggregate: Member,
        revision: Revision,
        position: Position,
    ) -> Result<ChangedMember, CommandError> {
        let membership = aggregate.membership().cloned().ok_or(CommandError::NotFound("member"))?;
        self.members.remember(&member_id.to_string(), aggregate, revision, position);
        self.shown(member_id, membership, revision, position, false).await
    }

    pub(super) async fn replayed_member(&self, replay: &Replay) -> Result<ChangedMember, CommandError> {
        let id = replay.stream().id();
        let member_id = id.parse().map_err(|error| Fault::permanent("reading a recorded command", error))?;
        let loaded = self.members.current(id).await?;
        let membership = loaded.aggregate.membership().cloned().ok_or(CommandError::NotFound("member"))?;
        self.shown(member_id, membership, loaded.revision, replay.recorded.position, true).await
    }

    pub(super) async fn shown(
        &self,
        member_id: MemberId,
        membership: Membership,
        revision: Revision,
        position: Position,
        replayed: bool,
    ) -> Result<ChangedMember, CommandError> {
        let known = self.own_roles(own_among(&membership.roles)).await?;
        let rights = membership.rights(&known.allow);
        Ok(ChangedMember { member_id, membership, rights, revision, position, replayed })
    }
}

/// Whether a command leaves a member with less than it had.
fn takes_away(command: &MemberCommand) -> bool {
    matches!(
        command,
        MemberCommand::RevokeToken { .. }
            | MemberCommand::Deactivate { .. }
            | MemberCommand::RemovePassword
            | MemberCommand::RemoveTotp
            | MemberCommand::RemovePasskey { .. }
    )
}

/// The names of the roles among these that are not built in.
pub(crate) fn own_among<'a>(grants: impl IntoIterator<Item = &'a RoleGrant>) -> BTreeSet<RoleName> {
    let names = grants.into_iter().map(|grant| &grant.role);
    names.filter(|name| name.built_in().is_none()).cloned().collect()
}

/// Verifiers that nothing will ever be checked against again.
pub(crate) fn ended_credentials(events: &[MemberEvent]) -> Vec<String> {
    let mut ended = Vec::new();
    for event in events {
        match event {
            MemberEvent::TokenRevoked(revoked) => {
                ended.push(revoked.token_id.to_string());
                ended.extend(revoked.descendants.iter().map(ToString::to_string));
            }
            MemberEvent::PasswordSet(set) => ended.extend(set.replaced.iter().map(ToString::to_string)),
            MemberEvent::PasswordRemoved(removed) => ended.push(removed.id.to_string()),
            MemberEvent::TotpEnrolled(enrolled) => {
                ended.extend(enrolled.replaced.iter().map(ToString::to_string));
            }
            MemberEvent::TotpRemoved(removed) => {
                ended.push(removed.id.to_string());
                ended.extend(removed.recovery_codes.iter().map(ToString::to_string));
            }
            MemberEvent::PasskeyRemoved(removed) => {
                ended.push(removed.id.to_string());
                ended.extend(removed.recovery_codes.iter().map(ToString::to_string));
            }
            MemberEvent::RecoveryCodesIssued(issued) => {
                ended.extend(issued.replaced.iter().map(ToString::to_string));
            }
            MemberEvent::Created(_)
            | MemberEvent::DetailsChanged(_)
            | MemberEvent::RolesChanged(_)
            | MemberEvent::Deactivated(_)
            | MemberEvent::Enabled(_)
            | MemberEvent::TokenIssued(_)
            | MemberEvent::PasskeyRegistered(_) => {}
        }
    }
    ended
}
