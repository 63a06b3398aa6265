//! A batch of commits while it is decided: what the log holds, what was staged since, and all that is to be written.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::facts::Facts;
use crate::commit::{ClaimChange, ClaimKey, DisclosureKey, RecordedCommand};
use crate::position::{Position, Revision};
use crate::prepared::PreparedCommit;
use crate::rows::as_i64;
use crate::staging::{Failure, Ground, Place, StagedEvent};
use crate::stream::StreamName;
use crate::tail::Tail;

/// Commits decided against facts. The facts are kept up to date with what was staged.
pub(super) struct Batch {
    facts: Facts,
    expected: Tail,
    writes: Writes,
    /// The streams that got events, and where they are then.
    moved: Vec<(StreamName, Revision)>,
}

/// Rows by table, each column an array. What comes and goes within the batch is not among them.
#[derive(Default)]
struct Writes {
    streams: (Vec<i64>, Vec<String>, Vec<String>),
    events: (Vec<i64>, Vec<i64>, Vec<Vec<u8>>),
    commands: (Vec<Uuid>, Vec<i64>, Vec<i64>),
    released: HashSet<(StreamName, String)>,
    claims: HashSet<ClaimKey>,
    destroyed: HashSet<String>,
    credentials: BTreeMap<String, Vec<u8>>,
    disclosures: Vec<DisclosureRow>,
    forgotten: HashSet<Uuid>,
    tokens: Vec<TokenRow>,
}

struct DisclosureRow {
    command_position: i64,
    digest: String,
    person: Option<Uuid>,
    event_key: Option<i64>,
    sealed: Vec<u8>,
}

struct TokenRow {
    token: [u8; 16],
    person: Uuid,
    first: i64,
    last: i64,
}

impl Batch {
    pub(super) fn new(facts: Facts) -> Self {
        Self { expected: facts.tail, facts, writes: Writes::default(), moved: Vec::new() }
    }

    /// Where the log ends with the batch.
    pub(super) fn ends(&self) -> Tail {
        self.facts.tail
    }

    /// Where the log ended before.
    pub(super) fn begins(&self) -> Tail {
        self.expected
    }

    /// Whether no commit was accepted.
    pub(super) fn is_empty(&self) -> bool {
        self.moved.is_empty()
    }

    /// What the log holds with the batch, as far as it was named, and which streams the batch moved.
    pub(super) fn into_parts(self) -> (Facts, Vec<(StreamName, Revision)>) {
        (self.facts, self.moved)
    }

    /// Writes everything in one statement; `false` if the log is not where it was when the facts were read, and nothing
    /// was written.
    pub(super) async fn append(&mut self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let writes = std::mem::take(&mut self.writes);
        let (mut released_streams, mut released_namespaces) = (Vec::new(), Vec::new());
        for (stream, namespace) in writes.released {
            // A stream without a number holds nothing.
            if let Some(number) = self.number(&stream) {
                released_streams.push(number);
                released_namespaces.push(namespace);
            }
        }
        let (mut namespaces, mut keys, mut holders) = (Vec::new(), Vec::new(), Vec::new());
        for key in writes.claims {
            holders.push(self.facts.holders.get(&key).and_then(|holder| self.number(holder)));
            namespaces.push(key.namespace);
            keys.push(key.key);
        }
        let (credential_ids, sealed): (Vec<_>, Vec<_>) = writes.credentials.into_iter().unzip();
        let placeholders = (1..=30).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT append_to_log({placeholders})");
        sqlx::query_scalar(&sql)
            .bind(as_i64(self.expected.head.get()))
            .bind(self.facts.fence)
            .bind(self.facts.tail.last_at.map(Timestamp::as_microsecond))
            .bind(writes.streams.0)
            .bind(writes.streams.1)
            .bind(writes.streams.2)
            .bind(writes.events.0)
            .bind(writes.events.1)
            .bind(writes.events.2)
            .bind(writes.commands.0)
            .bind(writes.commands.1)
            .bind(writes.commands.2)
            .bind(released_streams)
            .bind(released_namespaces)
            .bind(namespaces)
            .bind(keys)
            .bind(holders)
            .bind(writes.destroyed.into_iter().collect::<Vec<_>>())
            .bind(credential_ids)
            .bind(sealed)
            .bind(column(&writes.disclosures, |row| row.command_position))
            .bind(column(&writes.disclosures, |row| row.digest.as_str()))
            .bind(column(&writes.disclosures, |row| row.person))
            .bind(column(&writes.disclosures, |row| row.event_key))
            .bind(column(&writes.disclosures, |row| row.sealed.as_slice()))
            .bind(writes.forgotten.into_iter().collect::<Vec<_>>())
            .bind(column(&writes.tokens, |row| row.token))
            .bind(column(&writes.tokens, |row| row.person))
            .bind(column(&writes.tokens, |row| row.first))
            .bind(column(&writes.tokens, |row| row.last))
            .fetch_one(connection)
            .await
    }

