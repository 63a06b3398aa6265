//! Secrets that somebody found where they must not be.

use crypto::{Binding, DataKey, ExposeSecret, SecretKind, SystemEntropy, TagKeys};
use reqwest::Method;
use serde_json::json;
use tests::{
    Answer, Service,
    http::{self, CLIENTS},
};

const LEAKED: &str = "/api/v1/leaked_secrets";

/// Without a token: whoever finds a secret has none.
async fn report(service: &Service, body: &serde_json::Value) -> Answer {
    http::answer(reqwest::Client::new().post(format!("{}{LEAKED}", service.base)).json(body)).await
}

/// A secret in the form of ours that another service made.
fn of_another_service() -> String {
    let tags = TagKeys::new(1, &DataKey::random(&SystemEntropy).expect("a key"));
    let binding = Binding { environment: "sandbox", owner: "somebody" };
    let minted = crypto::mint(SecretKind::ClientSecret, &binding, &tags, &SystemEntropy).expect("a secret");
    minted.secret.expose_secret().to_owned()
}

#[tokio::test]
async fn l4_a_leaked_secret_is_revoked_at_once_and_the_history_says_so() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let beside = service.post(&format!("{client}/secrets"), &json!({})).await.expect(201);
    let (member, token) = service.create_member("Careless Auditor", &["auditor"]).await;
    let body = json!({
        "secrets": [created.text_of("/client_secret"), token, of_another_service(), "mcs_nonsense", ""],
        "source": "commit",
        "url": "https://git.example.com/acme/app",
    });
    let first = report(&service, &body).await.expect(202);
    assert_eq!(first.body, json!({ "received": 5 }));

    let now = service.get(&client).await.expect(200);
    assert_eq!((now.text_of("/secrets/0/state"), now.text_of("/secrets/1/state")), ("revoked", "active"));
    let me = service.request_as(&token, Method::GET, "/api/v1/me");
    http::answer(me).await.expect_problem(401, "unauthenticated");
    let history = service.get(&format!("{client}/history?include=private")).await.expect(200);
    let [revoked, reported] = [0, 1].map(|place| &history.body["items"][place]);
    assert_eq!(reported["entry"]["type"], "client.secret_leak_reported");
    assert_eq!(reported["entry"]["data"], json!({ "secret_id": created.text_of("/secrets/0/id") }));
    assert_eq!(revoked["entry"]["type"], "client.secret_revoked");
    assert_eq!(revoked["entry"]["data"]["lockout"], false);
    assert_eq!(reported["entry"]["actor"], json!({ "id": "anonymous", "kind": "anonymous" }));
    let reasons = reported["private"].to_string();
    assert!(reasons.contains("reported as leaked") && reasons.contains("git.example.com"), "{reasons}");
    assert!(!reported["entry"].to_string().contains("git.example.com"), "where it was is a private part");
    let tokens = format!("/api/v1/audit/events?type=member.token_revoked&client={member}");
    let tokens = service.get(&tokens.replace(&format!("&client={member}"), "")).await.expect(200);
    assert_eq!(tokens.body["items"][0]["entry"]["actor"]["kind"], "anonymous");

    // The answer is the same whatever was real, and nothing more is written: neither is the last one safe from it.
    let last = json!({ "secrets": [beside.text_of("/client_secret")] });
    report(&service, &last).await.expect(202);
    let locked_out = service.get(&client).await.expect(200);
    assert_eq!(locked_out.text_of("/secrets/1/state"), "revoked");
    let before = locked_out.body["position"].clone();
    assert_eq!(report(&service, &body).await.expect(202).body, first.body);
    report(&service, &last).await.expect(202);
    assert_eq!(service.get(&client).await.expect(200).body["position"], before);
    service.finish().await;
}

#[tokio::test]
async fn l4_a_leaked_token_of_a_deactivated_member_is_not_brought_back() {
    let service = Service::start().await;
    let (member, token) = service.create_member("Careless Auditor", &["auditor"]).await;
    let path = format!("/api/v1/members/{member}");
    service.post(&format!("{path}/deactivate"), &json!({})).await.expect(200);
    report(&service, &json!({ "secrets": [token] })).await.expect(202);
    service.post(&format!("{path}/enable"), &json!({})).await.expect(200);
    let me = service.request_as(&token, Method::GET, "/api/v1/me");
    http::answer(me).await.expect_problem(401, "unauthenticated");
    service.finish().await;
}

#[tokio::test]
async fn l4_a_report_names_between_one_and_a_hundred_secrets() {
    let service = Service::start().await;
    for (body, pointer, rule) in [
        (json!({ "secrets": [] }), "/secrets", "required"),
        (json!({ "secrets": vec!["x"; 101] }), "/secrets", "too_many"),
        (json!({ "secrets": ["x"], "url": "x".repeat(401) }), "/url", "too_long"),
        (json!({ "secrets": "x" }), "/secrets", "wrong_type"),
        (json!({}), "/secrets", "required"),
    ] {
        let wrong = report(&service, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(wrong.broken_rules(), [(pointer.to_owned(), rule.to_owned())], "{}", wrong.text);
    }
    report(&service, &json!({ "secrets": vec![of_another_service(); 100] })).await.expect(202);
    // A token that works or not makes no difference.
    let signed_in = service.post(LEAKED, &json!({ "secrets": ["x"] })).await.expect(202);
    assert_eq!(signed_in.body, json!({ "received": 1 }));
    service.finish().await;
}
