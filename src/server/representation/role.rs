//! A role, built in or not.

use app::{ChangedRole, KnownRole};
use domain::BuiltInRole;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::member::names;

/// A role as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Role {
    name: String,
    description: String,
    /// What its holder may do.
    permissions: Vec<&'static str>,
    /// Whether it is always there, and as it is.
    built_in: bool,
    /// Left out for a built-in role.
    #[serde(with = "domain::time::micros::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// How many events its stream has: its `ETag`. Left out for a built-in role.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

impl From<KnownRole> for Role {
    fn from(role: KnownRole) -> Self {
        match role {
            KnownRole::BuiltIn(role) => role.into(),
            KnownRole::Own(role) => role.into(),
        }
    }
}

impl From<BuiltInRole> for Role {
    fn from(role: BuiltInRole) -> Self {
        Self {
            name: role.as_str().to_owned(),
            description: role.description().to_owned(),
            permissions: names(&role.permissions()),
            built_in: true,
            created_at: None,
            revision: None,
        }
    }
}

impl From<ChangedRole> for Role {
    fn from(role: ChangedRole) -> Self {
        let ChangedRole { name, definition, revision, .. } = role;
        Self {
            name: name.to_string(),
            description: definition.as_ref().map(|role| role.description.clone()).unwrap_or_default(),
            permissions: definition.iter().flat_map(|role| names(&role.permissions)).collect(),
            built_in: false,
            created_at: definition.map(|role| role.created_at),
            revision: Some(revision.get()),
        }
    }
}
