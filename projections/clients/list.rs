//! Lists of clients, newest first: those of an environment, and those that a member answers for in any.

use domain::client::{Registration, Status};
use domain::{ClientId, EnvironmentName, MemberId, Reach, folded};
use jiff::Timestamp;
use rusqlite::{Connection, named_params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ClientRow, client_row};
use crate::error::QueryError;
use crate::projection::ApplyError;
use crate::reader::{Reader, as_unsigned};

/// What a list of clients leaves out. The default leaves out the deleted ones alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Part of the name, whatever its case or Unicode form; or a whole `client_id`.
    pub q: Option<String>,
    /// Only clients of this status; deleted ones are listed only when asked for here.
    pub status: Option<Status>,
    /// Only clients of the type with this name.
    pub client_type: Option<String>,
    /// Only clients that this member answers for.
    pub responsible: Option<MemberId>,
    /// Only clients that hold the scope with this name.
    pub scope: Option<String>,
    /// Only clients within it.
    pub reach: Reach,
}

/// The place of a client in every list, newest first. It stays the same whatever happens to the client, so that a
/// cursor neither skips nor repeats one while others come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// When it was created.
    pub created_at: Timestamp,
    /// Tells apart those of one moment.
    pub client_id: ClientId,
}

/// Some of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPage {
    /// Newest first.
    pub items: Vec<ClientRow>,
    /// What to list after for the rest; `None` at the end.
    pub next: Option<Key>,
}

/// A list in the order of `$table`, from which it is driven: an index of that table leads to what it has and nothing else.
macro_rules! list_from {
    ($from:literal, $table:literal) => {
        concat!(
            "SELECT clients.client_id, revision, position, state FROM ",
            $from,
            " AND (:after_id IS NULL OR (",
            $table,
            ".created_at, ",
            $table,
            ".client_id) < (:after_at, :after_id))
              AND CASE WHEN :status IS NULL THEN status <> 'deleted' ELSE status = :status END
              AND (:client_type IS NULL OR client_type = :client_type)
              AND (:reach IS NULL OR +clients.environment IN (SELECT value FROM json_each(:reach)))
              AND (:name IS NULL OR instr(name_folded, :name) > 0 OR clients.client_id = :q)
              ORDER BY ",
            $table,
            ".created_at DESC, ",
            $table,
            ".client_id DESC LIMIT :limit"
        )
    };
}

pub(super) const BY_AGE: &str = list_from!(
    "clients WHERE environment = :environment AND :responsible IS NULL AND :scope IS NULL",
    "clients"
);
// The unary plus keeps the environment from choosing the other index.
pub(super) const BY_RESPONSIBLE: &str = list_from!(
    "clients WHERE responsible = :responsible AND (:environment IS NULL OR +environment = :environment)
              AND :scope IS NULL",
    "clients"
);
// A cross join is not turned round.
pub(super) const BY_SCOPE: &str = list_from!(
    "client_scopes CROSS JOIN clients ON clients.client_id = client_scopes.client_id
              WHERE client_scopes.environment = :environment AND scope = :scope
              AND (:responsible IS NULL OR +responsible = :responsible)",
    "client_scopes"
);

/// The clients of an environment that the filter lets through, newest first, after a key, at most `limit`.
///
/// # Errors
/// See [`QueryError`].
pub fn list(
    reader: &Reader,
    environment: &EnvironmentName,
    filter: &ListFilter,
    after: Option<Key>,
    limit: usize,
) -> Result<ClientPage, QueryError> {
    let sql = match (&filter.scope, filter.responsible) {
        (Some(_), _) => BY_SCOPE,
        (None, Some(_)) => BY_RESPONSIBLE,
        (None, None) => BY_AGE,
    };
    page(reader, sql, Some(environment), filter, after, limit)
}

/// The clients within `reach` that a member answers for, newest first, after a key, at most `limit`; deleted ones only
/// if that is the status asked for.
///
/// # Errors
/// See [`QueryError`].
pub fn responsibilities(
    reader: &Reader,
    member_id: MemberId,
    reach: Reach,
    status: Option<Status>,
    after: Option<Key>,
    limit: usize,
) -> Result<ClientPage, QueryError> {
    let filter = ListFilter { responsible: Some(member_id), reach, status, ..ListFilter::default() };
    page(reader, BY_RESPONSIBLE, None, &filter, after, limit)
}

/// How many clients a member answers for, those that were deleted left out.
///
/// # Errors
/// See [`QueryError`].
pub fn count_responsibilities(reader: &Reader, member_id: MemberId) -> Result<u64, QueryError> {
    let count = reader
        .connection()
        .prepare_cached("SELECT count(*) FROM clients WHERE responsible = ?1 AND status <> 'deleted'")?
        .query_row([member_id.to_string()], |row| row.get(0))?;
    Ok(as_unsigned(count))
}

fn page(
    reader: &Reader,
    sql: &str,
    environment: Option<&EnvironmentName>,
    filter: &ListFilter,
    after: Option<Key>,
    limit: usize,
) -> Result<ClientPage, QueryError> {
    let mut statement = reader.connection().prepare_cached(sql)?;
    // One more than asked for tells whether there is a next page.
    let mut rows = statement.query(named_params! {
        ":environment": environment.map(EnvironmentName::as_str),
        ":after_at": after.map(|key| key.created_at.as_microsecond()),
        ":after_id": after.map(|key| key.client_id.to_string()),
        ":status": filter.status.map(Status::as_str),
        ":client_type": filter.client_type,
        ":responsible": filter.responsible.map(|member| member.to_string()),
        ":scope": filter.scope,
        ":reach": filter.reach.environments().map(|names| json!(names).to_string()),
        ":name": filter.q.as_deref().map(folded),
        ":q": filter.q.as_deref().map(str::trim),
        ":limit": i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
    })?;
    let mut items = Vec::with_capacity(limit.min(512));
    while let Some(row) = rows.next()? {
        if items.len() == limit {
            return Ok(ClientPage { next: items.last().map(ClientRow::key), items });
        }
        items.push(client_row(row)?);
    }
    Ok(ClientPage { items, next: None })
}

/// Writes all that the table of scopes has of a client.
pub(super) fn save_scopes(
    views: &Connection,
    client_id: &str,
    registration: &Registration,
) -> Result<(), ApplyError> {
    views.prepare_cached("DELETE FROM client_scopes WHERE client_id = ?1")?.execute([client_id])?;
    let mut insert = views.prepare_cached(
        "INSERT INTO client_scopes (client_id, scope, environment, created_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    let (environment, created_at) =
        (registration.environment.as_str(), registration.created_at.as_microsecond());
    for scope in &registration.scope.0 {
        insert.execute((client_id, scope.as_str(), environment, created_at))?;
    }
    Ok(())
}
