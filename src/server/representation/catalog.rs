//! Client types and scopes.

use app::Configured;
use domain::{client_type::ListedType, oauth::ScopeSet, scope::ListedScope};
use jiff::Timestamp;
use serde::Serialize;
use store::{Position, Revision};
use utoipa::ToSchema;

/// A client type as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ClientType {
    pub(crate) name: String,
    /// What it is for, in plain words.
    pub(crate) description: String,
    /// The scopes its clients can hold.
    #[schema(value_type = Vec<String>)]
    pub(crate) scopes: ScopeSet,
    /// Whether an environment can have only one client of it.
    pub(crate) singleton: bool,
    /// Whether it takes no new clients; those there are live on.
    pub(crate) deprecated: bool,
    /// How many tokens each of its clients can get in a UTC day; null is as many as it asks for.
    pub(crate) daily_quota: Option<u32>,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    pub(crate) revision: Revision,
    /// A position at which it was so.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
}

/// A scope as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scope {
    /// The scope-token.
    pub(crate) name: String,
    /// What it allows, in the words that a person consents to.
    pub(crate) description: String,
    /// Whether it is given to no more clients; those that hold it keep it.
    pub(crate) deprecated: bool,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    pub(crate) revision: Revision,
    /// A position at which it was so.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
}

impl From<Configured<ListedType>> for ClientType {
    fn from(configured: Configured<ListedType>) -> Self {
        let Configured { name, state, revision, position, replayed: _ } = configured;
        let ListedType { description, scopes, singleton, deprecated, daily_quota, created_at } = state;
        Self { name, description, scopes, singleton, deprecated, daily_quota, created_at, revision, position }
    }
}

impl From<Configured<ListedScope>> for Scope {
    fn from(configured: Configured<ListedScope>) -> Self {
        let Configured { name, state, revision, position, replayed: _ } = configured;
        let ListedScope { description, deprecated, created_at } = state;
        Self { name, description, deprecated, created_at, revision, position }
    }
}
