//! The first start: environments, a small catalog, and an admin who can sign in; all of it in one commit.

mod catalog;

use std::io;

use crypto::{Personal, SecretString};
use domain::{
    BuiltInRole, ClientType, ClientTypeCommand, ClientTypeEvent, Environment, EnvironmentCommand, Event,
    MemberCommand, MemberId, OwnRoles, Permission, Reach, RoleGrant, ScopeCommand, ScopeDefinition, SecretId,
    client_type::{CreateClientType, TypeRules},
    environment::{ChangePolicy, ChannelDraft, CreateEnvironment, PolicyDraft},
    member::{ChangeRoles, CreateMember, IssueToken, IssuedToken, MemberStatus},
    scope::KnownScopes,
};
use jiff::SignedDuration;
use store::{AppendError, ExpectedRevision, Position};

use crate::{
    App, Inner,
    aggregates::Loader,
    context::Context,
    error::{CommandError, Fault},
    execute::{NotAppended, Proposal, ProposedStream},
    ids::uuid_v7,
    members::{Along, passwords::wrong_first_password},
};

/// How long the first admin's token lives: 90 days, in seconds.
const FIRST_TOKEN_SECONDS: u32 = 90 * 24 * 60 * 60;

/// Where a token is put before the commit that makes it valid: a crash in between leaves a token that opens nothing,
/// never a log that nobody can enter.
pub trait TokenSink: Send {
    /// Makes the token durable.
    ///
    /// # Errors
    /// Then nothing is committed.
    fn keep(&mut self, token: &SecretString) -> io::Result<()>;
}

/// Who the first admin is.
#[derive(Clone, Debug)]
pub struct FirstAdministrator {
    /// What it is called.
    pub name: Personal<String>,
    /// Where mail reaches it.
    pub email: Personal<String>,
    /// Its password, if it begins with one.
    pub password: Option<SecretString>,
}

impl Default for FirstAdministrator {
    fn default() -> Self {
        Self {
            name: Personal::new("First administrator".to_owned()),
            email: Personal::new("admin@localhost.invalid".to_owned()),
            password: None,
        }
    }
}

/// The first admin, enrolled.
#[derive(Debug)]
pub struct Bootstrapped {
    /// Its id.
    pub member_id: MemberId,
    /// Its token, which the sink has as well.
    pub token: SecretString,
}

impl App {
    /// Fills an empty log; `None` if it has events already, or another node fills it at this moment: the token that the
    /// sink was given opens nothing then.
    ///
    /// # Errors
    /// A token that could not be kept, a first admin who breaks the rules of members, or a fault; then the log is as empty as before.
    pub async fn bootstrap(
        &self,
        context: Context,
        first: FirstAdministrator,
        mut sink: Box<dyn TokenSink>,
    ) -> Result<Option<Bootstrapped>, CommandError> {
        self.run(move |inner| async move {
            if inner.log.head().await? != Position::ORIGIN {
                return Ok(None);
            }
            inner.bootstrap(&context, &first, sink.as_mut()).await
        })
        .await
    }

