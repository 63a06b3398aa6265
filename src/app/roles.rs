//! The use cases of roles that members make themselves.

use std::collections::BTreeSet;

use domain::{
    BuiltInRole, Event, Permission, Reach, Rights, Role, RoleCommand, RoleError, RoleName, Violation,
    role::{RoleCreated, RoleDefinition},
};
use store::{AppendError, ExpectedRevision, Position, Revision, StreamName};

use crate::{
    App, Inner,
    aggregates::Loader,
    configuration::with_violations,
    context::{Context, IfMatch},
    error::CommandError,
    execute::{MOST_ATTEMPTS, NotAppended, Proposal, ProposedStream},
    members::parse_permissions,
};

/// A new role.
#[derive(Clone, Debug)]
pub struct CreateRoleRequest {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Names of what its holder may do.
    pub permissions: Vec<String>,
}

/// A role that is not built in, after a command.
#[derive(Clone, Debug)]
pub struct ChangedRole {
    /// Its name.
    pub name: RoleName,
    /// What it is; `None` once it is deleted.
    pub definition: Option<RoleDefinition>,
    /// The revision it is at.
    pub revision: Revision,
    /// The position to wait for before reading what this command did.
    pub position: Position,
    /// Whether this is the answer to a repeated request.
    pub replayed: bool,
}

/// A role as it can be given.
#[derive(Clone, Debug)]
pub enum KnownRole {
    /// It is always there.
    BuiltIn(BuiltInRole),
    /// Members made it.
    Own(ChangedRole),
}

