//! Sealed values: credentials and disclosures.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::reader::read_error;
use crate::commit::{Disclosure, DisclosureKey, DisclosureRef};
use crate::error::ReadError;
use crate::position::Position;
use crate::prepared::PreparedCommit;
use crate::rows::as_i64;

pub(super) fn credential(connection: &Connection, id: &str) -> Result<Option<Vec<u8>>, ReadError> {
    connection
        .prepare_cached("SELECT sealed FROM credentials WHERE id = ?1")
        .and_then(|mut statement| statement.query_row([id], |row| row.get(0)).optional())
        .map_err(read_error)
}

pub(super) fn credential_ids(connection: &Connection) -> Result<Vec<String>, ReadError> {
    connection
        .prepare_cached("SELECT id FROM credentials ORDER BY id")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(read_error)
}

pub(super) fn disclosures(
    connection: &Connection,
    wanted: &[DisclosureRef],
) -> Result<Vec<Disclosure>, ReadError> {
    let find = || -> rusqlite::Result<Vec<Disclosure>> {
        // They stand at the first position of their commit, and no other commit begins between that and its events.
        let mut statement = connection.prepare_cached(
            "SELECT digest, person, event_key, sealed FROM disclosures
             WHERE command_position = (SELECT max(command_position) FROM disclosures WHERE command_position <= ?1)
             AND digest = ?2",
        )?;
        let mut found = Vec::with_capacity(wanted.len());
        for DisclosureRef { position, digest } in wanted {
            found
                .extend(statement.query_row(params![as_i64(position.get()), digest], disclosure).optional()?);
        }
        Ok(found)
    };
    find().map_err(read_error)
}

pub(super) fn last_event_key_slot(connection: &Connection) -> Result<u64, ReadError> {
    connection
        .prepare_cached("SELECT max(event_key) FROM disclosures WHERE event_key IS NOT NULL")
        .and_then(|mut statement| statement.query_row([], |row| row.get::<_, Option<u64>>(0)))
        .map(Option::unwrap_or_default)
        .map_err(read_error)
}

pub(super) fn newest_persons(connection: &Connection, most: usize) -> Result<Vec<Uuid>, ReadError> {
    let find = || -> rusqlite::Result<Vec<Uuid>> {
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT person FROM
               (SELECT person FROM disclosures ORDER BY command_position DESC LIMIT ?1)
             WHERE person IS NOT NULL",
        )?;
        let persons = statement.query_map([as_i64(most as u64)], |row| row.get(0).map(Uuid::from_bytes))?;
        persons.collect()
    };
    find().map_err(read_error)
}

fn disclosure(row: &Row<'_>) -> rusqlite::Result<Disclosure> {
    let person: Option<[u8; 16]> = row.get(1)?;
    let key = match person {
        Some(person) => DisclosureKey::Person(Uuid::from_bytes(person)),
        None => DisclosureKey::Event(row.get(2)?),
    };
    Ok(Disclosure { digest: row.get(0)?, key, sealed: row.get(3)? })
}

/// Writes rows that were checked, of a commit that begins at `first`.
pub(super) fn write(
    connection: &Connection,
    commit: &PreparedCommit,
    first: Position,
) -> rusqlite::Result<()> {
    for id in &commit.destroyed_credentials {
        connection.prepare_cached("DELETE FROM credentials WHERE id = ?1")?.execute([id])?;
    }
    for credential in &commit.credentials {
        connection
            .prepare_cached("INSERT INTO credentials (id, sealed) VALUES (?1, ?2)")?
            .execute(params![credential.id, credential.sealed])?;
    }
    for disclosure in &commit.disclosures {
        let (person, slot) = match disclosure.key {
            DisclosureKey::Person(person) => (Some(person.into_bytes()), None),
            DisclosureKey::Event(slot) => (None, Some(as_i64(slot))),
        };
        connection
            .prepare_cached(
                "INSERT INTO disclosures (command_position, digest, person, event_key, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![as_i64(first.get()), disclosure.digest, person, slot, disclosure.sealed])?;
    }
    Ok(())
}