    fn number(&self, stream: &StreamName) -> Option<i64> {
        self.facts.streams.get(stream).and_then(|place| place.number)
    }

    fn change_claims(&mut self, changes: &[ClaimChange]) {
        for change in changes {
            match change {
                ClaimChange::Take { key, stream } => {
                    self.facts.holders.insert(key.clone(), stream.clone());
                    self.writes.claims.insert(key.clone());
                }
                ClaimChange::Release { key, .. } => {
                    self.facts.holders.remove(key);
                    self.writes.claims.insert(key.clone());
                }
                ClaimChange::ReleaseAll { namespace, stream } => {
                    // Of the keys that the batch names; the others are released in the table alone.
                    self.facts.holders.retain(|key, holder| key.namespace != *namespace || holder != stream);
                    self.writes.released.insert((stream.clone(), namespace.clone()));
                }
            }
        }
    }

    fn change_vault(&mut self, commit: &PreparedCommit, first: Position) {
        for id in &commit.destroyed_credentials {
            self.facts.credentials.remove(id);
            self.writes.credentials.remove(id);
            self.writes.destroyed.insert(id.clone());
        }
        for credential in &commit.credentials {
            self.facts.credentials.insert(credential.id.clone());
            self.writes.credentials.insert(credential.id.clone(), credential.sealed.clone());
        }
        for disclosure in &commit.disclosures {
            let (person, event_key) = match disclosure.key {
                DisclosureKey::Person(person) => (Some(person), None),
                DisclosureKey::Event(slot) => {
                    self.facts.event_keys.insert(slot);
                    (None, Some(as_i64(slot)))
                }
            };
            self.writes.disclosures.push(DisclosureRow {
                command_position: as_i64(first.get()),
                digest: disclosure.digest.clone(),
                person,
                event_key,
                sealed: disclosure.sealed.clone(),
            });
        }
    }

    fn change_tokens(&mut self, commit: &PreparedCommit, span: RecordedCommand) {
        let (first, last) = (as_i64(span.first_position.get()), as_i64(span.position.get()));
        for token in &commit.lookup_tokens {
            let person = token.person.unwrap_or_default();
            self.writes.tokens.push(TokenRow { token: token.token, person, first, last });
        }
        for person in &commit.forgotten_persons {
            self.writes.tokens.retain(|row| row.person != *person);
            self.writes.forgotten.insert(*person);
        }
    }
}

/// One column of rows, as an array.
fn column<'r, R, T>(rows: &'r [R], value: impl FnMut(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

impl Ground for Batch {
    fn tail(&mut self) -> &mut Tail {
        &mut self.facts.tail
    }

    fn place(&mut self, stream: &StreamName) -> Result<Place, Failure> {
        Ok(self.facts.streams.get(stream).copied().unwrap_or_default())
    }

    fn find_command(&mut self, id: Uuid) -> Result<Option<RecordedCommand>, Failure> {
        Ok(self.facts.commands.get(&id).copied())
    }

    fn holder(&mut self, key: &ClaimKey) -> Result<Option<StreamName>, Failure> {
        Ok(self.facts.holders.get(key).cloned())
    }

    fn has_credential(&mut self, id: &str) -> Result<bool, Failure> {
        Ok(self.facts.credentials.contains(id))
    }

    fn has_event_key(&mut self, slot: u64) -> Result<bool, Failure> {
        Ok(self.facts.event_keys.contains(&slot))
    }

    fn insert_command(&mut self, id: Uuid, span: RecordedCommand) -> Result<bool, Failure> {
        if self.facts.commands.contains_key(&id) {
            return Ok(false);
        }
        self.facts.commands.insert(id, span);
        let (ids, firsts, lasts) = &mut self.writes.commands;
        ids.push(id);
        firsts.push(as_i64(span.first_position.get()));
        lasts.push(as_i64(span.position.get()));
        Ok(true)
    }

    fn insert_stream(&mut self, name: &StreamName, position: Position) -> Result<i64, Failure> {
        let number = as_i64(position.get());
        let (numbers, categories, ids) = &mut self.writes.streams;
        numbers.push(number);
        categories.push(name.category().to_owned());
        ids.push(name.id().to_owned());
        Ok(number)
    }

    fn insert_event(&mut self, event: &StagedEvent<'_>) -> Result<(), Failure> {
        let mut entry = String::new();
        event.complete(&mut entry);
        let (streams, revisions, entries) = &mut self.writes.events;
        streams.push(event.stream_number);
        revisions.push(as_i64(event.revision.get()));
        entries.push(entry.into_bytes());
        Ok(())
    }

    fn moved(&mut self, name: &StreamName, place: Place) {
        self.facts.streams.insert(name.clone(), place);
        self.moved.push((name.clone(), place.revision));
    }

    fn insert_rest(&mut self, commit: &PreparedCommit, span: RecordedCommand) -> Result<(), Failure> {
        self.change_claims(&commit.claims);
        self.change_vault(commit, span.first_position);
        self.change_tokens(commit, span);
        Ok(())
    }
}
