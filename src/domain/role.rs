//! The role: a named set of permissions. Three are built in; others are made by members, one stream each.

mod built_in;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use built_in::BuiltInRole;

use crate::{
    Change, Permission, Rule, Violation,
    aggregate::cqrs_aggregate,
    event::events,
    ids::catalog_name,
    rights::{Reach, Rights},
    scope::LONGEST_DESCRIPTION,
    violation::{Violations, plain_text},
};

/// The name of a role, built in or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleName(String);

impl RoleName {
    /// Reads `[a-z][a-z0-9_]{0,63}`.
    ///
    /// # Errors
    /// [`Rule::Malformed`] with the form it needs.
    pub fn parse(text: &str) -> Result<Self, (Rule, String)> {
        catalog_name(text, 64, "_").map(Self)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The built-in role of this name, if it is one.
    pub fn built_in(&self) -> Option<BuiltInRole> {
        BuiltInRole::parse(&self.0)
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RoleName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).map_err(|(_, detail)| detail)
    }
}

impl From<RoleName> for String {
    fn from(name: RoleName) -> Self {
        name.0
    }
}

/// A role as a member holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleGrant {
    /// Which role.
    pub role: RoleName,
    /// Where it holds.
    #[serde(default, rename = "environments", skip_serializing_if = "Reach::is_everywhere")]
    pub reach: Reach,
}

impl From<BuiltInRole> for RoleGrant {
    /// The role without a limit.
    fn from(role: BuiltInRole) -> Self {
        Self { role: role.name(), reach: Reach::Everywhere }
    }
}

/// What the roles that are not built in allow: a fact from their streams. A role that is not here gives nothing.
pub type OwnRoles = BTreeMap<RoleName, BTreeSet<Permission>>;

/// What grants give, with what the own roles among them allow.
pub fn rights<'a>(grants: impl IntoIterator<Item = &'a RoleGrant>, own_roles: &OwnRoles) -> Rights {
    let mut rights = Rights::default();
    for RoleGrant { role, reach } in grants {
        match (role.built_in(), own_roles.get(role)) {
            (Some(built_in), _) => rights.add(built_in.permissions(), reach),
            (None, Some(permissions)) => rights.add(permissions.iter().copied(), reach),
            (None, None) => {}
        }
    }
    rights
}

/// The state of a role that is not built in, folded from its stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// No event yet.
    #[default]
    Absent,
    /// It can be given.
    Defined(RoleDefinition),
    /// It gives nothing any more, and its name is not used again: members may still hold it.
    Deleted,
}

/// What a role is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleDefinition {
    /// What its holder may do.
    pub permissions: BTreeSet<Permission>,
    /// What it is for, in plain words.
    pub description: String,
    /// When it was created.
    #[serde(with = "crate::time::micros")]
    pub created_at: Timestamp,
}

events! {
    /// The events of a `role-<name>` stream.
    RoleEvent {
        /// It can be given.
        Created(RoleCreated) = "role.created", 1;
        /// Its holders may do other things.
        PermissionsChanged(RolePermissionsChanged) = "role.permissions_changed", 1;
        /// It gives nothing any more.
        Deleted(RoleDeleted) = "role.deleted", 1;
    }
}

/// What a role begins with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleCreated {
    /// Its name.
    pub name: RoleName,
    /// What it is for, in plain words.
    pub description: String,
    /// What its holder may do.
    pub permissions: BTreeSet<Permission>,
}

/// Old and new permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolePermissionsChanged {
    /// The whole sets.
    pub permissions: Change<BTreeSet<Permission>>,
}

/// What its holders lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleDeleted {
    /// What it allowed until now.
    pub permissions: BTreeSet<Permission>,
}

/// A request to change one role.
#[derive(Clone, Debug)]
pub enum RoleCommand {
    /// Make it.
    CreateRole(RoleCreated),
    /// Let its holders do other things.
    ChangePermissions {
        /// All that they may do from now on.
        permissions: BTreeSet<Permission>,
    },
    /// Let it give nothing any more.
    DeleteRole,
}

