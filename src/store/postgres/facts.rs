//! What a batch is decided on, read in one query: what the log holds of all that its commits name.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::head::tail;
use super::reader::{get, named_stream_of, number, recorded_command};
use crate::commit::{ClaimChange, ClaimKey, DisclosureKey, RecordedCommand};
use crate::error::{Place as Where, ReadError};
use crate::position::Revision;
use crate::prepared::{CLOCK_STREAM, PreparedCommit};
use crate::rows::as_i64;
use crate::staging::{Failure, Place};
use crate::stream::StreamName;
use crate::tail::Tail;

use super::error::read_error;

/// One query, so that all of it is of one moment. What a row is about says its first column; the second, which of the
/// things asked for.
const FACTS: &str = "
SELECT 'head' AS fact, 0::bigint AS item, position AS a, last_at AS b, fence AS c, NULL::text AS d, NULL::text AS e
FROM log_head
UNION ALL
SELECT 'stream', item, number,
       (SELECT max(revision) FROM log_events WHERE stream = number), NULL, NULL, NULL
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted (category, id, item)
JOIN streams ON streams.category = wanted.category AND streams.id = wanted.id
UNION ALL
SELECT 'command', item, first_position, last_position, NULL, NULL, NULL
FROM unnest($3::uuid[]) WITH ORDINALITY AS wanted (id, item)
JOIN commands ON commands.command_id = wanted.id
UNION ALL
SELECT 'claim', item, NULL, NULL, NULL, streams.category, streams.id
FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS wanted (namespace, key, item)
JOIN claims ON claims.namespace = wanted.namespace AND claims.key = wanted.key
LEFT JOIN streams ON streams.number = claims.stream
UNION ALL
SELECT 'credential', item, NULL, NULL, NULL, NULL, NULL
FROM unnest($6::text[]) WITH ORDINALITY AS wanted (id, item)
JOIN credentials ON credentials.id = wanted.id
UNION ALL
SELECT 'event_key', item, NULL, NULL, NULL, NULL, NULL
FROM unnest($7::bigint[]) WITH ORDINALITY AS wanted (slot, item)
JOIN disclosures ON disclosures.event_key = wanted.slot";

/// Everything that the commits of a batch name.
pub(super) struct Wanted<'b> {
    streams: Vec<&'b StreamName>,
    commands: Vec<Uuid>,
    keys: Vec<&'b ClaimKey>,
    credentials: Vec<&'b str>,
    event_keys: Vec<u64>,
}

/// What the log holds of it.
pub(super) struct Facts {
    pub(super) tail: Tail,
    pub(super) fence: i64,
    pub(super) streams: HashMap<StreamName, Place>,
    pub(super) commands: HashMap<Uuid, RecordedCommand>,
    pub(super) holders: HashMap<ClaimKey, StreamName>,
    pub(super) credentials: HashSet<String>,
    pub(super) event_keys: HashSet<u64>,
}

impl<'b> Wanted<'b> {
    pub(super) fn of(batch: impl Iterator<Item = &'b PreparedCommit>, clock: &'b StreamName) -> Self {
        let mut streams = HashSet::from([clock]);
        let mut keys = HashSet::new();
        let mut wanted = Self {
            streams: Vec::new(),
            commands: Vec::new(),
            keys: Vec::new(),
            credentials: Vec::new(),
            event_keys: Vec::new(),
        };
        for commit in batch {
            wanted.commands.push(commit.command_id);
            streams.extend(commit.streams.iter().map(|stream| &stream.name));
            for change in &commit.claims {
                match change {
                    ClaimChange::Take { key, stream } => {
                        keys.insert(key);
                        streams.insert(stream);
                    }
                    ClaimChange::Release { key, .. } => {
                        keys.insert(key);
                    }
                    ClaimChange::ReleaseAll { stream, .. } => {
                        streams.insert(stream);
                    }
                }
            }
            wanted.credentials.extend(commit.credentials.iter().map(|credential| credential.id.as_str()));
            wanted.event_keys.extend(commit.disclosures.iter().filter_map(
                |disclosure| match disclosure.key {
                    DisclosureKey::Event(slot) => Some(slot),
                    DisclosureKey::Person(_) => None,
                },
            ));
        }
        wanted.streams.extend(streams);
        wanted.keys.extend(keys);
        wanted
    }

    pub(super) async fn read(&self, connection: &mut PgConnection) -> Result<Facts, ReadError> {
        let query = sqlx::query(FACTS)
            .bind(self.streams.iter().map(|stream| stream.category()).collect::<Vec<_>>())
            .bind(self.streams.iter().map(|stream| stream.id()).collect::<Vec<_>>())
            .bind(&self.commands)
            .bind(self.keys.iter().map(|key| key.namespace.as_str()).collect::<Vec<_>>())
            .bind(self.keys.iter().map(|key| key.key.as_str()).collect::<Vec<_>>())
            .bind(&self.credentials)
            .bind(self.event_keys.iter().map(|slot| as_i64(*slot)).collect::<Vec<_>>());
        let rows = query.fetch_all(connection).await.map_err(read_error)?;
        let head = rows.iter().find(|row| get(row, 0).is_ok_and(|fact: &str| fact == "head"));
        let head = head.ok_or_else(|| read_error(sqlx::Error::RowNotFound))?;
        let mut facts = Facts {
            tail: tail(head, 2)?,
            fence: get(head, 4)?,
            streams: HashMap::new(),
            commands: HashMap::new(),
            holders: HashMap::new(),
            credentials: HashSet::new(),
            event_keys: HashSet::new(),
        };
        for row in &rows {
            self.take(row, &mut facts)?;
        }
        Ok(facts)
    }

    fn take(&self, row: &PgRow, facts: &mut Facts) -> Result<(), ReadError> {
        let item = usize::try_from(number(row, 1)?).unwrap_or_default();
        let unasked = || read_error(sqlx::Error::RowNotFound);
        let index = item.wrapping_sub(1);
        match get(row, 0)? {
            "stream" => {
                let stream = *self.streams.get(index).ok_or_else(unasked)?;
                let place = Place { number: Some(get(row, 2)?), revision: Revision::new(number(row, 3)?) };
                facts.streams.insert(stream.clone(), place);
            }
            "command" => {
                let id = *self.commands.get(index).ok_or_else(unasked)?;
                facts.commands.insert(id, recorded_command(row, 2)?);
            }
            "claim" => {
                let key = *self.keys.get(index).ok_or_else(unasked)?;
                let holder = named_stream_of(row, 5, || Where::Row(format!("claim `{key}`")))?;
                facts.holders.insert(key.clone(), holder);
            }
            "credential" => {
                let id = *self.credentials.get(index).ok_or_else(unasked)?;
                facts.credentials.insert(id.to_owned());
            }
            "event_key" => {
                facts.event_keys.insert(*self.event_keys.get(index).ok_or_else(unasked)?);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The stream that every batch may have to write to.
pub(super) fn clock_stream() -> Result<StreamName, Failure> {
    Ok(CLOCK_STREAM.parse()?)
}