    /// A new token with every permission for an administrator who has lost theirs; a member who is none, or no longer,
    /// becomes one first, and one who was deactivated is enabled, so that nobody is locked out for good. For the command line of the host alone: whoever can open
    /// the files can do this.
    ///
    /// # Errors
    /// A token that could not be kept, an unknown member, or a fault.
    pub async fn recover(
        &self,
        context: Context,
        member_id: MemberId,
        mut sink: Box<dyn TokenSink>,
    ) -> Result<Bootstrapped, CommandError> {
        self.run(move |inner| async move {
            let loaded = inner.members.current(&member_id.to_string()).await?;
            let membership = loaded.aggregate.membership().ok_or(CommandError::NotFound("member"))?;
            let (minted, sealed) = inner.mint_token(member_id)?;
            sink.keep(&minted.secret).map_err(|error| Fault::passing("keeping the token", error))?;
            let administrator = RoleGrant::from(BuiltInRole::Administrator);
            if membership.status == MemberStatus::Inactive {
                let enable = |_: &_, _: &_| Ok(MemberCommand::Enable);
                inner.execute_member(&context, member_id, Along::default(), enable).await?;
            }
            if !membership.roles.contains(&administrator) {
                let others = membership.roles.iter().filter(|grant| grant.role != administrator.role);
                let mut roles: Vec<_> = others.cloned().collect();
                roles.push(administrator);
                // Its other roles may have been deleted in the meantime, which does not keep anybody out.
                let along = Along { roles: roles.clone(), ..Along::default() };
                inner
                    .execute_member(&context, member_id, along, |_, facts| {
                        let there = |grant: &&RoleGrant| {
                            grant.role.built_in().is_some() || facts.own_roles.contains_key(&grant.role)
                        };
                        Ok(MemberCommand::ChangeRoles(ChangeRoles {
                            roles: roles.iter().filter(there).cloned().collect(),
                            own_roles: facts.own_roles.clone(),
                            another_administrator: facts.another_administrator,
                        }))
                    })
                    .await?;
            }
            let along = Along { credentials: vec![sealed.row], ..Along::default() };
            inner
                .execute_member(&context, member_id, along, |_, facts| {
                    Ok(MemberCommand::IssueToken(IssueToken {
                        id: SecretId(minted.id.as_str().to_owned()),
                        label: "recovered at the command line".to_owned(),
                        hint: minted.hint.clone(),
                        permissions: Permission::ALL.iter().copied().collect(),
                        reach: Reach::Everywhere,
                        expires_in_seconds: FIRST_TOKEN_SECONDS,
                        commitment: sealed.commitment.clone(),
                        made_with: None,
                        own_roles: facts.own_roles.clone(),
                    }))
                })
                .await?;
            Ok(Bootstrapped { member_id, token: minted.secret })
        })
        .await
    }
}

impl Inner {
    async fn bootstrap(
        &self,
        context: &Context,
        first: &FirstAdministrator,
        sink: &mut dyn TokenSink,
    ) -> Result<Option<Bootstrapped>, CommandError> {
        let FirstAdministrator { name, email, password } = first;
        let mut wrong = domain::client::check_contact(name.expose(), email.expose(), "");
        wrong.extend(wrong_first_password(password.as_ref(), name, email));
        if !wrong.is_empty() {
            return Err(CommandError::Invalid(wrong));
        }
        let mut streams = self.catalog()?;
        let member_id = MemberId(uuid_v7(self.log.now(), self.entropy.as_ref())?);
        let (minted, sealed) = self.mint_token(member_id)?;
        let lifetime = SignedDuration::from_secs(i64::from(FIRST_TOKEN_SECONDS));
        let now = self.log.now();
        let token = IssuedToken {
            id: SecretId(minted.id.as_str().to_owned()),
            label: "first administrator".to_owned(),
            hint: minted.hint,
            permissions: Permission::ALL.iter().copied().collect(),
            reach: Reach::Everywhere,
            expires_at: now.saturating_add(lifetime).unwrap_or(now),
            commitment: sealed.commitment,
            parent: None,
            issued_by: None,
        };
        let roles = vec![BuiltInRole::Administrator.into()];
        let sealed_password = match password {
            Some(password) => Some(self.seal_password(password).await?),
            None => None,
        };
        let password = sealed_password.as_ref().map(|sealed| sealed.password.clone());
        let create = CreateMember { roles, own_roles: OwnRoles::new(), token: Some(token), password };
        let enrolled = self.enrolment(member_id, create, name, email).await?;
        streams.push(enrolled.stream);
        sink.keep(&minted.secret).map_err(|error| Fault::passing("keeping the first token", error))?;
        let proposal = Proposal {
            streams,
            claims: enrolled.claims,
            credentials: [sealed.row]
                .into_iter()
                .chain(sealed_password.map(|sealed| sealed.credential))
                .collect(),
            ..Proposal::default()
        };
        match self.append(context, proposal).await {
            Ok(_) => Ok(Some(Bootstrapped { member_id, token: minted.secret })),
            Err(NotAppended::ByLog(
                AppendError::WrongExpectedRevision { .. } | AppendError::ClaimTaken { .. },
            )) => Ok(None),
            Err(NotAppended::ByLog(error)) => Err(CommandError::Fault(error.into())),
            Err(NotAppended::Before(error)) => Err(error),
        }
    }