/// Why a command on a role was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleError {
    /// Fields of the request break their rules.
    #[error("the request has {} invalid field(s)", .0.len())]
    Invalid(Vec<Violation>),
    /// The stream has events already.
    #[error("the role exists already")]
    AlreadyExists,
    /// The stream has no events.
    #[error("no such role")]
    NotFound,
    /// It was deleted; its name is not used again.
    #[error("the role was deleted")]
    Deleted,
}

cqrs_aggregate!(Role, "role", RoleCommand, RoleEvent, RoleError);

impl Role {
    /// The category of its stream.
    pub const CATEGORY: &'static str = "role";

    /// What it is, unless there is none, or none any more.
    pub fn definition(&self) -> Option<&RoleDefinition> {
        match self {
            Self::Absent | Self::Deleted => None,
            Self::Defined(definition) => Some(definition),
        }
    }

    /// What `command` does. No events is an answer too: nothing would change.
    ///
    /// # Errors
    /// The rule that refuses it.
    pub fn decide(&self, command: RoleCommand, _now: Timestamp) -> Result<Vec<RoleEvent>, RoleError> {
        match (self, command) {
            (Self::Absent, RoleCommand::CreateRole(created)) => {
                created.checked().map(|created| vec![RoleEvent::Created(created)])
            }
            (Self::Defined(_), RoleCommand::CreateRole(_)) => Err(RoleError::AlreadyExists),
            (Self::Absent, RoleCommand::ChangePermissions { .. } | RoleCommand::DeleteRole) => {
                Err(RoleError::NotFound)
            }
            (Self::Deleted, _) => Err(RoleError::Deleted),
            (Self::Defined(role), RoleCommand::ChangePermissions { permissions }) => {
                role.change_permissions(permissions)
            }
            (Self::Defined(role), RoleCommand::DeleteRole) => {
                Ok(vec![RoleEvent::Deleted(RoleDeleted { permissions: role.permissions.clone() })])
            }
        }
    }

    /// The state after an event that was recorded at `at`.
    pub fn apply(&mut self, event: &RoleEvent, at: Timestamp) {
        match (event, self) {
            (RoleEvent::Created(created), state @ Self::Absent) => {
                *state = Self::Defined(RoleDefinition {
                    permissions: created.permissions.clone(),
                    description: created.description.clone(),
                    created_at: at,
                });
            }
            (RoleEvent::PermissionsChanged(changed), Self::Defined(role)) => {
                role.permissions.clone_from(&changed.permissions.new);
            }
            (RoleEvent::Deleted(_), state @ Self::Defined(_)) => *state = Self::Deleted,
            (RoleEvent::Created(_), Self::Defined(_) | Self::Deleted)
            | (RoleEvent::PermissionsChanged(_) | RoleEvent::Deleted(_), Self::Absent | Self::Deleted) => {}
        }
    }
}

impl RoleDefinition {
    fn change_permissions(&self, permissions: BTreeSet<Permission>) -> Result<Vec<RoleEvent>, RoleError> {
        let mut wrong = Violations::default();
        check_permissions(&mut wrong, &permissions);
        wrong.refuse(RoleError::Invalid)?;
        if permissions == self.permissions {
            return Ok(Vec::new());
        }
        let permissions = Change::new(self.permissions.clone(), permissions);
        Ok(vec![RoleEvent::PermissionsChanged(RolePermissionsChanged { permissions })])
    }
}

impl RoleCreated {
    fn checked(self) -> Result<Self, RoleError> {
        let mut wrong = Violations::default();
        if self.name.built_in().is_some() {
            wrong.add("/name", Rule::Duplicate, "a built-in role has this name");
        }
        let description = wrong.keep("/description", plain_text(&self.description, LONGEST_DESCRIPTION));
        check_permissions(&mut wrong, &self.permissions);
        wrong.refuse(RoleError::Invalid)?;
        Ok(Self { description: description.unwrap_or_default(), ..self })
    }
}

fn check_permissions(wrong: &mut Violations, permissions: &BTreeSet<Permission>) {
    if permissions.is_empty() {
        wrong.add("/permissions", Rule::Required, "choose at least one permission");
    }
}
