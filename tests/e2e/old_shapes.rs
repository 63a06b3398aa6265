//! A log that an older release has begun: its events stay as they are, and mean what they meant.

use reqwest::Method;
use serde_json::{Value, json};
use store::{
    Actor, ActorKind, CanonicalJson, Commit, ExpectedRevision, Outcome, Position, ProposedEvent, StreamCommit,
};
use tests::{Service, http::CLIENTS, http::answer};
use uuid::Uuid;

/// Records events in the shape of schema 1, as another release writes them, and answers their entries.
pub(crate) async fn record(
    service: &Service,
    (stream, expected): (&str, ExpectedRevision),
    events: &[(&str, Value)],
) -> Vec<String> {
    let log = service.log();
    let before = log.head().await.expect("a head");
    let proposed = events.iter().enumerate().map(|(number, (event_type, data))| ProposedEvent {
        id: Uuid::from_u64_pair(before.get(), number as u64),
        event_type: (*event_type).to_owned(),
        event_version: 1,
        data: CanonicalJson::from_value(data).expect("canonical json"),
        outcome: Outcome::Done,
        private: Vec::new(),
        salt: [7; 16],
    });
    let streams = vec![StreamCommit {
        stream: stream.parse().expect("a stream"),
        expected,
        environment: None,
        responsible: None,
        events: proposed.collect(),
    }];
    log.append(Commit {
        command_id: Uuid::from_u64_pair(before.get(), u64::MAX),
        correlation_id: Uuid::nil(),
        causation_id: None,
        request_id: "old".to_owned(),
        request_digest: None,
        actor: Actor { id: "uid:0".to_owned(), kind: ActorKind::Host, via: None },
        ticket: None,
        streams,
        claims: Vec::new(),
        credentials: Vec::new(),
        destroyed_credentials: Vec::new(),
        disclosures: Vec::new(),
        lookup_tokens: Vec::new(),
        forgotten_persons: Vec::new(),
    })
    .await
    .expect("a commit");
    let entries = log.read_all(before, 10).await.expect("the events");
    log.close().await;
    entries.into_iter().map(|event| String::from_utf8(event.entry).expect("text")).collect()
}

#[tokio::test]
async fn a10_members_of_the_first_schema_are_served_and_shown_as_they_were_written() {
    let mut service = Service::start().await;
    service.stop().await;
    let member = Uuid::from_u128(0x0193_b4a2_7c00_7000_8000_0000_0000_0007);
    let changed = json!({ "old": ["auditor"], "new": ["auditor", "integration_manager"] });
    let events = [
        ("member.created", json!({ "roles": ["auditor"] })),
        ("member.roles_changed", json!({ "roles": changed })),
    ];
    let entries = record(&service, (&format!("member-{member}"), ExpectedRevision::NoStream), &events).await;
    assert!(entries[0].contains(r#""data":{"roles":["auditor"]}"#), "{}", entries[0]);
    service.launch().await;

    let read = service.get(&format!("/api/v1/members/{member}")).await.expect(200);
    assert_eq!(read.body["roles"], json!([{ "role": "auditor" }, { "role": "integration_manager" }]));
    let body = json!({ "label": "new", "expires_in_seconds": 60 });
    let token = service.post(&format!("/api/v1/members/{member}/tokens"), &body).await.expect(201);
    answer(service.request_as(token.text_of("/token"), Method::GET, CLIENTS)).await.expect(200);

    let first: Value = serde_json::from_str(&entries[0]).expect("json");
    let feed = tests::load::feed(&service, Position::ORIGIN.get()).await;
    let shown: Vec<_> = feed.iter().filter(|item| item["entry"]["stream"] == first["stream"]).collect();
    assert_eq!(shown[0]["entry"], first);
    for (item, entry) in shown.iter().zip(&entries) {
        let one = service.get(&format!("/api/v1/audit/events/{}", item["position"])).await.expect(200);
        assert!(one.text.contains(entry.as_str()), "byte for byte: {entry}");
        assert_eq!(item["entry"]["v"], 1);
    }
    assert_eq!(shown[2]["entry"]["v"], 2, "what is written now is of the newest schema");
    service.finish().await;
}
