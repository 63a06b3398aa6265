//! Keyed tokens by which events are found again: of an address, for instance.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::reader::{as_i64, read_error};
use crate::error::ReadError;
use crate::position::Position;
use crate::prepared::PreparedCommit;

/// The newest positions after `after`, up to `until`, of the commits with this token; newest first.
pub(super) fn positions(
    connection: &Connection,
    token: &[u8; 16],
    (after, until): (Position, Position),
    most: usize,
) -> Result<Vec<Position>, ReadError> {
    let find = || -> rusqlite::Result<Vec<Position>> {
        let mut statement = connection.prepare_cached(
            "SELECT first_position, last_position FROM lookup_tokens
             WHERE token = ?1 AND last_position > ?2 AND first_position <= ?3
             ORDER BY first_position DESC LIMIT ?4",
        )?;
        let limits = params![token, as_i64(after.get()), as_i64(until.get()), as_i64(most as u64)];
        let mut rows = statement.query(limits)?;
        let mut positions = Vec::new();
        while let Some(row) = rows.next()? {
            let (first, last): (u64, u64) = (row.get(0)?, row.get(1)?);
            let inside = (first..=last).rev().filter(|at| (after.get() + 1..=until.get()).contains(at));
            positions.extend(inside.map(Position::new));
        }
        positions.truncate(most);
        Ok(positions)
    };
    find().map_err(read_error)
}

/// Writes the tokens of a commit, and removes those of persons who are forgotten with it.
pub(super) fn write(
    connection: &Connection,
    commit: &PreparedCommit,
    first: Position,
    last: Position,
) -> rusqlite::Result<()> {
    for token in &commit.lookup_tokens {
        let person = token.person.map(Uuid::into_bytes);
        let person = person.as_ref().map_or(&[][..], |person| person.as_slice());
        connection
            .prepare_cached(
                "INSERT INTO lookup_tokens (token, person, first_position, last_position) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![token.token, person, as_i64(first.get()), as_i64(last.get())])?;
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
