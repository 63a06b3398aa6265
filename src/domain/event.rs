//! Events: what is stored for ever. A shape that has shipped is never edited: a change is a new version with an
//! upcaster in [`crate::upcast`] and a new golden file.

use serde::{Deserialize, Serialize};

use crate::{
    AdmissionEvent, ClientEvent, ClientTypeEvent, EnvironmentEvent, ErasureEvent, GrantEvent, LegalHoldEvent,
    MemberEvent, RoleEvent, ScopeEvent, SigningKeyEvent, aggregate::Named, upcast,
};

/// Old and new value of something that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change<T> {
    /// Before.
    pub old: T,
    /// After.
    pub new: T,
}

impl<T> Change<T> {
    /// From `old` to `new`.
    pub fn new(old: T, new: T) -> Self {
        Self { old, new }
    }
}

/// Why a stored event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No aggregate knows this type in this schema: the log was written by a newer binary.
    #[error("no event is called `{event_type}` in schema {event_version}")]
    Unknown {
        /// The type on the wire.
        event_type: String,
        /// The schema on the wire.
        event_version: u32,
    },
    /// The data does not fit the type's shape.
    #[error("data of `{event_type}` does not fit its schema")]
    Malformed {
        /// The type on the wire.
        event_type: String,
        /// What serde found.
        #[source]
        source: serde_json::Error,
    },
}

/// Declares an aggregate's events: one struct each, one wire name, one schema number.
macro_rules! events {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident($payload:ty) = $wire:literal, $version:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "type", content = "data")]
        pub enum $name { $($(#[$doc])* #[serde(rename = $wire)] $variant($payload),)+ }

        impl $name {
            /// Wire name and current schema of every event of this aggregate.
            pub const TYPES: &'static [(&'static str, u32)] = &[$(($wire, $version)),+];

            /// The data alone, as the entry holds it.
            ///
            /// # Errors
            /// Only if a payload cannot be written as JSON, which no payload of ours can fail to be.
            pub fn data(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $(Self::$variant(payload) => serde_json::to_value(payload)),+ }
            }

            /// The event of that wire name in its current schema; `None` if the aggregate has no such event.
            pub(crate) fn decode(event_type: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
                match event_type {
                    $($wire => Some(serde_json::from_str(data).map(Self::$variant)),)+
                    _ => None,
                }
            }
        }

        impl $crate::aggregate::Named for $name {
            fn event_type(&self) -> &'static str { match self { $(Self::$variant(_) => $wire),+ } }
            fn event_version(&self) -> u32 { match self { $(Self::$variant(_) => $version),+ } }
        }
    };
}
pub(crate) use events;

/// An event of any aggregate: what a projection is handed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Of a client.
    Client(ClientEvent),
    /// Of a member.
    Member(MemberEvent),
    /// Of an environment.
    Environment(EnvironmentEvent),
    /// Of a client type.
    ClientType(ClientTypeEvent),
    /// Of a scope.
    Scope(ScopeEvent),
    /// Of the list of erasures.
    Erasure(ErasureEvent),
    /// Of the list of legal holds.
    LegalHold(LegalHoldEvent),
    /// Of a role.
    Role(RoleEvent),
    /// Of the signing keys of an environment.
    SigningKey(SigningKeyEvent),
    /// Of a grant.
    Grant(GrantEvent),
    /// Of who may register clients in an environment.
    Admission(AdmissionEvent),
    /// Something the log or the service recorded about itself or about a request: it changes no aggregate.
    Registry(crate::registry::RegistryEvent),
}

macro_rules! from_events {
    ($($variant:ident($event:ty)),+) => {
        $(impl From<$event> for Event { fn from(event: $event) -> Self { Self::$variant(event) } })+

        impl Event {
            /// The wire name.
            pub fn event_type(&self) -> &'static str { match self { $(Self::$variant(event) => event.event_type()),+ } }

            /// The schema of that type.
            pub fn event_version(&self) -> u32 { match self { $(Self::$variant(event) => event.event_version()),+ } }

            /// The data alone, as the entry holds it.
            ///
            /// # Errors
            /// Only if a payload cannot be written as JSON, which no payload of ours can fail to be.
            pub fn data(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $(Self::$variant(event) => event.data()),+ }
            }

            /// Wire name and current schema of every event there is.
            pub fn types() -> impl Iterator<Item = (&'static str, u32)> {
                [$(<$event>::TYPES),+].into_iter().flatten().copied()
            }

            fn decode_current(event_type: &str, data: &str) -> Option<Result<Self, serde_json::Error>> {
                $(if let Some(decoded) = <$event>::decode(event_type, data) {
                    return Some(decoded.map(Self::$variant));
                })+
                None
            }
        }
    };
}
from_events!(
    Client(ClientEvent),
    Member(MemberEvent),
    Environment(EnvironmentEvent),
    ClientType(ClientTypeEvent),
    Scope(ScopeEvent),
    Erasure(ErasureEvent),
    LegalHold(LegalHoldEvent),
    Role(RoleEvent),
    SigningKey(SigningKeyEvent),
    Grant(GrantEvent),
    Admission(AdmissionEvent),
    Registry(crate::registry::RegistryEvent)
);

impl Event {
    /// Reads a stored event, whatever schema it was written in.
    ///
    /// # Errors
    /// [`DecodeError::Unknown`] for a type or schema this binary does not know, [`DecodeError::Malformed`] for
    /// data that does not fit. Neither may be skipped: a projection halts on both.
    pub fn decode(event_type: &str, event_version: u32, data: &str) -> Result<Self, DecodeError> {
        let unknown = || DecodeError::Unknown { event_type: event_type.to_owned(), event_version };
        let malformed = |source| DecodeError::Malformed { event_type: event_type.to_owned(), source };
        let current = Self::types().find(|(name, _)| *name == event_type).map(|(_, schema)| schema);
        if current == Some(event_version) {
            return Self::decode_current(event_type, data).ok_or_else(unknown)?.map_err(malformed);
        }
        let data = serde_json::from_str(data).map_err(malformed)?;
        let (event_type, data) = upcast::to_current(event_type, event_version, data).ok_or_else(unknown)?;
        Self::decode_current(&event_type, &data.to_string()).ok_or_else(unknown)?.map_err(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Event};

    #[test]
    fn a9_an_event_that_cannot_be_read_is_an_error() {
        let status = r#"{"status":{"new":"inactive","old":"active"}}"#;
        assert!(Event::decode("client.deactivated", 1, status).is_ok());
        for (event_type, schema) in
            [("client.deactivated", 2), ("client.deactivated", 0), ("client.exploded", 1), ("", 1)]
        {
            let unknown = Event::decode(event_type, schema, status);
            assert!(matches!(unknown, Err(DecodeError::Unknown { .. })), "{event_type} v{schema}");
        }
        for data in [
            "",
            "{}",
            "[]",
            r#"{"status":{"new":"inactive"}}"#,
            r#"{"status":{"new":"gone","old":"active"}}"#,
            r#"{"status":{"new":"inactive","old":"active"},"of_a_newer_shape":"x"}"#,
        ] {
            let malformed = Event::decode("client.deactivated", 1, data);
            assert!(matches!(malformed, Err(DecodeError::Malformed { .. })), "{data}");
        }
    }

    #[test]
    fn a10_each_wire_name_is_taken_once() {
        let mut names: Vec<_> = Event::types().map(|(name, _)| name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