impl App {
    /// Makes a role. Needs `members:write`, and everything that the role gives, everywhere.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn create_role(
        &self,
        context: Context,
        request: CreateRoleRequest,
    ) -> Result<ChangedRole, CommandError> {
        self.run(move |inner| async move {
            let allowed = context.demand(Permission::MembersWrite);
            let work = inner.create_role(&context, &request);
            let replayed = |replay| inner.replayed_role(replay);
            inner.guarded(&context, None, allowed, work, replayed).await
        })
        .await
    }

    /// Lets the holders of a role do other things, from the next request on. Needs `members:write`, `If-Match`, and
    /// everything that the role gave and will give, everywhere.
    ///
    /// # Errors
    /// [`CommandError`]; [`CommandError::PreconditionFailed`] says what changed in the meantime.
    pub async fn change_role_permissions(
        &self,
        context: Context,
        name: RoleName,
        if_match: Option<IfMatch>,
        permissions: Vec<String>,
    ) -> Result<ChangedRole, CommandError> {
        self.run(move |inner| async move {
            let change = async {
                if if_match.is_none() {
                    return Err(CommandError::PreconditionRequired);
                }
                let permissions = parse_permissions(&permissions)?;
                demand_everywhere(&context, &permissions)?;
                let command = RoleCommand::ChangePermissions { permissions };
                inner.execute_role(&context, &name, if_match, &command).await
            };
            inner.on_role(&context, &name, change).await
        })
        .await
    }

    /// Lets a role give nothing any more, from the next request on; its name is not used again. Needs `members:write`,
    /// and everything that the role gave, everywhere; never `If-Match`.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn delete_role(&self, context: Context, name: RoleName) -> Result<ChangedRole, CommandError> {
        self.run(move |inner| async move {
            let delete = inner.execute_role(&context, &name, None, &RoleCommand::DeleteRole);
            inner.on_role(&context, &name, delete).await
        })
        .await
    }

    /// A role as the log stands now.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn role(&self, name: &RoleName) -> Result<KnownRole, CommandError> {
        match name.built_in() {
            Some(built_in) => Ok(KnownRole::BuiltIn(built_in)),
            None => {
                let loaded = self.inner.roles.current(name.as_str()).await?;
                match &loaded.aggregate {
                    Role::Absent => Err(CommandError::NotFound("role")),
                    Role::Deleted => Err(CommandError::Gone("role")),
                    Role::Defined(definition) => Ok(KnownRole::Own(ChangedRole {
                        name: name.clone(),
                        definition: Some(definition.clone()),
                        revision: loaded.revision,
                        position: self.inner.log.head().await?,
                        replayed: false,
                    })),
                }
            }
        }
    }

    /// Up to `limit` roles that members made and that can be given, after a name, by name; and whether there are more.
    ///
    /// # Errors
    /// [`CommandError`].
    pub async fn own_roles(
        &self,
        after: Option<RoleName>,
        limit: usize,
    ) -> Result<(Vec<ChangedRole>, bool), CommandError> {
        let mut after = after.map(|name| Loader::<Role>::stream(name.as_str())).transpose()?;
        let mut roles = Vec::new();
        loop {
            let page = self.inner.log.streams(Role::CATEGORY, after.as_ref(), limit).await?;
            for stream in &page {
                let Ok(name) = RoleName::parse(stream.id()) else { continue };
                match self.role(&name).await {
                    Ok(KnownRole::Own(_)) if roles.len() == limit => return Ok((roles, true)),
                    Ok(KnownRole::Own(role)) => roles.push(role),
                    Ok(KnownRole::BuiltIn(_)) | Err(CommandError::Gone(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            after = page.last().cloned();
            if after.is_none() {
                return Ok((roles, false));
            }
        }
    }
}

impl Inner {
    async fn on_role(
        &self,
        context: &Context,
        name: &RoleName,
        work: impl Future<Output = Result<ChangedRole, CommandError>>,
    ) -> Result<ChangedRole, CommandError> {
        let stream = Loader::<Role>::stream(name.as_str())?;
        let allowed = context.demand(Permission::MembersWrite);
        let work =
            async { if name.built_in().is_some() { Err(CommandError::BuiltInRole) } else { work.await } };
        let replayed = |replay| self.replayed_role(replay);
        self.guarded(context, Some(&stream), allowed, work, replayed).await
    }

    async fn create_role(
        &self,
        context: &Context,
        request: &CreateRoleRequest,
    ) -> Result<ChangedRole, CommandError> {
        let permissions = parse_permissions(&request.permissions)?;
        let name = RoleName::parse(&request.name)
            .map_err(|(rule, detail)| CommandError::Invalid(vec![Violation::new("/name", rule, detail)]))?;
        demand_everywhere(context, &permissions)?;
        let description = request.description.clone();
        let command = RoleCommand::CreateRole(RoleCreated { name: name.clone(), description, permissions });
        self.execute_role(context, &name, None, &command).await
    }

    async fn execute_role(
        &self,
        context: &Context,
        name: &RoleName,
        if_match: Option<IfMatch>,
        command: &RoleCommand,
    ) -> Result<ChangedRole, CommandError> {
        let stream = Loader::<Role>::stream(name.as_str())?;
        for _ in 0..MOST_ATTEMPTS {
            let loaded = self.roles.current(name.as_str()).await?;
            self.check_if_match(if_match, loaded.revision, &stream).await?;
            if let Some(role) = loaded.aggregate.definition() {
                demand_everywhere(context, &role.permissions)?;
            }
            let events = match loaded.aggregate.decide(command.clone(), self.log.now()) {
                // Who makes a role hears that the name cannot be had, and not that something is gone.
                Err(RoleError::Deleted) if matches!(command, RoleCommand::CreateRole(_)) => {
                    return Err(CommandError::RoleExists);
                }
                decided => with_violations(decided.map_err(CommandError::from), context.violations(false))?,
            };
            let mut changed = ChangedRole {
                name: name.clone(),
                definition: loaded.aggregate.definition().cloned(),
                revision: loaded.revision,
                position: self.log.head().await?,
                replayed: false,
            };
            if events.is_empty() {
                return Ok(changed);
            }
            let proposal =
                Proposal { streams: vec![part(&stream, loaded.revision, &events)], ..Proposal::default() };
            match self.append(context, proposal).await {
                Ok(receipt) => {
                    let mut role = loaded.aggregate.clone();
                    events.iter().for_each(|event| role.apply(event, receipt.at));
                    changed.definition = role.definition().cloned();
                    changed.revision = Revision::new(loaded.revision.get() + events.len() as u64);
                    changed.position = receipt.position;
                    self.roles.remember(name.as_str(), role, changed.revision, receipt.position);
                    return Ok(changed);
                }
                Err(NotAppended::ByLog(AppendError::WrongExpectedRevision { .. })) => {
                    self.roles.forget(name.as_str());
                }
                Err(NotAppended::ByLog(AppendError::DuplicateCommand(_))) => {
                    return Err(CommandError::Contended);
                }
                Err(NotAppended::ByLog(error)) => return Err(CommandError::Fault(error.into())),
                Err(NotAppended::Before(error)) => return Err(error),
            }
        }
        Err(CommandError::Contended)
    }

    async fn replayed_role(&self, replay: crate::idempotency::Replay) -> Result<ChangedRole, CommandError> {
        let name = RoleName::parse(replay.stream().id()).map_err(|_| CommandError::IdempotencyMismatch)?;
        let loaded = self.roles.current(name.as_str()).await?;
        Ok(ChangedRole {
            name,
            definition: loaded.aggregate.definition().cloned(),
            revision: loaded.revision,
            position: replay.recorded.position,
            replayed: true,
        })
    }
}

fn part(stream: &StreamName, revision: Revision, events: &[domain::RoleEvent]) -> ProposedStream {
    ProposedStream {
        events: events.iter().cloned().map(Event::Role).collect(),
        expected: if revision == Revision::NONE {
            ExpectedRevision::NoStream
        } else {
            ExpectedRevision::Exact(revision)
        },
        ..ProposedStream::unmoved(stream.clone(), revision)
    }
}

/// A role may be given anywhere: who makes or changes it must hold what it gives everywhere.
fn demand_everywhere(context: &Context, permissions: &BTreeSet<Permission>) -> Result<(), CommandError> {
    let mut rights = Rights::default();
    rights.add(permissions.iter().copied(), &Reach::Everywhere);
    context.demand_all(&rights)
}
