//! The use cases of members: enrolling, roles, personal tokens.

use std::collections::BTreeSet;

use crypto::{Binding, Minted, Personal, SecretKind, SecretString};
use domain::{
    Event, Member, MemberCommand, MemberEvent, MemberId, Permission, Role, Rule, SecretId, Violation,
    member::{CreateMember, IssueToken, Membership},
};
use serde_json::json;
use store::{AppendError, ExpectedRevision, Position, Revision};

use crate::{
    App, Inner,
    aggregates::Loader,
    authenticate::MEMBERS,
    context::{Context, IfMatch},
    error::{CommandError, Fault},
    execute::{AppendOrFault, MOST_ATTEMPTS, Proposal, ProposedStream, claim_changes, claim_key},
    idempotency::Replay,
    ids::uuid_v7,
    vault::SealedCredential,
};

/// What the vault calls the keyed digest of a personal token.
const VERIFIER: &str = "personal_token_verifier";

/// A new member.
#[derive(Clone, Debug)]
pub struct CreateMemberRequest {
    /// Who it is.
    pub name: Personal<String>,
    /// Where mail reaches it; unique among members.
    pub email: Personal<String>,
    /// Names of its roles.
    pub roles: Vec<String>,
}

/// A new personal token.
#[derive(Clone, Debug)]
pub struct IssueTokenRequest {
    /// What it is called.
    pub label: String,
    /// Names of what it may do; `None` is all that its member may.
    pub permissions: Option<Vec<String>>,
    /// How long it lives, in seconds.
    pub expires_in_seconds: u32,
}

/// A member after a command.
#[derive(Clone, Debug)]
pub struct ChangedMember {
    /// Which one.
    pub member_id: MemberId,
    /// What it is now.
    pub membership: Membership,
    /// The revision it is at.
    pub revision: Revision,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

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
    /// Enrols a member. Needs `members:write`, and every permission that its roles give.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn create_member(
        &self,
        context: Context,
        request: CreateMemberRequest,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let allowed = context.demand(Permission::MembersWrite);
            let work = inner.create_member(&context, &request);
            let replayed = |replay| async {
                let replay = replay;
                inner.replayed_member(&replay).await
            };
            inner.guarded(&context, None, allowed, work, replayed).await
        })
        .await
    }

    /// Gives a member other roles. Needs `members:write`, `If-Match`, and every permission that they give or take away:
    /// nobody rules over who can do more.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_roles(
        &self,
        context: Context,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        roles: Vec<String>,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let work = inner.change_roles(&context, member_id, if_match, &roles);
            inner.on_member(&context, member_id, context.demand(Permission::MembersWrite), work).await
        })
        .await
    }

    /// Stops a personal token and those that it made. A member may stop its own with a token that can do all that the
    /// other can; any other case needs `members:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn revoke_token(
        &self,
        context: Context,
        member_id: MemberId,
        token_id: SecretId,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let allowed = own_or(&context, member_id, Permission::MembersWrite);
            let work = inner.revoke_token(&context, member_id, token_id);
            inner.on_member(&context, member_id, allowed, work).await
        })
        .await
    }

    /// Issues a personal token. A member may make its own; other ones need `members:write`. No token can do more than
    /// the one that made it, and none of the same member lives longer.
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

    /// A member as the log stands now. Needs `members:write`, or to be that member.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn member(
        &self,
        context: &Context,
        member_id: MemberId,
    ) -> Result<ChangedMember, CommandError> {
        own_or(context, member_id, Permission::MembersWrite)?;
        let loaded = self.inner.members.current(&member_id.to_string()).await?;
        let membership = loaded.aggregate.membership().cloned().ok_or(CommandError::NotFound("member"))?;
        let position = self.inner.log.head().await?;
        Ok(ChangedMember { member_id, membership, revision: loaded.revision, position, replayed: false })
    }
}

impl Inner {
    /// Runs a use case on an existing member.
    async fn on_member(
        &self,
        context: &Context,
        member_id: MemberId,
        allowed: Result<(), CommandError>,
        work: impl Future<Output = Result<ChangedMember, CommandError>>,
    ) -> Result<ChangedMember, CommandError> {
        let stream = Loader::<Member>::stream(&member_id.to_string())?;
        let replayed = |replay| async move { self.replayed_member(&replay).await };
        self.guarded(context, Some(&stream), allowed, work, replayed).await
    }

    async fn change_roles(
        &self,
        context: &Context,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        roles: &[String],
    ) -> Result<ChangedMember, CommandError> {
        if if_match.is_none() {
            return Err(CommandError::PreconditionRequired);
        }
        let roles = parse_roles(roles)?;
        let loaded = self.members.current(&member_id.to_string()).await?;
        let membership = loaded.aggregate.membership().ok_or(CommandError::NotFound("member"))?;
        grantable(context, membership.permissions().into_iter())?;
        grantable(context, roles.iter().flat_map(|role| role.permissions()))?;
        let command = MemberCommand::ChangeRoles { roles };
        self.execute_member(context, member_id, if_match, &command, Vec::new()).await
    }

