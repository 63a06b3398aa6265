//! The view of the catalog: scopes, types and environments, as their newest events left them.

use domain::{ClientType, Environment, ScopeDefinition};
use rusqlite::Connection;

use crate::error::QueryError;
use crate::folded::{NounPage, States, list_nouns, noun};
use crate::projection::{ApplyError, Projection, ViewedEvent};
use crate::reader::Reader;

/// The view's name.
pub const NAME: &str = "catalog";

noun!(ScopeDefinition, String, Scope, view NAME, table "scopes", ">", "");
noun!(ClientType, String, ClientType, view NAME, table "client_types", ">", "");
noun!(Environment, String, Environment, view NAME, table "environments", ">", "");

/// The scopes after a name, at most `limit`, by name.
///
/// # Errors
/// See [`QueryError`].
pub fn scopes(
    reader: &Reader,
    after: Option<&String>,
    limit: usize,
) -> Result<NounPage<String, ScopeDefinition>, QueryError> {
    list_nouns(reader, after, limit)
}

/// The client types after a name, at most `limit`, by name.
///
/// # Errors
/// See [`QueryError`].
pub fn client_types(
    reader: &Reader,
    after: Option<&String>,
    limit: usize,
) -> Result<NounPage<String, ClientType>, QueryError> {
    list_nouns(reader, after, limit)
}

/// The environments after a name, at most `limit`, by name.
///
/// # Errors
/// See [`QueryError`].
pub fn environments(
    reader: &Reader,
    after: Option<&String>,
    limit: usize,
) -> Result<NounPage<String, Environment>, QueryError> {
    list_nouns(reader, after, limit)
}

/// The projection.
#[derive(Default)]
pub struct Catalog {
    scopes: States<ScopeDefinition>,
    client_types: States<ClientType>,
    environments: States<Environment>,
}

impl Projection for Catalog {
    fn name(&self) -> &'static str {
        NAME
    }

    fn view_version(&self) -> u32 {
        1
    }

    fn schema(&self) -> &'static str {
        include_str!("../migrations/views/catalog.sql")
    }

    fn indexes(&self) -> &'static str {
        ""
    }

    fn tables(&self) -> &'static [&'static str] {
        &["scopes", "client_types", "environments"]
    }

    fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        self.scopes.apply(views, event)?;
        self.client_types.apply(views, event)?;
        self.environments.apply(views, event)
    }

    fn flush(&mut self, views: &Connection) -> Result<(), ApplyError> {
        self.scopes.flush(views)?;
        self.client_types.flush(views)?;
        self.environments.flush(views)
    }

    fn rolled_back(&mut self) {
        self.scopes.forget();
        self.client_types.forget();
        self.environments.forget();
    }
}

#[cfg(test)]
mod tests;
