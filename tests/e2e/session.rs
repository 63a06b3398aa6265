//! The first session of a newcomer: create, rotate, deactivate, delete, read who did what and why.

use serde_json::json;
use tests::{Service, client_body, http::CLIENTS};

#[tokio::test]
async fn l3_after_creation_the_answer_has_the_five_values() {
    let service = Service::start().await;
    let created = service.post(CLIENTS, &client_body("Matter sync")).await.expect(201);
    let id = created.text_of("/client_id").to_owned();
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(created.header("location"), format!("{CLIENTS}/{id}"));
    assert_eq!(created.header("cache-control"), "no-store");
    assert_eq!(created.body["revision"], 1);
    assert_eq!(created.body["position"].to_string(), created.header("muniment-position"));
    assert_eq!(created.body["status"], "active");
    assert_eq!(created.body["environment"], "sandbox");
    assert_eq!(created.body["scope"], "matters:read matters:write");
    let issued_at = created.body["client_id_issued_at"].as_i64().expect("epoch seconds");
    let expires_at = created.body["client_secret_expires_at"].as_i64().expect("epoch seconds");
    let year = 365 * 24 * 60 * 60;
    // Counted from the decision, which is a little before the moment it is recorded.
    assert!((year - 60..=year).contains(&(expires_at - issued_at)), "the environment's default life");
    let secret = created.text_of("/client_secret");
    assert!(secret.starts_with("mcs_") && secret.len() == 89, "{secret}");
    assert!(created.text_of("/signing_secret").starts_with("whsec_"));
    assert_eq!(created.text_of("/authorization_endpoint"), "https://oauth.example.com/sandbox/authorize");
    assert_eq!(created.text_of("/token_endpoint"), "https://oauth.example.com/sandbox/token");
    let listed = &created.body["secrets"][0];
    assert_eq!(listed["state"], "active");
    let hint = listed["hint"].as_str().expect("a hint").trim_end_matches('…');
    assert!(secret.starts_with(hint), "the hint is the beginning of the text");
    assert!(secret[4..20].starts_with(&hint[4..]), "the hint is part of the id, never of the secret");

    // Shown once: nothing that can be asked later has it.
    for path in [format!("{CLIENTS}/{id}"), CLIENTS.to_owned(), format!("{CLIENTS}/{id}/history")] {
        let read = service.get(&path).await.expect(200);
        assert!(!read.text.contains(secret), "{path} shows the secret");
        assert!(!read.text.contains("whsec_"), "{path} shows the signing secret");
    }
    service.finish().await;
}

#[tokio::test]
async fn a1_the_whole_life_of_a_client_is_in_the_audit_with_who_and_why() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let rotate =
        json!({ "overlap_seconds": 0, "label": "second", "reason": "rotation day", "ticket": "INC-42" });
    let rotated = service.post(&format!("{client}/secrets"), &rotate).await.expect(201);
    assert_eq!(rotated.body["client"]["secrets"][0]["state"], "revoked");
    assert_eq!(rotated.body["client"]["secrets"][1]["state"], "active");
    let deactivated =
        service.post(&format!("{client}/deactivate"), &json!({ "reason": "paused" })).await.expect(200);
    assert_eq!(deactivated.body["status"], "inactive");
    assert_eq!(deactivated.header("etag"), "\"3\"");
    service.post(&format!("{client}/enable"), &json!({ "reason": "resumed" })).await.expect(200);
    let deleted = service.delete(&client).await.expect(204);
    assert!(deleted.text.is_empty());
    service.get(&client).await.expect_problem(410, "gone");

    let me = service.get("/api/v1/me").await.expect(200);
    let events = service.get(&format!("/api/v1/audit/events?client={id}&include=private")).await.expect(200);
    let items = events.body["items"].as_array().expect("items");
    let types: Vec<_> = items.iter().map(|item| item["entry"]["type"].as_str().expect("a type")).collect();
    let life =
        ["client.deleted", "client.enabled", "client.deactivated", "client.secret_rotated", "client.created"];
    assert_eq!(types, life, "newest first");
    for item in items {
        let entry = &item["entry"];
        assert_eq!(entry["actor"]["id"], me.body["member_id"]);
        assert_eq!(entry["actor"]["kind"], "member");
        assert_eq!(entry["responsible"], me.body["member_id"]);
        assert_eq!(entry["environment"], "sandbox");
        assert_eq!(entry["outcome"], "done");
        assert!(entry["at"].as_str().is_some_and(|at| at.len() == 27 && at.ends_with('Z')));
        let private = item["private"].as_array().expect("private parts");
        let source = private.iter().find(|part| part["name"] == "source").expect("where it came from");
        assert_eq!(source["value"]["address"], "127.0.0.1");
    }
    let rotation = &items[3];
    assert_eq!(rotation["entry"]["ticket"], "INC-42");
    let private = rotation["private"].as_array().expect("private parts");
    assert!(private.iter().any(|part| part["name"] == "reason" && part["value"] == "rotation day"));
    assert!(!rotation["entry"].to_string().contains("rotation day"), "a reason is private");

    // Its history stays, and its name is free again.
    let history = service.get(&format!("{client}/history?order=asc")).await.expect(200);
    assert_eq!(history.body["items"].as_array().map(Vec::len), Some(5));
    service.create_client("matter SYNC").await;
    service.finish().await;
}
