//! What is handed to the log, all or nothing, and what it answers.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::canonical::CanonicalJson;
use crate::position::{ExpectedRevision, Position, Revision};
use crate::stream::StreamName;

/// One durable, indivisible change: events of several streams, claims on unique keys, and rows of the vault.
///
/// Events are recorded in the order of `streams`, and of each one's `events`. A commit holds at least one event, so
/// that nothing changes without a trace, and names a stream at most once.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Names this commit for ever: a second commit with the same id is answered with where the first one stands.
    pub command_id: Uuid,
    /// The same for everything that one request set going.
    pub correlation_id: Uuid,
    /// The command or event that directly caused this one.
    pub causation_id: Option<Uuid>,
    /// The request as the HTTP layer names it.
    pub request_id: String,
    /// A keyed digest of the request's body, by which a replay with another body is told apart.
    pub request_digest: Option<String>,
    /// Who did it.
    pub actor: Actor,
    /// The public reference to a case elsewhere.
    pub ticket: Option<String>,
    /// Expectations of streams, and their new events.
    pub streams: Vec<StreamCommit>,
    /// Unique keys taken and released, in this order: releasing before taking moves a key.
    pub claims: Vec<ClaimChange>,
    /// New credentials of the vault. An id that exists already is refused.
    pub credentials: Vec<Credential>,
    /// Ids of credentials to overwrite and remove; one that is not there is no error.
    pub destroyed_credentials: Vec<String>,
    /// New disclosures of the vault. Each digest stands in the `private` of an event of this commit.
    pub disclosures: Vec<Disclosure>,
    /// Tokens by which the events of this commit are found again.
    pub lookup_tokens: Vec<LookupToken>,
    /// Persons whose lookup tokens are removed, those of this commit too.
    pub forgotten_persons: Vec<Uuid>,
}

/// The part of a commit that belongs to one stream. Without events it only checks the expectation.
#[derive(Clone, Debug)]
pub struct StreamCommit {
    /// The stream.
    pub stream: StreamName,
    /// What it must be at for the commit to happen.
    pub expected: ExpectedRevision,
    /// The environment it belongs to, if it belongs to one.
    pub environment: Option<String>,
    /// The member who made the client that the events are about.
    pub responsible: Option<String>,
    /// New events, in order.
    pub events: Vec<ProposedEvent>,
}

/// An event before it is recorded. `revision`, `at` and its position are given by the log.
#[derive(Clone, Debug)]
pub struct ProposedEvent {
    /// Names the event for ever.
    pub id: Uuid,
    /// `noun.past_tense`.
    pub event_type: String,
    /// The schema of `data`, from 1.
    pub event_version: u32,
    /// The fact.
    pub data: CanonicalJson,
    /// Whether it was done, or asked for and refused.
    pub outcome: Outcome,
    /// Digests of the disclosures that tell about a person.
    pub private: Vec<String>,
    /// 128 random bits, so that a leaf hash of the ledger confirms no guess about the entry.
    pub salt: [u8; 16],
}

/// Who caused an event. Ids are pseudonymous; address and user agent are disclosures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// Which one of that kind.
    pub id: String,
    /// What kind of actor.
    pub kind: ActorKind,
    /// The credential it acted through, `token:<id>` for instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// The kinds of actors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A person with an account.
    Member,
    /// An OAuth client.
    Client,
    /// Somebody at the command line of the host; the id is the uid.
    Host,
    /// Muniment itself.
    System,
    /// Nobody who said who they are.
    Anonymous,
}

/// Whether what an event tells of happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It happened.
    Done,
    /// It was asked for and refused.
    Refused,
}

impl Outcome {
    /// The name in entries and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// A key that one stream at most may hold: a unique name, a singleton.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimKey {
    /// Which set of keys, `client_name:sandbox` for instance.
    pub namespace: String,
    /// The key, already folded to the form in which it is unique.
    pub key: String,
}

/// A change of who holds a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimChange {
    /// `stream` holds `key` from now on. No change if it does already.
    Take {
        /// The key.
        key: ClaimKey,
        /// Its holder to be.
        stream: StreamName,
    },
    /// `stream` gives `key` up, which it must hold.
    Release {
        /// The key.
        key: ClaimKey,
        /// Its holder until now.
        stream: StreamName,
    },
    /// `stream` gives up whatever it holds in `namespace`; nothing is no error. For keys that were folded: who releases
    /// one by its name may fold that differently from who took it.
    ReleaseAll {
        /// The namespace of the keys.
        namespace: String,
        /// Their holder until now.
        stream: StreamName,
    },
}

/// A sealed verifier or secret of the vault.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The secret's id.
    pub id: String,
    /// The sealed value; the store cannot open it.
    pub sealed: Vec<u8>,
}

/// A sealed private part of an event.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// The digest by which an entry refers to it.
    pub digest: String,
    /// Which key it is sealed under: deleting that key erases it.
    pub key: DisclosureKey,
    /// The sealed value; the store cannot open it.
    pub sealed: Vec<u8>,
}

/// A keyed token of something personal, such as an address: who holds the key finds its events, and nobody else can tell
/// what it is a token of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LookupToken {
    /// The token.
    pub token: [u8; 16],
    /// Whom it tells about: removed with that person.
    pub person: Option<Uuid>,
}

/// Which disclosure: one that an event refers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DisclosureRef {
    /// Where the event stands.
    pub position: Position,
    /// The digest in its `private`.
    pub digest: String,
}

/// Which key of the key store a disclosure is sealed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisclosureKey {
    /// The key of a person: erased with the person.
    Person(Uuid),
    /// The key in this slot, used for one disclosure only: redacted alone.
    Event(u64),
}

/// Where a commit stands in the log, which it does durably.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The position of its first event.
    pub first_position: Position,
    /// The position of its last event; the ones between are all its own.
    pub position: Position,
    /// The time that its entries carry.
    pub at: Timestamp,
    /// For each of its streams, in the commit's order, the revision after it.
    pub revisions: Vec<(StreamName, Revision)>,
}

/// Where the commit with a known command id stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordedCommand {
    /// The position of its first event.
    pub first_position: Position,
    /// The position of its last event.
    pub position: Position,
}

impl fmt::Display for ClaimKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.key)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Credential({}, {} bytes)", self.id, self.sealed.len())
    }
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Disclosure({}, {:?}, {} bytes)", self.digest, self.key, self.sealed.len())
    }
}
