//! The view of clients: one row each, as the newest event left it.

use std::collections::HashMap;

use domain::client::{Registration, Status};
use domain::{Client, ClientEvent, ClientId, EnvironmentName, Event, folded};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde::{Deserialize, Serialize};
use store::{Position, Revision};

use crate::error::QueryError;
use crate::projection::{ApplyError, Projection, ViewedEvent};
use crate::reader::{Reader, as_number, as_signed};

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

/// What a list of clients leaves out. The default leaves out the deleted ones alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListFilter {
    /// Part of the name, whatever its case or Unicode form; or a whole `client_id`.
    pub q: Option<String>,
    /// Only clients of this status; deleted ones are listed only when asked for here.
    pub status: Option<Status>,
    /// Only clients of the type with this name.
    pub client_type: Option<String>,
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
    let mut statement = reader.connection().prepare_cached(
        "SELECT client_id, revision, position, state FROM clients
         WHERE environment = :environment
           AND (:after_id IS NULL OR (created_at, client_id) < (:after_at, :after_id))
           AND CASE WHEN :status IS NULL THEN status <> 'deleted' ELSE status = :status END
           AND (:client_type IS NULL OR client_type = :client_type)
           AND (:name IS NULL OR instr(name_folded, :name) > 0 OR client_id = :q)
         ORDER BY created_at DESC, client_id DESC LIMIT :limit",
    )?;
    // One more than asked for tells whether there is a next page.
    let mut rows = statement.query(named_params! {
        ":environment": environment.as_str(),
        ":after_at": after.map(|key| key.created_at.as_microsecond()),
        ":after_id": after.map(|key| key.client_id.to_string()),
        ":status": filter.status.map(Status::as_str),
        ":client_type": filter.client_type,
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
    let key: String = row.get(0)?;
    let broken = |source| QueryError::Row { view: NAME, key: key.clone(), source };
    let client_id = key.parse().map_err(|error| broken(serde::de::Error::custom(error)))?;
    let client: Client =
        serde_json::from_str(row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?).map_err(broken)?;
    FoldedClient {
        client,
        revision: Revision::new(as_number(row, 1)?),
        position: Position::new(as_number(row, 2)?),
    }
    .into_row(client_id)
    .ok_or_else(|| broken(serde::de::Error::custom("the state is that of no client")))
}

/// A client's state and where it stands: the one fold that the view and a look into the past share.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoldedClient {
    client: Client,
    revision: Revision,
    position: Position,
}

impl FoldedClient {
    /// The state after one more event of its stream.
    pub(crate) fn apply(&mut self, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        let Event::Client(fact) = event.event()? else {
            return Err(ApplyError::OutOfPlace(format!(
                "`{}` is no event of a client",
                event.envelope.event_type
            )));
        };
        if event.envelope.revision != self.revision.next() {
            let (found, last) = (event.envelope.revision, self.revision);
            return Err(ApplyError::OutOfPlace(format!("revision {found} cannot follow revision {last}")));
        }
        self.client.apply(fact, event.envelope.at);
        if self.client == Client::Absent {
            return Err(ApplyError::OutOfPlace(format!(
                "`{}` before the client exists",
                event.envelope.event_type
            )));
        }
        (self.revision, self.position) = (event.envelope.revision, event.position);
        Ok(())
    }

    /// What it is, unless there is no client yet.
    pub(crate) fn registration(&self) -> Option<&Registration> {
        self.client.registration()
    }

    /// The row, unless there is no client yet.
    pub(crate) fn into_row(self, client_id: ClientId) -> Option<ClientRow> {
        let Client::Registered(registration) = self.client else { return None };
        Some(ClientRow { client_id, revision: self.revision, position: self.position, client: *registration })
    }
}

/// The projection.
#[derive(Default)]
pub struct Clients {
    states: HashMap<ClientId, Remembered>,
}

