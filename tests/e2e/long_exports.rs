//! An export that is more than any buffer holds: what it takes of memory, and when it ends before its time.
//!
//! `tests/load/scale` demands the same memory of a million events and more.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use store::{
    Actor, ActorKind, CanonicalJson, Commit, ExpectedRevision, Outcome, ProposedEvent, StreamCommit,
};
use tests::Service;
use uuid::Uuid;

const EXPORT: &str = "/api/v1/audit/export";
const EVENTS: u64 = 10_000;
/// Events of one commit.
const AT_ONCE: u64 = 1_000;
/// A long one, so that few events are many bytes; views keep no more of it than a hash.
const REQUEST_ID: usize = 4_000;
/// What an export may take, in KiB. All entries together are more than four times that.
const MOST: u64 = 10 * 1024;

/// Notes that somebody read the audit: no view but the audit's has anything to fold of them.
fn notes(number: u64) -> Commit {
    let data = CanonicalJson::from_value(&json!({ "what": "audit.events", "coalesced_seconds": 900 }));
    let data = data.expect("JSON");
    let event = |place| ProposedEvent {
        id: Uuid::from_u64_pair(number, place),
        event_type: "audit.read".to_owned(),
        event_version: 1,
        data: data.clone(),
        outcome: Outcome::Done,
        private: Vec::new(),
        salt: Uuid::from_u64_pair(place, number).into_bytes(),
    };
    let stream = StreamCommit {
        stream: "note-load".parse().expect("a name"),
        expected: ExpectedRevision::Any,
        environment: None,
        responsible: None,
        events: (0..AT_ONCE).map(event).collect(),
    };
    Commit {
        command_id: Uuid::from_u64_pair(number, AT_ONCE),
        correlation_id: Uuid::from_u64_pair(number, AT_ONCE + 1),
        causation_id: None,
        request_id: format!("{number:0>REQUEST_ID$}"),
        request_digest: None,
        actor: Actor { id: "load".to_owned(), kind: ActorKind::System, via: None },
        ticket: None,
        streams: vec![stream],
        claims: Vec::new(),
        credentials: Vec::new(),
        destroyed_credentials: Vec::new(),
        disclosures: Vec::new(),
        lookup_tokens: Vec::new(),
        forgotten_persons: Vec::new(),
    }
}

/// A service whose log is longer than any buffer between it and a reader.
async fn filled() -> Service {
    let mut service = Service::start().await;
    service.stop().await;
    let log = service.log();
    for number in 1..=EVENTS / AT_ONCE {
        log.append(notes(number)).await.expect("it is recorded");
    }
    log.close().await;
    drop(log);
    service.launch().await;
    service
}

#[tokio::test]
async fn a5_an_export_ends_without_its_last_record_when_its_token_is_revoked() {
    let service = filled().await;
    let (member, token) = service.create_member("Brief Auditor", &["auditor"]).await;
    let mut export = service.request_as(&token, Method::GET, EXPORT).send().await.expect("an answer");
    export.chunk().await.expect("a chunk").expect("the beginning");
    let id = token.split('_').nth(1).expect("the id of a token");
    service.delete(&format!("/api/v1/members/{member}/tokens/{id}")).await.expect(200);
    // Longer than it goes on without looking at the token again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let rest = async {
        while export.chunk().await?.is_some() {}
        Ok::<_, reqwest::Error>(())
    };
    assert!(rest.await.is_err(), "it was told to its end");
    service.finish().await;
}

#[tokio::test]
async fn a5_an_export_is_never_in_memory_as_a_whole() {
    let service = filled().await;
    // A small one first, once the views have folded what is new to them.
    while service.get(&format!("{EXPORT}?type=member.*")).await.status != 200 {}
    let before = service.allocated();
    let mut most = before;
    let mut answer = service.request(Method::GET, EXPORT).send().await.expect("an answer");
    let (mut bytes, mut lines) = (0, 0);
    while let Some(chunk) = answer.chunk().await.expect("a chunk") {
        if bytes >> 20 != (bytes + chunk.len()) >> 20 {
            most = most.max(service.allocated());
        }
        bytes += chunk.len();
        lines += chunk.iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    assert!(lines > EVENTS && bytes as u64 > 4 * MOST * 1024, "{lines} lines, {bytes} bytes");
    assert!(most < before + MOST, "{before} KiB before, {most} KiB meanwhile");
    service.finish().await;
}
