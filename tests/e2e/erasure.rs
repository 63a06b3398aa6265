//! Erasing people, redacting reasons, and the legal holds that win over both.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service, client_body,
    http::{Answer, CLIENTS, answer},
};

const WHY: &str = "the canary wrote this reason";

/// A client with a contact and a reason of its own; answers the path, the contact's pseudonym, and the position.
async fn client(service: &Service, client_name: &str, email: &str) -> (String, String, u64) {
    let mut body = client_body(client_name);
    body["contacts"] = json!([{ "name": "Canary Contact", "email": email }]);
    body["reason"] = json!(WHY);
    let created = service.post(CLIENTS, &body).await.expect(201);
    let person = created.text_of("/contacts/0/id").to_owned();
    let path = format!("{CLIENTS}/{}", created.text_of("/client_id"));
    (path, person, created.body["position"].as_u64().expect("a position"))
}

async fn erase(service: &Service, person: &str) -> Answer {
    let body = json!({ "ticket": "GDPR-1", "reason": "asked for it" });
    service.post(&format!("/api/v1/persons/{person}/erase"), &body).await
}

async fn redact(service: &Service, position: u64) -> Answer {
    let body = json!({ "ticket": "GDPR-2" });
    service.post(&format!("/api/v1/audit/events/{position}/redact_reason"), &body).await
}

async fn hold(service: &Service, subject: Value) -> Answer {
    let body = json!({ "subject": subject, "ticket": "CASE-7", "reason": "litigation" });
    service.post("/api/v1/legal_holds", &body).await
}

#[tokio::test]
async fn a3_a_contact_can_be_erased_and_every_proof_stays_valid() {
    let mut service = Service::start().await;
    let (path, person, position) = client(&service, "Matter sync", "canary@erasure.example").await;
    let named = service.get(&format!("{path}?include=private")).await.expect(200);
    assert_eq!(named.text_of("/contacts/0/email"), "canary@erasure.example");
    let before = service.get(&format!("/api/v1/audit/events/{position}")).await.expect(200);

    let erased = erase(&service, &person).await.expect(200);
    assert_eq!(erased.body["erased"], true);
    let held = service.get(&format!("/api/v1/persons/{person}")).await.expect(200);
    assert_eq!((&held.body["erased"], &held.body["clients"][0]["now"]), (&json!(true), &json!(true)));
    let named = service.get(&format!("{path}?include=private")).await.expect(200);
    assert_eq!(named.body["contacts"], json!([{ "id": person, "erased": true }]));
    let after = service.get(&format!("/api/v1/audit/events/{position}")).await.expect(200);
    assert_eq!(before.body["entry"], after.body["entry"], "the entry stays what it was");
    let history = service.get(&format!("{path}/history?include=private")).await.expect(200);
    assert!(!history.text.contains("canary@erasure.example"));
    assert!(history.text.contains("\"erased\":true"));
    erase(&service, &person).await.expect(200);
    let found = service.get("/api/v1/audit/events?type=person.erased&ticket=GDPR-1").await.expect(200);
    assert_eq!(found.body["items"].as_array().map(Vec::len), Some(1), "erasing twice is one event");
    let about = service.get(&format!("/api/v1/audit/events?subject=person-{person}")).await.expect(200);
    assert_eq!(about.body["items"], found.body["items"], "it is found by whom it is about");
    service.verify();

    // Who comes back is somebody new.
    let (_, again, _) = client(&service, "Another", "canary@erasure.example").await;
    assert_ne!(again, person);
    erase(&service, "0193b4a2-7c00-7000-8000-000000000001").await.expect_problem(404, "not_found");

    // A back-up of the keys brings nothing back.
    let (_, third, _) = client(&service, "Third", "third@erasure.example").await;
    service.stop().await;
    let keys = service.data().join("keys.db");
    let copy = std::fs::read(&keys).expect("the keys");
    service.launch().await;
    // Without a reason: that would be sealed under a key which the copy does not have, and the copy would be refused.
    service.post(&format!("/api/v1/persons/{third}/erase"), &json!({})).await.expect(200);
    service.stop().await;
    std::fs::write(&keys, copy).expect("the keys");
    service.launch().await;
    let audit = service.get("/api/v1/audit/events?type=client.created&include=private").await.expect(200);
    assert!(!audit.text.contains("third@erasure.example"), "still erased");
    service.finish().await;
}

