//! A commit on its way to the log: checked as far as it can be without the log, its entries written but for their place.

use std::collections::HashSet;

use uuid::Uuid;

use crate::canonical::CanonicalJson;
use crate::commit::{
    Actor, ActorKind, ClaimChange, Commit, Credential, Disclosure, DisclosureKey, LookupToken, Outcome,
    ProposedEvent, StreamCommit,
};
use crate::entry::EntryTemplate;
use crate::error::InvalidCommit;
use crate::position::{ExpectedRevision, MAX_INTEGER};
use crate::stream::StreamName;

/// The stream that tells of a wall clock gone back.
pub(crate) const CLOCK_STREAM: &str = "clock-wall";

/// The one type of its events.
pub(crate) const CLOCK_STEPPED: &str = "clock.stepped";

/// A valid commit, with entries that lack only time and revision. Made by whoever appends, so that the one writer
/// does nothing that many could do.
#[derive(Debug)]
pub(crate) struct PreparedCommit {
    pub(crate) command_id: Uuid,
    pub(crate) correlation_id: Uuid,
    pub(crate) request_id: String,
    /// The salt of the first event.
    salt: [u8; 16],
    /// How many events there are in all streams; never 0.
    pub(crate) events: u64,
    pub(crate) streams: Vec<PreparedStream>,
    pub(crate) claims: Vec<ClaimChange>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) destroyed_credentials: Vec<String>,
    pub(crate) disclosures: Vec<Disclosure>,
    pub(crate) lookup_tokens: Vec<LookupToken>,
    pub(crate) forgotten_persons: Vec<Uuid>,
}

#[derive(Debug)]
pub(crate) struct PreparedStream {
    pub(crate) name: StreamName,
    pub(crate) expected: ExpectedRevision,
    pub(crate) entries: Vec<EntryTemplate>,
}

impl PreparedCommit {
    /// Checks the commit against everything but the log, and writes its entries as far as possible.
    pub(crate) fn new(commit: Commit) -> Result<Self, InvalidCommit> {
        check_streams(&commit.streams)?;
        check_vault(&commit)?;
        let first =
            commit.streams.iter().find_map(|stream| stream.events.first()).ok_or(InvalidCommit::NoEvents)?;
        let salt = first.salt;
        let mut events = 0;
        let mut streams = Vec::with_capacity(commit.streams.len());
        for stream in &commit.streams {
            let mut entries = Vec::with_capacity(stream.events.len());
            for event in &stream.events {
                entries.push(EntryTemplate::new(&commit, stream, event)?);
                events += 1;
            }
            streams.push(PreparedStream { name: stream.stream.clone(), expected: stream.expected, entries });
        }
        Ok(Self {
            command_id: commit.command_id,
            correlation_id: commit.correlation_id,
            request_id: commit.request_id,
            salt,
            events,
            streams,
            claims: commit.claims,
            credentials: commit.credentials,
            destroyed_credentials: commit.destroyed_credentials,
            disclosures: commit.disclosures,
            lookup_tokens: commit.lookup_tokens,
            forgotten_persons: commit.forgotten_persons,
        })
    }

    /// A commit of nothing, to be given the rows that belong to entries recorded before.
    pub(crate) fn of_nothing(command_id: Uuid) -> Self {
        Self {
            command_id,
            correlation_id: command_id,
            request_id: String::new(),
            salt: [0; 16],
            events: 0,
            streams: Vec::new(),
            claims: Vec::new(),
            credentials: Vec::new(),
            destroyed_credentials: Vec::new(),
            disclosures: Vec::new(),
            lookup_tokens: Vec::new(),
            forgotten_persons: Vec::new(),
        }
    }

    /// As many bytes as the entries will have, at most.
    pub(crate) fn entry_bytes(&self) -> usize {
        self.streams.iter().flat_map(|stream| &stream.entries).map(EntryTemplate::max_bytes).sum()
    }

    /// The commit that tells of a wall clock that was found to have gone back when `self` was to be recorded.
    pub(crate) fn clock_stepped(
        &self,
        stream: StreamName,
        data: CanonicalJson,
    ) -> Result<Self, InvalidCommit> {
        let id = Uuid::new_v5(&self.command_id, CLOCK_STEPPED.as_bytes());
        // The log has no randomness of its own. A salt hashed from a random one is as unknown to whoever has not seen that.
        let salt = Uuid::new_v5(&Uuid::from_bytes(self.salt), id.as_bytes()).into_bytes();
        Self::new(Commit {
            command_id: id,
            correlation_id: self.correlation_id,
            causation_id: Some(self.command_id),
            request_id: self.request_id.clone(),
            request_digest: None,
            actor: Actor { id: "muniment".to_owned(), kind: ActorKind::System, via: None },
            ticket: None,
            streams: vec![StreamCommit {
                stream,
                expected: ExpectedRevision::Any,
                environment: None,
                responsible: None,
                events: vec![ProposedEvent {
                    id,
                    event_type: CLOCK_STEPPED.to_owned(),
                    event_version: 1,
                    data,
                    outcome: Outcome::Done,
                    private: Vec::new(),
                    salt,
                }],
            }],
            claims: Vec::new(),
            credentials: Vec::new(),
            destroyed_credentials: Vec::new(),
            disclosures: Vec::new(),
            lookup_tokens: Vec::new(),
            forgotten_persons: Vec::new(),
        })
    }
}

fn check_streams(streams: &[StreamCommit]) -> Result<(), InvalidCommit> {
    if let [_] = streams {
        return Ok(());
    }
    let mut seen = HashSet::with_capacity(streams.len());
    match streams.iter().find(|stream| !seen.insert(&stream.stream)) {
        Some(repeated) => Err(InvalidCommit::RepeatedStream(repeated.stream.clone())),
        None => Ok(()),
    }
}

fn check_vault(commit: &Commit) -> Result<(), InvalidCommit> {
    let mut ids: HashSet<&str> = commit.destroyed_credentials.iter().map(String::as_str).collect();
    if let Some(repeated) = commit.credentials.iter().find(|credential| !ids.insert(&credential.id)) {
        return Err(InvalidCommit::CredentialExists(repeated.id.clone()));
    }
    if commit.disclosures.is_empty() {
        return Ok(());
    }
    let events = commit.streams.iter().flat_map(|stream| &stream.events);
    let mut unclaimed: HashSet<&str> = events.flat_map(|event| &event.private).map(String::as_str).collect();
    let mut digests = HashSet::new();
    let mut slots = HashSet::new();
    for disclosure in &commit.disclosures {
        let digest = disclosure.digest.as_str();
        if !digests.insert(digest) {
            return Err(InvalidCommit::RepeatedDisclosure(digest.to_owned()));
        }
        if !unclaimed.remove(digest) {
            return Err(InvalidCommit::UnreferencedDisclosure(digest.to_owned()));
        }
        if let DisclosureKey::Event(slot) = disclosure.key {
            if !(1..=MAX_INTEGER).contains(&slot) {
                return Err(InvalidCommit::NoSuchSlot(slot));
            }
            if !slots.insert(slot) {
                return Err(InvalidCommit::EventKeyUsed(slot));
            }
        }
    }
    Ok(())
}