    async fn revoke_token(
        &self,
        context: &Context,
        member_id: MemberId,
        token_id: SecretId,
    ) -> Result<ChangedMember, CommandError> {
        let loaded = self.members.current(&member_id.to_string()).await?;
        let membership = loaded.aggregate.membership().ok_or(CommandError::NotFound("member"))?;
        let token = membership.tokens.iter().find(|token| token.id == token_id);
        let within_own =
            token.is_none_or(|token| token.permissions.iter().all(|permission| context.allows(*permission)));
        if !within_own {
            context.demand(Permission::MembersWrite)?;
        }
        let command = MemberCommand::RevokeToken { token_id };
        self.execute_member(context, member_id, None, &command, Vec::new()).await
    }

    async fn create_member(
        &self,
        context: &Context,
        request: &CreateMemberRequest,
    ) -> Result<ChangedMember, CommandError> {
        let mut wrong = domain::client::check_contact(request.name.expose(), request.email.expose(), "");
        wrong.extend(context.violations(false));
        let roles = match parse_roles(&request.roles) {
            Err(CommandError::Invalid(violations)) => {
                wrong.extend(violations);
                BTreeSet::new()
            }
            parsed => parsed?,
        };
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        grantable(context, roles.iter().flat_map(|role| role.permissions()))?;
        let member_id = MemberId(uuid_v7(self.log.now(), self.entropy.as_ref())?);
        let part = self
            .enrolment(member_id, CreateMember { roles, token: None }, &request.name, &request.email)
            .await?;
        let EnrolledMember { stream, claims, member } = part;
        let proposal = Proposal { streams: vec![stream], claims, ..Proposal::default() };
        match self.append(context, proposal).await {
            Ok(receipt) => {
                let mut aggregate = Member::Absent;
                for event in &member {
                    aggregate.apply(event, receipt.at);
                }
                self.remembered_member(
                    member_id,
                    aggregate,
                    Revision::new(member.len() as u64),
                    receipt.position,
                )
            }
            Err(AppendOrFault::Append(AppendError::ClaimTaken { .. })) => {
                Err(CommandError::Taken { pointer: "/email" })
            }
            // Left to the guard, which answers it as the repeated request that it is.
            Err(AppendOrFault::Append(AppendError::DuplicateCommand(_))) => Err(CommandError::Contended),
            Err(AppendOrFault::Append(error)) => Err(CommandError::Fault(error.into())),
            Err(AppendOrFault::Fault(fault)) => Err(fault.into()),
        }
    }

    /// The part of a commit that enrols a member; who it is goes into the vault under a key of its own.
    pub(crate) async fn enrolment(
        &self,
        member_id: MemberId,
        create: CreateMember,
        name: &Personal<String>,
        email: &Personal<String>,
    ) -> Result<EnrolledMember, CommandError> {
        let events = Member::Absent.decide(MemberCommand::CreateMember(create), self.log.now())?;
        self.vault.insert_person(member_id.0, None).await?;
        let value = json!({ "name": name.expose(), "email": email.expose() });
        let stream = Loader::<Member>::stream(&member_id.to_string())?;
        let mut claims = claim_changes(Member::claims(&events), &stream);
        let key = claim_key(&self.member_email(email.expose()));
        claims.push(store::ClaimChange::Take { key, stream: stream.clone() });
        Ok(EnrolledMember {
            stream: ProposedStream {
                stream,
                expected: ExpectedRevision::NoStream,
                environment: None,
                responsible: None,
                events: events.iter().cloned().map(Event::Member).collect(),
                private: vec![self.vault.seal_for_person(member_id.0, "member", value).await?],
            },
            claims,
            member: events,
        })
    }

