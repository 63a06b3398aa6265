//! Commits to check with.

use uuid::Uuid;

use crate::canonical::CanonicalJson;
use crate::commit::{
    Actor, ActorKind, ClaimKey, Commit, Credential, Disclosure, DisclosureKey, Outcome, ProposedEvent,
    StreamCommit,
};
use crate::position::ExpectedRevision;
use crate::stream::StreamName;

/// A stream `client-<id>`.
#[must_use]
pub fn stream(id: &str) -> StreamName {
    StreamName::new("client", id).unwrap()
}

/// A key in the namespace of names.
#[must_use]
pub fn key(key: &str) -> ClaimKey {
    ClaimKey { namespace: "name".to_owned(), key: key.to_owned() }
}

/// An event; `number` makes it different from others.
#[must_use]
pub fn event(number: u64) -> ProposedEvent {
    ProposedEvent {
        id: Uuid::from_u128(u128::from(number) | 0xe << 120),
        event_type: "client.renamed".to_owned(),
        event_version: 1,
        data: CanonicalJson::from_value(
            &serde_json::json!({"from": "a", "number": number, "to": "Zoë \u{1f600}\n"}),
        )
        .unwrap(),
        outcome: Outcome::Done,
        private: Vec::new(),
        salt: [7; 16],
    }
}

/// What a commit does to one stream: as many events as `numbers`.
#[must_use]
pub fn to(stream: StreamName, expected: ExpectedRevision, numbers: &[u64]) -> StreamCommit {
    let events = numbers.iter().copied().map(event).collect();
    StreamCommit { stream, expected, environment: Some("sandbox".to_owned()), responsible: None, events }
}

/// A commit to streams; `command` makes it different from others.
#[must_use]
pub fn commit(command: u64, streams: Vec<StreamCommit>) -> Commit {
    Commit {
        command_id: command_id(command),
        correlation_id: Uuid::from_u128(u128::from(command) | 0xb << 120),
        causation_id: None,
        request_id: format!("request \"{command}\""),
        request_digest: None,
        actor: Actor { id: "0193".to_owned(), kind: ActorKind::Member, via: None },
        ticket: None,
        streams,
        claims: Vec::new(),
        credentials: Vec::new(),
        destroyed_credentials: Vec::new(),
        disclosures: Vec::new(),
        lookup_tokens: Vec::new(),
        forgotten_persons: Vec::new(),
    }
}

/// A commit of one event, whatever the stream is at.
#[must_use]
pub fn one(command: u64, id: &str) -> Commit {
    commit(command, vec![to(stream(id), ExpectedRevision::Any, &[command])])
}

/// The id of a command by its number.
#[must_use]
pub fn command_id(command: u64) -> Uuid {
    Uuid::from_u128(u128::from(command) | 0xc << 120)
}

/// A credential.
#[must_use]
pub fn credential(id: &str) -> Credential {
    Credential { id: id.to_owned(), sealed: format!("sealed {id}").into_bytes() }
}

/// A disclosure.
#[must_use]
pub fn disclosure(digest: &str, key: DisclosureKey) -> Disclosure {
    Disclosure { digest: digest.to_owned(), key, sealed: format!("sealed {digest}").into_bytes() }
}

/// A commit of everything that an entry can hold.
#[must_use]
pub fn complete() -> Commit {
    let mut whole = commit(0x42, vec![to(stream("0193a"), ExpectedRevision::NoStream, &[1])]);
    whole.causation_id = Some(Uuid::from_u128(0x0193_0000_0000_7000_8000_0000_0000_0001));
    whole.request_digest = Some("2TQMHxzBhSm0Tz3ZSDTbvoAqCQfSUcFuGo2CQFBjpYU".to_owned());
    whole.actor.via = Some("token:0193b".to_owned());
    whole.ticket = Some("INC-42".to_owned());
    whole.streams[0].responsible = Some("0193c".to_owned());
    whole.streams[0].events[0].salt = *b"sixteen bytes ok";
    whole.streams[0].events[0].private =
        vec!["29JNQIxrpgiSeouTzCaVeodb3tNdbprq5okimTKfhE4".to_owned(), "second".to_owned()];
    whole
}
