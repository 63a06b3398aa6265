//! The use cases of members: enrolling, who they are, roles, whether and how they can sign in.

mod administrators;
pub(crate) mod details;
mod execute;
pub(crate) mod passkeys;
pub(crate) mod passwords;
mod request;
pub(crate) mod second_factor;
mod tokens;

use crypto::Personal;
use domain::{
    Member, MemberCommand, MemberId, Permission,
    member::{ChangeRoles, CreateMember, Membership},
};
use store::{AppendError, Position, Revision};

pub(crate) use execute::{Along, ended_credentials, own_among};
pub use passkeys::{BegunPasskey, RegisterPasskeyRequest};
pub(crate) use request::parse_permissions;
pub use request::{
    ChangeDetailsRequest, CreateMemberRequest, IssueTokenRequest, RoleRequest, SetPasswordRequest,
};
pub use second_factor::{
    BegunEnrolment, ConfirmTotpRequest, HeldFactor, HeldPasskey, IssuedRecoveryCodes, SecondFactors,
};
pub use tokens::IssuedPersonalToken;

use crate::{
    App, Inner,
    aggregates::Loader,
    context::{Context, IfMatch},
    error::CommandError,
    execute::{NotAppended, Proposal, ProposedStream},
    ids::uuid_v7,
};

/// A member after a command.
#[derive(Clone, Debug)]
pub struct ChangedMember {
    /// Which one.
    pub member_id: MemberId,
    /// What it is now.
    pub membership: Membership,
    /// What its roles allow now.
    pub rights: domain::Rights,
    /// The revision it is at.
    pub revision: Revision,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

impl App {
    /// Enrols a member. Needs `members:write`, and everything that its roles give.
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
            let replayed = |replay| inner.replayed_password(replay, request.password.as_ref());
            inner.guarded(&context, None, allowed, work, replayed).await
        })
        .await
    }

    /// Changes name or e-mail. Needs `members:write`, `If-Match`, and everything that the member's roles give: who it is,
    /// is what the audit says of everything it does.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_member_details(
        &self,
        context: Context,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        request: ChangeDetailsRequest,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let work = inner.change_details(&context, member_id, if_match, &request);
            inner.on_member(&context, member_id, context.demand(Permission::MembersWrite), work).await
        })
        .await
    }

    /// Gives a member other roles. Needs `members:write`, `If-Match`, and everything that they give or take away:
    /// nobody rules over who can do more.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_roles(
        &self,
        context: Context,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        roles: Vec<RoleRequest>,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let work = inner.change_roles(&context, member_id, if_match, &roles);
            inner.on_member(&context, member_id, context.demand(Permission::MembersWrite), work).await
        })
        .await
    }

    /// Lets none of a member's tokens work until it is enabled. Needs `members:write` and everything that the member's
    /// roles give, never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn deactivate_member(
        &self,
        context: Context,
        member_id: MemberId,
    ) -> Result<ChangedMember, CommandError> {
        self.ruled(context, member_id, |another_administrator| MemberCommand::Deactivate {
            another_administrator,
        })
        .await
    }

    /// Lets a member's tokens work again. Needs `members:write` and everything that its roles give.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn enable_member(
        &self,
        context: Context,
        member_id: MemberId,
    ) -> Result<ChangedMember, CommandError> {
        self.ruled(context, member_id, |_| MemberCommand::Enable).await
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
        self.inner.shown(member_id, membership, loaded.revision, position, false).await
    }

    /// The member whom mail reaches there, as the log stands now. Needs `members:write`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn member_by_email(
        &self,
        context: &Context,
        email: &Personal<String>,
    ) -> Result<Option<ChangedMember>, CommandError> {
        context.demand(Permission::MembersWrite)?;
        match self.inner.member_of_email(email).await? {
            Some(member_id) => self.member(context, member_id).await.map(Some),
            None => Ok(None),
        }
    }

    /// A command on a member that only who can do as much may give.
    async fn ruled(
        &self,
        context: Context,
        member_id: MemberId,
        command: fn(bool) -> MemberCommand,
    ) -> Result<ChangedMember, CommandError> {
        self.run(move |inner| async move {
            let work = inner.execute_member(&context, member_id, Along::default(), |membership, facts| {
                context.demand_all(&membership.rights(&facts.own_roles))?;
                Ok(command(facts.another_administrator))
            });
            inner.on_member(&context, member_id, context.demand(Permission::MembersWrite), work).await
        })
        .await
    }
}

