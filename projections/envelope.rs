//! The part of an entry that views look at.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use store::{Outcome, Revision};

/// An entry, decoded as far as views need it: a rebuild reads millions of them, and half of an entry is ids, salt and
/// digests that no view shows. Texts are borrowed from the entry wherever they hold no escape.
#[derive(Clone, Debug, Deserialize)]
pub struct Envelope<'a> {
    /// Who did it.
    #[serde(borrow)]
    pub actor: EnvelopeActor<'a>,
    /// When it was recorded.
    pub at: Timestamp,
    /// The same for everything that one outside request set going.
    #[serde(borrow)]
    pub correlation_id: Cow<'a, str>,
    /// The fact, in the schema that `event_type` and `event_version` name.
    #[serde(borrow)]
    pub data: &'a RawValue,
    #[serde(borrow)]
    environment: Option<Text<'a>>,
    /// Whether it was done or refused.
    pub outcome: Outcome,
    /// The request as the HTTP layer names it.
    #[serde(borrow)]
    pub request_id: Cow<'a, str>,
    #[serde(borrow)]
    responsible: Option<Text<'a>>,
    /// The place in the stream.
    pub revision: Revision,
    /// The name of the stream.
    #[serde(borrow)]
    pub stream: Cow<'a, str>,
    #[serde(borrow)]
    ticket: Option<Text<'a>>,
    /// `noun.past_tense`.
    #[serde(borrow, rename = "type")]
    pub event_type: Cow<'a, str>,
    /// The schema of `data`, from 1.
    #[serde(rename = "v")]
    pub event_version: u32,
}

/// Who caused an event.
#[derive(Clone, Debug, Deserialize)]
pub struct EnvelopeActor<'a> {
    /// Which one; pseudonymous.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
}

/// A text that is borrowed even inside an `Option`, where serde would copy a bare `Cow`.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Envelope<'a> {
    /// The entry, decoded; `data` stays text.
    pub(crate) fn parse(entry: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(entry)
    }

    /// The environment of the stream.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_ref().map(|text| &*text.0)
    }

    /// The member who made the client that the event is about.
    #[must_use]
    pub fn responsible(&self) -> Option<&str> {
        self.responsible.as_ref().map(|text| &*text.0)
    }

    /// The public reference to a case elsewhere.
    #[must_use]
    pub fn ticket(&self) -> Option<&str> {
        self.ticket.as_ref().map(|text| &*text.0)
    }
}