struct Remembered {
    folded: FoldedClient,
    changed: bool,
    /// Folding a name costs as much as applying its event, and most events leave it as it is.
    name_folded: Option<String>,
}

impl Projection for Clients {
    fn name(&self) -> &'static str {
        NAME
    }

    fn view_version(&self) -> u32 {
        3
    }

    fn schema(&self) -> &'static str {
        include_str!("../migrations/views/clients.sql")
    }

    fn indexes(&self) -> &'static str {
        include_str!("../migrations/views/clients_indexes.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["clients"]
    }

    fn apply(&mut self, views: &Connection, event: &ViewedEvent<'_>) -> Result<(), ApplyError> {
        let Some(id) = event.id_in(Client::CATEGORY) else { return Ok(()) };
        let client_id: ClientId =
            id.parse().map_err(|_| ApplyError::OutOfPlace(format!("`{id}` is no id of a client")))?;
        let state = match self.states.entry(client_id) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                let folded = if event.envelope.revision.get() == 1 { None } else { load(views, id)? };
                unknown.insert(Remembered {
                    folded: folded.unwrap_or_default(),
                    changed: false,
                    name_folded: None,
                })
            }
        };
        state.folded.apply(event)?;
        state.changed = true;
        if matches!(event.event()?, Event::Client(ClientEvent::Created(_) | ClientEvent::NameChanged(_))) {
            state.name_folded = None;
        }
        Ok(())
    }

    fn flush(&mut self, views: &Connection) -> Result<(), ApplyError> {
        let mut changed: Vec<_> = self.states.iter_mut().filter(|(_, state)| state.changed).collect();
        // In the order of the table: neighbours are written while their page is at hand.
        changed.sort_unstable_by_key(|(client_id, _)| **client_id);
        for (client_id, state) in changed {
            save(views, *client_id, state)?;
        }
        // What one page touched the next one is likely to touch; so the memory is never more than two pages need.
        self.states.retain(|_, state| std::mem::take(&mut state.changed));
        Ok(())
    }

    fn rolled_back(&mut self) {
        self.states.clear();
    }
}

fn load(views: &Connection, client_id: &str) -> Result<Option<FoldedClient>, ApplyError> {
    let mut statement =
        views.prepare_cached("SELECT revision, position, state FROM clients WHERE client_id = ?1")?;
    let mut rows = statement.query([client_id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let client = serde_json::from_str(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?;
    let (revision, position) = (Revision::new(as_number(row, 0)?), Position::new(as_number(row, 1)?));
    Ok(Some(FoldedClient { client, revision, position }))
}

fn save(views: &Connection, client_id: ClientId, state: &mut Remembered) -> Result<(), ApplyError> {
    let Remembered { folded: FoldedClient { client, revision, position }, name_folded, .. } = state;
    let Some(registration) = client.registration() else { return Ok(()) };
    let name_folded = name_folded.get_or_insert_with(|| folded(&registration.client_name));
    views
        .prepare_cached(
            "INSERT INTO clients (client_id, environment, name_folded, client_type, status, created_at, updated_at,
                                  responsible, revision, position, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (client_id) DO UPDATE SET
                 environment = excluded.environment, name_folded = excluded.name_folded,
                 client_type = excluded.client_type, status = excluded.status, created_at = excluded.created_at,
                 updated_at = excluded.updated_at, responsible = excluded.responsible,
                 revision = excluded.revision, position = excluded.position, state = excluded.state",
        )?
        .execute((
            client_id.to_string(),
            registration.environment.as_str(),
            &*name_folded,
            &registration.client_type,
            registration.status.as_str(),
            registration.created_at.as_microsecond(),
            registration.updated_at.as_microsecond(),
            registration.responsible.to_string(),
            as_signed(revision.get()),
            as_signed(position.get()),
            serde_json::to_string(&*client)?,
        ))?;
    Ok(())
}

#[cfg(test)]
mod tests;
