//! Events, as the log holds them.

use std::collections::HashMap;

use app::{ChangedSince, PrivatePart};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, value::RawValue};
use store::{Envelope, Position, Revision};
use utoipa::ToSchema;

use crate::problem::{Kind, Problem};

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEvent {
    /// Its place in the whole log.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
    /// The entry, byte for byte as it was written and as the ledger hashes it.
    #[schema(value_type = Object)]
    pub(crate) entry: Box<RawValue>,
    /// What tells about people, only when it was asked for, by who may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) private: Option<Vec<OpenedPart>>,
}

/// A private part of an event, opened, or what became of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum OpenedPart {
    /// It can be read.
    Open {
        /// The digest that the entry commits to it with.
        digest: String,
        /// What it is: `contact`, `reason`, `source`, `member`.
        name: String,
        value: Value,
    },
    /// The person was erased, or the reason redacted.
    Erased {
        digest: String,
        /// Always true.
        erased: bool,
    },
}

impl AuditEvent {
    /// An event, without its private parts.
    pub(crate) fn new(position: Position, entry: &[u8]) -> Result<Self, Problem> {
        Self::parsed(position, entry).map_err(corrupt)
    }

    /// The same, for who tells of problems in another way.
    pub(super) fn parsed(position: Position, entry: &[u8]) -> Result<Self, serde_json::Error> {
        Ok(Self { position, entry: serde_json::from_slice(entry)?, private: None })
    }

    /// The entry, decoded.
    pub(crate) fn envelope(&self) -> Result<Envelope<'_>, Problem> {
        Envelope::parse(self.entry.get().as_bytes()).map_err(corrupt)
    }

    /// The digests of its private parts, in the order of the entry.
    pub(crate) fn digests(&self) -> Result<Vec<String>, Problem> {
        Ok(self.envelope()?.private.into_iter().map(std::borrow::Cow::into_owned).collect())
    }

    /// Puts in what was opened.
    pub(crate) fn disclose(&mut self, opened: &HashMap<String, PrivatePart>) -> Result<(), Problem> {
        let parts = self.digests()?.into_iter().map(|digest| match opened.get(&digest) {
            Some(PrivatePart::Open(part)) => {
                OpenedPart::Open { digest, name: part.name.clone(), value: part.value.clone() }
            }
            Some(PrivatePart::Erased) | None => OpenedPart::Erased { digest, erased: true },
        });
        self.private = Some(parts.collect());
        Ok(())
    }
}

/// The log has something in the place of an entry that is none.
pub(crate) fn corrupt(error: impl std::error::Error) -> Problem {
    Problem::new(Kind::Internal).because(error)
}

/// One event that an edit would have overwritten unseen.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    #[schema(value_type = u64)]
    revision: Revision,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who, by pseudonym.
    actor: String,
    /// The public data, old and new values among it.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<ChangedSince> for Changed {
    fn from(changed: ChangedSince) -> Self {
        let ChangedSince { revision, event_type, at, actor, data } = changed;
        Self { revision, event_type, at, actor, data }
    }
}
