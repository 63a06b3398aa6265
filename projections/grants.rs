//! The view of grants: what each member allows, and what each client may do in somebody's name.

use domain::{ClientId, Grant, GrantId, MemberId};
use rusqlite::{Connection, ToSql};

use crate::error::QueryError;
use crate::folded::{Folded, NounRow, States, noun};
use crate::projection::{ApplyError, Projection, ViewedEvent};
use crate::reader::Reader;

/// The view's name.
pub const NAME: &str = "grants";

/// A grant as the view shows it.
pub type GrantRow = NounRow<GrantId, Grant>;

noun!(Grant, GrantId, Grant, view NAME, table "grants", "<", "DESC");

/// The grants of a member that live, at most `limit`, newest first.
///
/// # Errors
/// See [`QueryError`].
pub fn of_member(reader: &Reader, member_id: MemberId, limit: usize) -> Result<Vec<GrantRow>, QueryError> {
    live(reader, "member_id", &member_id.to_string(), limit)
}

/// The grants to a client that live, at most `limit`, newest first.
///
/// # Errors
/// See [`QueryError`].
pub fn of_client(reader: &Reader, client_id: ClientId, limit: usize) -> Result<Vec<GrantRow>, QueryError> {
    live(reader, "client_id", &client_id.to_string(), limit)
}

/// How many grants to a client live.
///
/// # Errors
/// See [`QueryError`].
pub fn count_of_client(reader: &Reader, client_id: ClientId) -> Result<u64, QueryError> {
    let count = "SELECT count(*) FROM grants WHERE client_id = ?1 AND ended_at IS NULL";
    Ok(reader.connection().prepare_cached(count)?.query_row([client_id.to_string()], |row| row.get(0))?)
}

fn live(reader: &Reader, column: &str, of: &str, limit: usize) -> Result<Vec<GrantRow>, QueryError> {
    let mut statement = reader.connection().prepare_cached(&format!(
        "SELECT id, revision, position, state FROM grants WHERE {column} = ?1 AND ended_at IS NULL
         ORDER BY id DESC LIMIT ?2"
    ))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let parameters: [&dyn ToSql; 2] = [&of, &limit];
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, Folded { aggregate: state, revision, position }) = Folded::of_row(NAME, row)?;
        found.push(NounRow { id, revision, position, state });
    }
    Ok(found)
}

/// The projection.
#[derive(Default)]
pub struct Grants {
    states: States<Grant>,
}

impl Projection for Grants {
    fn name(&self) -> &'static str {
        NAME
    }

    fn view_version(&self) -> u32 {
        1
    }

    fn schema(&self) -> &'static str {
        include_str!("../migrations/views/grants.sql")
    }

    fn indexes(&self) -> &'static str {
        include_str!("../migrations/views/grants_indexes.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["grants"]
    }

    fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        self.states.apply(views, event)
    }

    fn flush(&mut self, views: &Connection) -> Result<(), ApplyError> {
        self.states.flush(views)
    }

    fn rolled_back(&mut self) {
        self.states.forget();
    }
}

#[cfg(test)]
mod tests;
