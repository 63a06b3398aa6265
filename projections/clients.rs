//! The view of clients: one row each, as the newest event left it.

pub mod expiring;
mod list;

use domain::client::Registration;
use domain::{Client, ClientEvent, ClientId, EnvironmentName, Event, SecretId, folded};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};
use store::{Position, Revision};

pub use list::{ClientPage, Key, ListFilter, count_responsibilities, list, responsibilities};

use crate::error::QueryError;
use crate::folded::{Folded, State, States, Viewed};
use crate::projection::{ApplyError, Projection, ViewedEvent};
use crate::reader::{Reader, as_signed};

/// The view's name.
pub const NAME: &str = "clients";

/// A client as a view shows it: at the position of its newest event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRow {
    /// Its id.
    pub client_id: ClientId,
    /// How many events its stream has: its `ETag`.
    pub revision: Revision,
    /// The position of the newest of them.
    pub position: Position,
    /// What it is.
    pub client: Registration,
}

impl ClientRow {
    /// Its place in lists.
    #[must_use]
    pub fn key(&self) -> Key {
        Key { created_at: self.client.created_at, client_id: self.client_id }
    }
}

/// One client, deleted ones too; `None` if there never was one.
///
/// # Errors
/// See [`QueryError`].
pub fn get(reader: &Reader, client_id: ClientId) -> Result<Option<ClientRow>, QueryError> {
    reader
        .connection()
        .prepare_cached("SELECT client_id, revision, position, state FROM clients WHERE client_id = ?1")?
        .query_row([client_id.to_string()], |row| Ok(client_row(row)))
        .optional()?
        .transpose()
}

/// Every environment that has or had a client, by name.
///
/// # Errors
/// See [`QueryError`].
pub fn environments(reader: &Reader) -> Result<Vec<EnvironmentName>, QueryError> {
    let mut statement = reader
        .connection()
        .prepare_cached("SELECT DISTINCT environment FROM clients ORDER BY environment")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    // A view holds only names that the domain let through.
    Ok(names.iter().filter_map(|name| EnvironmentName::parse(name).ok()).collect())
}

fn client_row(row: &Row<'_>) -> Result<ClientRow, QueryError> {
    let (client_id, folded) = Folded::of_row(NAME, row)?;
    let no_client = || serde::de::Error::custom("the state is that of no client");
    into_row(client_id, folded).ok_or_else(|| QueryError::Row {
        view: NAME,
        key: client_id.to_string(),
        source: no_client(),
    })
}

/// The row, unless there is no client yet.
pub(crate) fn into_row(client_id: ClientId, folded: Folded<Client>) -> Option<ClientRow> {
    let Folded { aggregate: Client::Registered(client), revision, position } = folded else { return None };
    Some(ClientRow { client_id, revision, position, client: *client })
}

/// What is remembered of a client between its events and its row.
#[derive(Default)]
pub(crate) struct Memo {
    /// Folding a name costs as much as applying its event, and most events leave it as it is.
    name_folded: Option<String>,
    /// What the second table has of it; most events leave that as it is.
    expiring: Option<Vec<(SecretId, Timestamp)>>,
    /// Whether the third table has other scopes of it.
    scopes_changed: bool,
}

impl Viewed for Client {
    type Id = ClientId;
    type Memo = Memo;

    const CATEGORY: &'static str = Self::CATEGORY;
    const LOAD: &'static str = "SELECT revision, position, state FROM clients WHERE client_id = ?1";

    fn fold(&mut self, event: &Event, at: Timestamp, memo: &mut Memo) -> bool {
        let Event::Client(fact) = event else { return false };
        memo.expiring.get_or_insert_with(|| expiring::of(self));
        if matches!(fact, ClientEvent::Created(_) | ClientEvent::NameChanged(_)) {
            memo.name_folded = None;
        }
        memo.scopes_changed |= matches!(fact, ClientEvent::Created(_) | ClientEvent::ScopeChanged(_));
        self.apply(fact, at);
        true
    }

    fn save(views: &Connection, id: &ClientId, state: &mut State<Self>) -> Result<(), ApplyError> {
        let State { folded: Folded { aggregate, revision, position }, memo, .. } = state;
        let Some(registration) = aggregate.registration() else { return Ok(()) };
        let client_id = id.to_string();
        let name_folded = memo.name_folded.get_or_insert_with(|| folded(&registration.client_name));
        views
            .prepare_cached(
                "INSERT INTO clients (client_id, environment, name_folded, client_type, status, created_at,
                                      updated_at, responsible, revision, position, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT (client_id) DO UPDATE SET
                     environment = excluded.environment, name_folded = excluded.name_folded,
                     client_type = excluded.client_type, status = excluded.status,
                     created_at = excluded.created_at, updated_at = excluded.updated_at,
                     responsible = excluded.responsible, revision = excluded.revision,
                     position = excluded.position, state = excluded.state",
            )?
            .execute((
                &client_id,
                registration.environment.as_str(),
                &*name_folded,
                &registration.client_type,
                registration.status.as_str(),
                registration.created_at.as_microsecond(),
                registration.updated_at.as_microsecond(),
                registration.responsible.to_string(),
                as_signed(revision.get()),
                as_signed(position.get()),
                serde_json::to_string(&*aggregate)?,
            ))?;
        let expiring = expiring::of(aggregate);
        if memo.expiring.take().is_some_and(|before| before != expiring) {
            expiring::save(views, &client_id, registration.environment.as_str(), &expiring)?;
        }
        if std::mem::take(&mut memo.scopes_changed) {
            list::save_scopes(views, &client_id, registration)?;
        }
        Ok(())
    }
}

/// The projection.
#[derive(Default)]
pub struct Clients {
    states: States<Client>,
}

impl Projection for Clients {
    fn name(&self) -> &'static str {
        NAME
    }

    fn view_version(&self) -> u32 {
        8
    }

    fn schema(&self) -> &'static str {
        concat!(
            include_str!("../migrations/views/clients.sql"),
            include_str!("../migrations/views/expiring_secrets.sql"),
            include_str!("../migrations/views/client_scopes.sql")
        )
    }

    fn indexes(&self) -> &'static str {
        concat!(
            include_str!("../migrations/views/clients_indexes.sql"),
            include_str!("../migrations/views/expiring_secrets_indexes.sql"),
            include_str!("../migrations/views/client_scopes_indexes.sql")
        )
    }

    fn tables(&self) -> &'static [&'static str] {
        &["clients", "expiring_secrets", "client_scopes"]
    }

    fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        self.states.apply(views, event)
    }

    fn held(&self) -> Option<usize> {
        Some(self.states.held())
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