    /// Environments, scopes and types, decided by their own rules.
    fn catalog(&self) -> Result<Vec<ProposedStream>, CommandError> {
        let now = self.log.now();
        let mut streams = Vec::new();
        let wrong = |error: &dyn std::error::Error| {
            Fault::permanent("making the catalog", BadCatalog(error.to_string()))
        };
        for name in catalog::ENVIRONMENTS {
            let command = EnvironmentCommand::CreateEnvironment(CreateEnvironment {
                name: name.to_owned(),
                terms: vec![catalog::TERMS.to_owned()],
                policy: first_policy(),
            });
            let events = Environment::Absent.decide(command, now).map_err(|error| wrong(&error))?;
            let stream = Loader::<Environment>::stream(name)?;
            streams.push(new_stream(
                stream,
                Some(name.to_string()),
                events.into_iter().map(Event::Environment),
            ));
        }
        for &(name, description) in catalog::SCOPES {
            let stream = Loader::<ScopeDefinition>::stream(name)?;
            let command =
                ScopeCommand::CreateScope { name: name.to_owned(), description: description.to_owned() };
            let events = ScopeDefinition::Absent.decide(command, now).map_err(|error| wrong(&error))?;
            streams.push(new_stream(stream, None, events.into_iter().map(Event::Scope)));
        }
        let known_scopes = KnownScopes {
            listed: catalog::SCOPES.iter().map(|(name, _)| *name).collect(),
            ..KnownScopes::default()
        };
        for entry in catalog::TYPES {
            let stream = Loader::<ClientType>::stream(entry.name)?;
            let command = ClientTypeCommand::CreateClientType(CreateClientType {
                name: entry.name.to_owned(),
                description: entry.description.to_owned(),
                scopes: entry.scopes.iter().map(|&scope| scope.to_owned()).collect(),
                known_scopes: known_scopes.clone(),
                ..CreateClientType::default()
            });
            let mut client_type = ClientType::Absent;
            let mut events: Vec<ClientTypeEvent> =
                client_type.decide(command, now).map_err(|error| wrong(&error))?;
            if entry.deprecated {
                events.iter().for_each(|event| client_type.apply(event, now));
                events.extend(
                    client_type
                        .decide(ClientTypeCommand::DeprecateClientType, now)
                        .map_err(|error| wrong(&error))?,
                );
            }
            streams.push(new_stream(stream, None, events.into_iter().map(Event::ClientType)));
        }
        Ok(streams)
    }
}

/// The compatibility API makes clients at once: whoever is let in by it is taken as contact, and to accept the terms.
fn first_policy() -> ChangePolicy {
    let (name, scope) = catalog::COMPATIBLE;
    let compatibility_defaults = ChannelDraft {
        client_type: Some(Some(name.to_owned())),
        scope: Some(scope.to_owned()),
        contacts_required: Some(false),
        terms_required: Some(false),
    };
    let entries = catalog::TYPES.iter().filter(|entry| entry.name == name);
    let types = entries.map(|entry| {
        let scopes = entry.scopes.iter().copied().collect();
        (name.to_owned(), TypeRules { scopes, deprecated: entry.deprecated, ..TypeRules::default() })
    });
    ChangePolicy {
        draft: PolicyDraft { compatibility_defaults, ..PolicyDraft::default() },
        types: types.collect(),
        ..ChangePolicy::default()
    }
}

fn new_stream(
    stream: store::StreamName,
    environment: Option<String>,
    events: impl Iterator<Item = Event>,
) -> ProposedStream {
    ProposedStream {
        stream,
        expected: ExpectedRevision::NoStream,
        environment,
        responsible: None,
        events: events.collect(),
        private: Vec::new(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadCatalog(String);
