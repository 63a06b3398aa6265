//! An event as it was recorded.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::commit::{ActorKind, Outcome};
use crate::position::{Position, Revision};
use crate::stream::StreamName;

/// An event of the log: its place, and its entry byte for byte as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the whole log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub revision: Revision,
    /// The canonical bytes: what the ledger hashes, what an auditor is given.
    pub entry: Vec<u8>,
}

/// An entry, decoded as far as the log understands it; texts are borrowed from the entry where they can be.
#[derive(Clone, Debug, Deserialize)]
pub struct Envelope<'a> {
    /// Who did it.
    #[serde(borrow)]
    pub actor: EnvelopeActor<'a>,
    /// The wall clock when it was recorded.
    pub at: Timestamp,
    /// The command or event that directly caused it.
    pub causation_id: Option<Uuid>,
    /// The commit it came in.
    pub command_id: Uuid,
    /// The same for everything that one request set going.
    pub correlation_id: Uuid,
    /// The fact, in the schema that `event_type` and `event_version` name.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// The environment of the stream.
    #[serde(borrow)]
    pub environment: Option<Cow<'a, str>>,
    /// Names the event for ever.
    pub id: Uuid,
    /// Whether it was done or refused.
    pub outcome: Outcome,
    /// Digests of the disclosures that belong to it.
    #[serde(borrow, default)]
    pub private: Vec<Cow<'a, str>>,
    /// A keyed digest of the request's body.
    #[serde(borrow)]
    pub request_digest: Option<Cow<'a, str>>,
    /// The request as the HTTP layer names it.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    /// The member who made the client that the event is about.
    #[serde(borrow)]
    pub responsible: Option<Cow<'a, str>>,
    /// The place in the stream.
    pub revision: Revision,
    /// 128 random bits, base64url.
    #[serde(borrow)]
    pub salt: Cow<'a, str>,
    /// The name of the stream.
    #[serde(borrow)]
    pub stream: Cow<'a, str>,
    /// The public reference to a case elsewhere.
    #[serde(borrow)]
    pub ticket: Option<Cow<'a, str>>,
    /// `noun.past_tense`.
    #[serde(borrow, rename = "type")]
    pub event_type: Cow<'a, str>,
    /// The schema of `data`, from 1.
    #[serde(rename = "v")]
    pub event_version: u32,
}

/// Who caused an event, as the entry has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct EnvelopeActor<'a> {
    /// Which one of that kind; pseudonymous.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// What kind of actor.
    pub kind: ActorKind,
    /// The credential it acted through.
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub via: Option<Cow<'a, str>>,
}

/// Bytes in the place of an entry that are none.
#[derive(Debug, thiserror::Error)]
#[error("decoding an entry")]
pub struct CorruptEntry(#[from] serde_json::Error);

impl RecordedEvent {
    /// The entry, decoded; `data` stays text.
    ///
    /// # Errors
    /// When the entry is not what the log writes, which means that it was changed.
    pub fn envelope(&self) -> Result<Envelope<'_>, CorruptEntry> {
        Envelope::parse(&self.entry)
    }
}

impl<'a> Envelope<'a> {
    /// The entry, decoded; `data` stays text.
    ///
    /// # Errors
    /// As [`RecordedEvent::envelope`].
    pub fn parse(entry: &'a [u8]) -> Result<Self, CorruptEntry> {
        Ok(serde_json::from_slice(entry)?)
    }
}
