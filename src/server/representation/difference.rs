//! What became of a client between two moments.

use domain::ClientId;
use jiff::Timestamp;
use projections::as_of::{self, ClientDifference};
use serde::Serialize;
use serde_json::Value;
use store::Revision;
use utoipa::ToSchema;

use super::{AuditEvent, Secret};

/// What became of a client between two moments.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    from: Side,
    to: Side,
    /// The fields that differ.
    changes: Vec<FieldChange>,
    /// Secrets that it has only at the later moment.
    secrets_added: Vec<Secret>,
    /// Secrets that worked or were to work at the earlier moment, and do not at the later one.
    secrets_ended: Vec<Secret>,
    /// What happened between them, in the order of the log; the first 500.
    events: Vec<AuditEvent>,
    /// Whether there are more than these.
    more: bool,
}

/// A client at one of the moments.
#[derive(Debug, Serialize, ToSchema)]
struct Side {
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// 0 if it did not exist yet.
    #[schema(value_type = u64)]
    revision: Revision,
}

/// A field that differs; null on the side where it did not exist.
#[derive(Debug, Serialize, ToSchema)]
struct FieldChange {
    field: String,
    old: Value,
    new: Value,
}

impl Difference {
    /// Events that are shown; the history of the client has all of them.
    pub const MOST_EVENTS: usize = 500;
}

impl TryFrom<ClientDifference> for Difference {
    /// An entry of the log is none.
    type Error = serde_json::Error;

    fn try_from(found: ClientDifference) -> Result<Self, Self::Error> {
        let at = found.to.at;
        let changes = found.changes().into_iter();
        let shown = |secrets: Vec<&domain::client::Secret>| {
            secrets.into_iter().map(|secret| Secret::new(secret, at)).collect()
        };
        Ok(Self {
            client_id: found.client_id,
            from: Side::from(&found.from),
            to: Side::from(&found.to),
            changes: changes.map(FieldChange::from).collect(),
            secrets_added: shown(found.secrets_added()),
            secrets_ended: shown(found.secrets_ended()),
            events: found
                .events
                .iter()
                .map(|event| AuditEvent::parsed(event.position, &event.entry))
                .collect::<Result<_, _>>()?,
            more: found.more,
        })
    }
}

impl From<&as_of::Side> for Side {
    fn from(side: &as_of::Side) -> Self {
        Self { at: side.at, revision: side.revision() }
    }
}

impl From<as_of::FieldChange> for FieldChange {
    fn from(as_of::FieldChange { field, old, new }: as_of::FieldChange) -> Self {
        Self { field, old, new }
    }
}