    async fn issue_token(
        &self,
        context: &Context,
        member_id: MemberId,
        request: &IssueTokenRequest,
    ) -> Result<IssuedPersonalToken, CommandError> {
        let loaded = self.members.current(&member_id.to_string()).await?;
        let membership = loaded.aggregate.membership().ok_or(CommandError::NotFound("member"))?;
        let permissions = match &request.permissions {
            Some(names) => parse_permissions(names)?,
            None => membership.permissions(),
        };
        grantable(context, permissions.iter().copied())?;
        let (minted, sealed) = self.mint_token(member_id)?;
        let command = MemberCommand::IssueToken(IssueToken {
            id: SecretId(minted.id.as_str().to_owned()),
            label: request.label.clone(),
            hint: minted.hint,
            permissions,
            expires_in_seconds: request.expires_in_seconds,
            commitment: sealed.commitment,
            made_with: context.made_with(),
        });
        let member = self.execute_member(context, member_id, None, &command, vec![sealed.row]).await?;
        Ok(IssuedPersonalToken {
            member,
            token_id: SecretId(minted.id.as_str().to_owned()),
            token: Some(minted.secret),
        })
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

    pub(crate) async fn execute_member(
        &self,
        context: &Context,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        command: &MemberCommand,
        credentials: Vec<store::Credential>,
    ) -> Result<ChangedMember, CommandError> {
        let wrong = context.violations(false);
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let id = member_id.to_string();
        let stream = Loader::<Member>::stream(&id)?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.members.current(&id).await?;
            self.check_if_match(if_match, loaded.revision, &stream).await?;
            let events = loaded.aggregate.decide(command.clone(), self.log.now())?;
            if events.is_empty() {
                let membership =
                    loaded.aggregate.membership().cloned().ok_or(CommandError::NotFound("member"))?;
                let position = self.log.head().await?;
                return Ok(ChangedMember {
                    member_id,
                    membership,
                    revision: loaded.revision,
                    position,
                    replayed: false,
                });
            }
            let proposal = Proposal {
                claims: claim_changes(Member::claims(&events), &stream),
                credentials: credentials.clone(),
                destroyed_credentials: ended_credentials(&events),
                streams: vec![ProposedStream {
                    stream: stream.clone(),
                    expected: ExpectedRevision::Exact(loaded.revision),
                    environment: None,
                    responsible: None,
                    events: events.iter().cloned().map(Event::Member).collect(),
                    private: Vec::new(),
                }],
                ..Proposal::default()
            };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let mut aggregate = loaded.aggregate.clone();
                    for event in &events {
                        aggregate.apply(event, receipt.at);
                    }
                    let revision = Revision::new(loaded.revision.get() + events.len() as u64);
                    return self.remembered_member(member_id, aggregate, revision, receipt.position);
                }
                Err(AppendOrFault::Append(AppendError::WrongExpectedRevision { .. })) => {
                    self.members.forget(&id);
                }
                Err(AppendOrFault::Append(AppendError::DuplicateCommand(_))) => {
                    return Err(CommandError::Contended);
                }
                Err(AppendOrFault::Append(error)) => return Err(CommandError::Fault(error.into())),
                Err(AppendOrFault::Fault(fault)) => return Err(fault.into()),
            }
        }
        Err(CommandError::Contended)
    }

    fn remembered_member(
        &self,
        member_id: MemberId,
        aggregate: Member,
        revision: Revision,
        position: Position,
    ) -> Result<ChangedMember, CommandError> {
        let membership = aggregate.membership().cloned().ok_or(CommandError::NotFound("member"))?;
        self.members.remember(&member_id.to_string(), aggregate, revision, position);
        Ok(ChangedMember { member_id, membership, revision, position, replayed: false })
    }

    async fn replayed_member(&self, replay: &Replay) -> Result<ChangedMember, CommandError> {
        let id = replay.stream().id();
        let member_id = id.parse().map_err(|error| Fault::permanent("reading a recorded command", error))?;
        let loaded = self.members.current(id).await?;
        let membership = loaded.aggregate.membership().cloned().ok_or(CommandError::NotFound("member"))?;
        let (revision, position) = (loaded.revision, replay.recorded.position);
        Ok(ChangedMember { member_id, membership, revision, position, replayed: true })
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

/// A member that is about to be enrolled.
pub(crate) struct EnrolledMember {
    pub(crate) stream: ProposedStream,
    pub(crate) claims: Vec<store::ClaimChange>,
    pub(crate) member: Vec<domain::MemberEvent>,
}

/// Verifiers that nothing will ever be checked against again.
fn ended_credentials(events: &[MemberEvent]) -> Vec<String> {
    let mut ended = Vec::new();
    for event in events {
        if let MemberEvent::TokenRevoked(revoked) = event {
            ended.push(revoked.token_id.to_string());
            ended.extend(revoked.descendants.iter().map(ToString::to_string));
        }
    }
    ended
}

fn own_or(context: &Context, member_id: MemberId, permission: Permission) -> Result<(), CommandError> {
    if context.member() == Some(member_id) { Ok(()) } else { context.demand(permission) }
}

/// Nobody gives what they do not have.
fn grantable(context: &Context, permissions: impl Iterator<Item = Permission>) -> Result<(), CommandError> {
    for permission in permissions {
        if !context.allows(permission) {
            return Err(CommandError::GrantsTooMuch(permission));
        }
    }
    Ok(())
}

fn parse_roles(names: &[String]) -> Result<BTreeSet<Role>, CommandError> {
    let known = || Role::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
    parse_names(names, "/roles", Role::parse, known)
}

fn parse_permissions(names: &[String]) -> Result<BTreeSet<Permission>, CommandError> {
    let known =
        || Permission::ALL.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ");
    parse_names(names, "/permissions", Permission::parse, known)
}

fn parse_names<T: Ord>(
    names: &[String],
    pointer: &str,
    parse: impl Fn(&str) -> Option<T>,
    known: impl Fn() -> String,
) -> Result<BTreeSet<T>, CommandError> {
    let mut parsed = BTreeSet::new();
    let mut wrong = Vec::new();
    for (place, name) in names.iter().enumerate() {
        match parse(name) {
            Some(value) => {
                parsed.insert(value);
            }
            None => {
                let detail = format!("must be one of {}", known());
                wrong.push(Violation::new(format!("{pointer}/{place}"), Rule::Unknown, detail));
            }
        }
    }
    if wrong.is_empty() { Ok(parsed) } else { Err(CommandError::Invalid(wrong)) }
}