impl Inner {
    async fn change_roles(
        &self,
        context: &Context,
        member_id: MemberId,
        if_match: Option<IfMatch>,
        roles: &[RoleRequest],
    ) -> Result<ChangedMember, CommandError> {
        if if_match.is_none() {
            return Err(CommandError::PreconditionRequired);
        }
        let roles = self.parse_roles(roles).await?;
        let along = Along { if_match, roles: roles.clone(), ..Along::default() };
        self.execute_member(context, member_id, along, |membership, facts| {
            let change = ChangeRoles {
                roles: roles.clone(),
                own_roles: facts.own_roles.clone(),
                another_administrator: facts.another_administrator,
            };
            context.demand_all(&membership.rights(&facts.own_roles))?;
            context.demand_all(&domain::role::rights(&roles, &facts.own_roles))?;
            Ok(MemberCommand::ChangeRoles(change))
        })
        .await
    }

    async fn create_member(
        &self,
        context: &Context,
        request: &CreateMemberRequest,
    ) -> Result<ChangedMember, CommandError> {
        let mut wrong = domain::client::check_contact(request.name.expose(), request.email.expose(), "");
        wrong.extend(passwords::wrong_first_password(
            request.password.as_ref(),
            &request.name,
            &request.email,
        ));
        wrong.extend(context.violations(false));
        let (mut create, known) = match self.enrolled_roles(&request.roles).await {
            Err(CommandError::Invalid(violations)) => {
                wrong.extend(violations);
                return Err(CommandError::Invalid(wrong));
            }
            parsed => parsed?,
        };
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        context.demand_all(&domain::role::rights(&create.roles, &create.own_roles))?;
        let member_id = MemberId(uuid_v7(self.log.now(), self.entropy.as_ref())?);
        self.check_email_is_free(&request.email).await?;
        let mut credentials = Vec::new();
        if let Some(password) = &request.password {
            let sealed = self.seal_password(password).await?;
            create.password = Some(sealed.password);
            credentials.push(sealed.credential);
        }
        let enrolled = self.enrolment(member_id, create, &request.name, &request.email).await?;
        let mut streams = vec![enrolled.stream];
        streams.extend(known);
        let proposal = Proposal { streams, claims: enrolled.claims, credentials, ..Proposal::default() };
        match self.append(context, proposal).await {
            Ok(receipt) => {
                let mut aggregate = Member::Absent;
                for event in &enrolled.member {
                    aggregate.apply(event, receipt.at);
                }
                let revision = Revision::new(enrolled.member.len() as u64);
                self.remembered_member(member_id, aggregate, revision, receipt.position).await
            }
            Err(NotAppended::ByLog(error)) => Err(refused_by_log(error)),
            Err(NotAppended::Before(error)) => Err(error),
        }
    }
}

impl Inner {
    /// What a new member's roles make of the command, once they are known to be sound, and the streams that say what the
    /// roles allow.
    async fn enrolled_roles(
        &self,
        asked: &[RoleRequest],
    ) -> Result<(CreateMember, Vec<ProposedStream>), CommandError> {
        let roles = self.parse_roles(asked).await?;
        let known = self.own_roles(own_among(&roles)).await?;
        let unmoved = known.unmoved().collect();
        let create = CreateMember { roles, own_roles: known.allow, token: None, password: None };
        Member::Absent.decide(MemberCommand::CreateMember(create.clone()), self.log.now())?;
        Ok((create, unmoved))
    }
}

/// What it means that the log did not take a commit on a member, and that nobody decides again.
fn refused_by_log(error: AppendError) -> CommandError {
    match error {
        AppendError::ClaimTaken { .. } => CommandError::Taken { pointer: "/email" },
        // A repeated request is left to the guard, which answers it; the others lost a race.
        AppendError::DuplicateCommand(_)
        | AppendError::WrongExpectedRevision { .. }
        | AppendError::ClaimNotHeld { .. } => CommandError::Contended,
        error @ (AppendError::Invalid(_) | AppendError::Unavailable { .. }) => {
            CommandError::Fault(error.into())
        }
    }
}

fn own_or(context: &Context, member_id: MemberId, permission: Permission) -> Result<(), CommandError> {
    if context.member() == Some(member_id) { Ok(()) } else { context.demand(permission) }
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
}
