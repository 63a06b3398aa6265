//! Keyed tokens by which events are found again: of an address, for instance.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::reader::read_error;
use crate::commit::RecordedCommand;
use crate::error::ReadError;
use crate::event_log::TokenPage;
use crate::position::Position;
use crate::prepared::PreparedCommit;
use crate::rows::as_i64;

/// A page of the events whose commits have this token.
pub(super) fn positions(
    connection: &Connection,
    token: &[u8; 16],
    page: TokenPage,
) -> Result<Vec<Position>, ReadError> {
    let find = || -> rusqlite::Result<Vec<Position>> {
        let mut spans = Vec::new();
        for person in persons(connection, token)? {
            spans.extend(spans_of(connection, token, &person, page)?);
        }
        Ok(page.of(spans))
    };
    find().map_err(read_error)
}

/// Those of whom the token tells: few, each with many rows, so it leaps from one to the next.
fn persons(connection: &Connection, token: &[u8; 16]) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE persons(person) AS (
           SELECT min(person) FROM lookup_tokens WHERE token = ?1
           UNION ALL
           SELECT (SELECT min(person) FROM lookup_tokens WHERE token = ?1 AND person > persons.person) FROM persons
           WHERE persons.person IS NOT NULL
         )
         SELECT person FROM persons WHERE person IS NOT NULL",
    )?;
    statement.query_map([token], |row| row.get(0))?.collect()
}

fn spans_of(
    connection: &Connection,
    token: &[u8; 16],
    person: &[u8],
    page: TokenPage,
) -> rusqlite::Result<Vec<(u64, u64)>> {
    let direction = if page.ascending { "ASC" } else { "DESC" };
    // The first commit of the span may have begun before it: no other one that did reaches into it.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT first_position, last_position FROM lookup_tokens
         WHERE token = ?1 AND person = ?2 AND first_position <= ?4 AND first_position >= ifnull((
             SELECT max(first_position) FROM lookup_tokens
             WHERE token = ?1 AND person = ?2 AND first_position <= ?3
         ), 0)
         ORDER BY first_position {direction} LIMIT ?5",
    ))?;
    let limit = page.limit.saturating_add(1) as u64;
    let wanted = params![token, person, as_i64(page.after.get()), as_i64(page.until.get()), as_i64(limit)];
    statement.query_map(wanted, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Writes the tokens of a commit, and removes those of persons who are forgotten with it.
pub(super) fn write(
    connection: &Connection,
    commit: &PreparedCommit,
    span: RecordedCommand,
) -> rusqlite::Result<()> {
    for token in &commit.lookup_tokens {
        let person = token.person.map(Uuid::into_bytes);
        let person = person.as_ref().map_or(&[][..], |person| person.as_slice());
        connection
            .prepare_cached(
                "INSERT INTO lookup_tokens (token, person, first_position, last_position) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                token.token,
                person,
                as_i64(span.first_position.get()),
                as_i64(span.position.get())
            ])?;
    }
    for person in &commit.forgotten_persons {
        // From one token to the next: there are few, each with many rows.
        connection
            .prepare_cached(
                "WITH RECURSIVE tokens(token) AS (
                   SELECT min(token) FROM lookup_tokens
                   UNION ALL
                   SELECT (SELECT min(token) FROM lookup_tokens WHERE token > tokens.token) FROM tokens
                   WHERE tokens.token IS NOT NULL
                 )
                 DELETE FROM lookup_tokens
                 WHERE person = ?1 AND token IN (SELECT token FROM tokens WHERE token IS NOT NULL)",
            )?
            .execute([person.as_bytes()])?;
    }
    Ok(())
}
