//! Tables as batches that have arrived, in the order in which nodes apply them.
//!
//! Of what was changed and destroyed meanwhile nothing is left, so each batch only adds; all of them together make the tables.

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::commit::{
    ClaimChange, ClaimKey, Credential, Disclosure, DisclosureKey, LookupToken, RecordedCommand,
};
use crate::error::{Place, ReadError};
use crate::position::Position;
use crate::prepared::PreparedCommit;
use crate::rows::{as_i64, stream_name};
use crate::sqlite::reader::read_error;
use crate::staged_batch::{Batch, Rows, damaged};

/// So many commits are one batch. Tests have few.
const COMMITS: usize = if cfg!(test) { 3 } else { 500 };

/// How far the tables were read.
pub(super) struct Batches {
    at: Position,
    /// The last credential that a commit was given.
    credential: String,
    /// So many go to each commit: whose they were is not in the tables, and does not matter.
    credentials_of_a_commit: u64,
}

impl Batches {
    /// Begins at the first commit.
    pub(super) fn of(rows: &Connection) -> Result<Self, ReadError> {
        let begin = || -> rusqlite::Result<u64> {
            // They are kept in the order of the tokens.
            rows.execute_batch(
                "DROP TABLE IF EXISTS temp.tokens;
                 CREATE TEMP TABLE tokens AS SELECT first_position, token, person FROM lookup_tokens;
                 CREATE INDEX temp.tokens_by_position ON tokens (first_position)",
            )?;
            let evenly = "SELECT (SELECT count(*) FROM credentials) / max(count(*), 1) + 1 FROM commands";
            rows.query_row(evenly, [], |row| row.get(0))
        };
        let credentials_of_a_commit = begin().map_err(read_error)?;
        Ok(Self { at: Position::ORIGIN, credential: String::new(), credentials_of_a_commit })
    }

    /// The next batch; `None` behind the last commit.
    pub(super) fn next(&mut self, rows: &Connection) -> Result<Option<Batch>, ReadError> {
        let spans = spans(rows, self.at).map_err(read_error)?;
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return Ok(None) };
        let (first, last) = (first.first_position, last.position);
        if first != self.at.next() {
            return Err(damaged(&format!("no commit begins at {}", self.at.next())));
        }
        let mut of_commits = Vec::new();
        for span in spans {
            of_commits.extend(Rows::of(&self.commit(rows, span)?, span));
        }
        self.at = last;
        Ok(Some(Batch { number: 0, first, last, arrived: true, entries: Vec::new(), rows: of_commits }))
    }

    fn commit(&mut self, rows: &Connection, span: RecordedCommand) -> Result<PreparedCommit, ReadError> {
        let mut commit = PreparedCommit::of_nothing(Uuid::nil());
        commit.claims = claims(rows, span)?;
        commit.disclosures = disclosures(rows, span)?;
        commit.lookup_tokens = tokens(rows, span)?;
        commit.credentials =
            credentials(rows, &self.credential, self.credentials_of_a_commit).map_err(read_error)?;
        if let Some(last) = commit.credentials.last() {
            self.credential.clone_from(&last.id);
        }
        Ok(commit)
    }
}

fn spans(rows: &Connection, after: Position) -> rusqlite::Result<Vec<RecordedCommand>> {
    // The entries are in the order of positions, the commands in that of their ids.
    let mut first = rows.prepare_cached(
        "SELECT first_position, last_position FROM events JOIN commands
         ON command_id = unhex(replace(json_extract(CAST(entry AS TEXT), '$.command_id'), '-', '')) WHERE position = ?1",
    )?;
    let mut spans = Vec::new();
    let mut at = after;
    while spans.len() < COMMITS {
        let span = first
            .query_row([as_i64(at.next().get())], |row| {
                let (first_position, position) = (Position::new(row.get(0)?), Position::new(row.get(1)?));
                Ok(RecordedCommand { first_position, position })
            })
            .optional()?;
        let Some(span) = span else { break };
        at = span.position;
        spans.push(span);
    }
    Ok(spans)
}

/// A stream takes what it holds with the commit that begins it.
fn claims(rows: &Connection, span: RecordedCommand) -> Result<Vec<ClaimChange>, ReadError> {
    let mut found = rows
        .prepare_cached(
            "SELECT namespace, key, name FROM events JOIN streams ON number = events.stream
             JOIN claims ON claims.stream = number
             WHERE position BETWEEN ?1 AND ?2 AND revision = 1",
        )
        .map_err(read_error)?;
    let range = params![as_i64(span.first_position.get()), as_i64(span.position.get())];
    let found = found.query_map(range, |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?)));
    let taken = found.map_err(read_error)?.map(|row| {
        let (namespace, key, stream) = row.map_err(read_error)?;
        let stream = stream_name(Place::Row("a claim".to_owned()), Some(&stream))?;
        Ok(ClaimChange::Take { key: ClaimKey { namespace, key }, stream })
    });
    taken.collect()
}

fn disclosures(rows: &Connection, span: RecordedCommand) -> Result<Vec<Disclosure>, ReadError> {
    let mut found = rows
        .prepare_cached(
            "SELECT digest, person, event_key, sealed FROM disclosures WHERE command_position = ?1",
        )
        .map_err(read_error)?;
    let found = found.query_map([as_i64(span.first_position.get())], |row| {
        let person = row.get::<_, Option<[u8; 16]>>(1)?.map(Uuid::from_bytes);
        Ok((row.get(0)?, person, row.get::<_, Option<u64>>(2)?, row.get(3)?))
    });
    let sealed = found.map_err(read_error)?.map(|row| {
        let (digest, person, slot, sealed) = row.map_err(read_error)?;
        let key = match (person, slot) {
            (Some(person), _) => DisclosureKey::Person(person),
            (None, Some(slot)) => DisclosureKey::Event(slot),
            (None, None) => return Err(damaged("a disclosure has a key")),
        };
        Ok(Disclosure { digest, key, sealed })
    });
    sealed.collect()
}

fn tokens(rows: &Connection, span: RecordedCommand) -> Result<Vec<LookupToken>, ReadError> {
    let mut found = rows
        .prepare_cached("SELECT token, person FROM temp.tokens WHERE first_position = ?1")
        .map_err(read_error)?;
    let found = found.query_map([as_i64(span.first_position.get())], |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, Vec<u8>>(1)?))
    });
    let tokens = found.map_err(read_error)?.map(|row| {
        let (token, person) = row.map_err(read_error)?;
        let person = (!person.is_empty()).then(|| Uuid::from_slice(&person)).transpose();
        Ok(LookupToken { token, person: person.map_err(|error| damaged(&error.to_string()))? })
    });
    tokens.collect()
}

fn credentials(rows: &Connection, after: &str, limit: u64) -> rusqlite::Result<Vec<Credential>> {
    rows.prepare_cached("SELECT id, sealed FROM credentials WHERE id > ?1 ORDER BY id LIMIT ?2")?
        .query_map(params![after, limit], |row| Ok(Credential { id: row.get(0)?, sealed: row.get(1)? }))?
        .collect()
}