#[tokio::test]
async fn a3_a_member_can_be_erased_once_it_was_deactivated() {
    let service = Service::start().await;
    let (member, token) = service.create_member("Ada Lovelace", &["auditor"]).await;
    let read = || answer(service.request_as(&token, Method::GET, "/api/v1/me"));
    let token_id = read().await.expect(200).text_of("/token_id").to_owned();
    erase(&service, &member).await.expect_problem(409, "member_active");
    service.delete(&format!("/api/v1/members/{member}/tokens/{token_id}")).await.expect(200);
    // It could be given another token: only who was deactivated stays as it is.
    let active = erase(&service, &member).await.expect_problem(409, "member_active");
    assert_eq!(active.body["detail"], "the member is active: deactivate it first");
    service.post(&format!("/api/v1/members/{member}/deactivate"), &json!({})).await.expect(200);
    erase(&service, &member).await.expect(200);
    let audit = service.get("/api/v1/audit/events?include=private&limit=500").await.expect(200);
    assert!(!audit.text.contains("Ada Lovelace"));
    // The address is free again.
    let (again, _) = service.create_member("Ada Lovelace", &["auditor"]).await;
    assert_ne!(again, member);
    let (_, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let path = format!("/api/v1/persons/{again}/erase");
    let refused = answer(service.request_as(&auditor, Method::POST, &path).json(&json!({})));
    refused.await.expect_problem(403, "permission_denied");
    service.finish().await;
}

#[tokio::test]
async fn a3_the_reason_of_an_event_can_be_redacted() {
    let service = Service::start().await;
    let (path, _, position) = client(&service, "Matter sync", "canary@erasure.example").await;
    let history = format!("{path}/history?include=private");
    assert!(service.get(&history).await.expect(200).text.contains(WHY));
    redact(&service, position).await.expect(200);
    redact(&service, position).await.expect(200);
    let redacted = service.get(&history).await.expect(200);
    assert!(!redacted.text.contains(WHY));
    assert!(redacted.text.contains("canary@erasure.example"), "the reason alone");
    redact(&service, 1).await.expect_problem(404, "not_found");
    redact(&service, 100_000).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn a11_a_legal_hold_wins_over_erasure_and_redaction() {
    let service = Service::start().await;
    let (path, person, position) = client(&service, "Matter sync", "canary@erasure.example").await;
    let client_id = path.rsplit('/').next().expect("an id");
    // Whom the client named once is covered, too.
    let contacts = json!({ "contacts": [{ "name": "Other", "email": "other@erasure.example" }] });
    service.patch(&path, "*", &contacts).await.expect(200);
    let held = hold(&service, json!({ "client_id": client_id })).await.expect(201);
    let id = held.text_of("/legal_hold_id").to_owned();
    assert_eq!(held.header("location"), format!("/api/v1/legal_holds/{id}"));
    for refused in [erase(&service, &person).await, redact(&service, position).await] {
        let refused = refused.expect_problem(409, "legal_hold");
        assert_eq!((refused.text_of("/legal_hold_id"), refused.text_of("/ticket")), (&*id, "CASE-7"));
    }
    let held = service.get(&format!("/api/v1/persons/{person}")).await.expect(200);
    assert_eq!(held.body["clients"], json!([{ "client_id": client_id, "now": false }]));
    assert_eq!(held.body["legal_hold"]["legal_hold_id"], *id);
    // Somebody else is not.
    let (_, other, _) = client(&service, "Another", "another@erasure.example").await;
    erase(&service, &other).await.expect(200);
    hold(&service, json!({ "person_id": other })).await.expect_problem(409, "person_erased");

    let everything = hold(&service, json!({ "everything": true })).await.expect(201);
    let release = format!("/api/v1/legal_holds/{id}/release");
    service.post(&release, &json!({ "reason": "settled" })).await.expect(200);
    service.post(&release, &json!({})).await.expect_problem(409, "legal_hold_released");
    let refused = erase(&service, &person).await.expect_problem(409, "legal_hold");
    assert_eq!(refused.body["legal_hold_id"], everything.body["legal_hold_id"]);
    let active = service.get("/api/v1/legal_holds?active=true").await.expect(200);
    assert_eq!(active.body["items"].as_array().map(Vec::len), Some(1));
    let first = service.get("/api/v1/legal_holds?limit=1").await.expect(200);
    assert_eq!(first.body["items"][0]["legal_hold_id"], everything.body["legal_hold_id"]);
    let next = format!("/api/v1/legal_holds?limit=1&cursor={}", first.text_of("/next"));
    let second = service.get(&next).await.expect(200);
    assert_eq!(second.text_of("/items/0/legal_hold_id"), id);
    assert_eq!(second.body["next"], Value::Null);
    let one = service.get(&format!("/api/v1/legal_holds/{id}")).await.expect(200);
    assert_eq!(one.body["active"], false);

    let everything = everything.text_of("/legal_hold_id");
    service.post(&format!("/api/v1/legal_holds/{everything}/release"), &json!({})).await.expect(200);
    erase(&service, &person).await.expect(200);
    redact(&service, position).await.expect(200);
    let bad = service.post("/api/v1/legal_holds", &json!({ "subject": {} })).await;
    let bad = bad.expect_problem(422, "invalid_request");
    let pointers: Vec<_> = bad.broken_rules().into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(pointers, ["/subject", "/ticket"]);
    service.finish().await;
}

#[tokio::test]
async fn a3_an_erased_member_is_not_recorded_again() {
    let service = Service::start().await;
    let (member, _) = service.create_member("Gone Soon", &["auditor"]).await;
    let path = format!("/api/v1/members/{member}");
    let tokens = service.get(&format!("{path}/tokens")).await.expect(200);
    service.post(&format!("{path}/deactivate"), &json!({})).await.expect(200);
    let why = json!({ "ticket": "GDPR-1" });
    service.post(&format!("/api/v1/persons/{member}/erase"), &why).await.expect(200);
    service.post(&format!("{path}/enable"), &json!({})).await.expect_problem(409, "member_erased");
    let renamed = json!({ "name": "Back Again", "email": "back@example.com" });
    let patch = service.request(Method::PATCH, &path).header("if-match", "*").json(&renamed);
    answer(patch).await.expect_problem(409, "member_erased");
    let token = json!({ "label": "new", "expires_in_seconds": 60 });
    service.post(&format!("{path}/tokens"), &token).await.expect_problem(409, "member_erased");
    // What it still has can be taken away.
    let left = tokens.text_of("/items/0/id");
    service.delete(&format!("{path}/tokens/{left}")).await.expect(200);
    service.post(&format!("/api/v1/persons/{member}/erase"), &why).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn a11_a_legal_hold_is_found_by_what_it_keeps() {
    let service = Service::start().await;
    let (path, person, _) = client(&service, "Matter sync", "canary@erasure.example").await;
    let client_id = path.rsplit('/').next().expect("an id");
    let of_person = hold(&service, json!({ "person_id": person })).await.expect(201);
    let of_client = hold(&service, json!({ "client_id": client_id })).await.expect(201);
    for (hold, asked) in
        [(of_person, format!("subject=person-{person}")), (of_client, format!("client={client_id}"))]
    {
        let path = format!("/api/v1/audit/events?type=legal_hold.placed&{asked}");
        let found = service.get(&path).await.expect(200);
        assert_eq!(found.body["items"].as_array().map(Vec::len), Some(1), "{asked}");
        let data = &found.body["items"][0]["entry"]["data"];
        assert_eq!(data["legal_hold_id"], hold.body["legal_hold_id"], "{asked}");
    }
    service.finish().await;
}

#[tokio::test]
async fn a3_nobody_redacts_the_reason_of_somebody_who_may_do_more() {
    let service = Service::start().await;
    let (_, _, position) = client(&service, "Matter sync", "canary@erasure.example").await;
    let role = json!({ "name": "clerk", "description": "Clerks", "permissions": ["members:write", "clients:write"] });
    service.post("/api/v1/roles", &role).await.expect(201);
    let (_, clerk) = service.create_member("Clerk", &["clerk"]).await;
    let as_clerk = async |position: u64, body: &Value| {
        let path = format!("/api/v1/audit/events/{position}/redact_reason");
        tests::http::answer(service.request_as(&clerk, reqwest::Method::POST, &path).json(body)).await
    };
    let why = json!({ "ticket": "GDPR-2" });
    as_clerk(position, &why).await.expect_problem(403, "grant_exceeds_own_permissions");
    let mut body = client_body("Of the clerk");
    body["reason"] = json!(WHY);
    let created =
        tests::http::answer(service.request_as(&clerk, reqwest::Method::POST, CLIENTS).json(&body)).await;
    let own = created.expect(201).body["position"].as_u64().expect("a position");
    as_clerk(own, &why).await.expect(200);
    redact(&service, position).await.expect(200);
    service.finish().await;
}
