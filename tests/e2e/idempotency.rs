//! A repeated request happens once, and never shows a secret twice.

use reqwest::Method;
use serde_json::json;
use tests::{
    Answer, Service, client_body,
    http::{CLIENTS, answer},
};
use tokio::task::JoinSet;

async fn create(service: &Service, key: &str, client_name: &str) -> Answer {
    let request = service.request(Method::POST, CLIENTS).header("idempotency-key", key);
    answer(request.json(&client_body(client_name))).await
}

#[tokio::test]
async fn l3_the_same_key_twice_is_one_client_and_no_secret_in_the_replay() {
    let service = Service::start().await;
    let first = create(&service, "key-1", "Matter sync").await.expect(201);
    let second = create(&service, "key-1", "Matter sync").await.expect(201);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(second.body["client_id"], first.body["client_id"]);
    assert_eq!(second.header("muniment-position"), first.header("muniment-position"));
    assert!(second.body.get("client_secret").is_none() && second.body.get("signing_secret").is_none());
    assert!(second.body["secret_recovery"].is_string(), "the replay points to rotation: {}", second.text);
    create(&service, "key-1", "Another name").await.expect_problem(422, "idempotency_mismatch");
    let listed = service.get(CLIENTS).await.expect(200);
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));

    // Another member's key is another key.
    let (_, other) = service.create_member("Other Admin", &["integration_manager"]).await;
    let request = service.request_as(&other, Method::POST, CLIENTS).header("idempotency-key", "key-1");
    let theirs = answer(request.json(&client_body("Theirs"))).await.expect(201);
    assert_ne!(theirs.body["client_id"], first.body["client_id"]);
    service.finish().await;
}

#[tokio::test]
async fn l3_the_same_key_at_the_same_time_is_one_client() {
    let service = Service::start().await;
    let mut requests = JoinSet::new();
    for _ in 0..16 {
        let request = service.request(Method::POST, CLIENTS).header("idempotency-key", "at-once");
        requests.spawn(answer(request.json(&client_body("Matter sync"))));
    }
    let answers = requests.join_all().await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let with_secret = answers.iter().filter(|answer| answer.body.get("client_secret").is_some()).count();
    assert_eq!(with_secret, 1, "one answer shows the secret");
    let id = &answers[0].body["client_id"];
    assert!(answers.iter().all(|answer| answer.body["client_id"] == *id));
    service.finish().await;
}

#[tokio::test]
async fn o6_repeated_commands_on_a_client_happen_once() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let send = |path: String, body: serde_json::Value| {
        let request = service.request(Method::POST, &path).header("idempotency-key", format!("key {path}"));
        answer(request.json(&body))
    };
    let first = send(format!("{client}/deactivate"), json!({})).await.expect(200);
    let again = send(format!("{client}/deactivate"), json!({})).await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(first.header("etag"), again.header("etag"));
    let first = send(format!("{client}/secrets"), json!({ "overlap_seconds": 0 })).await.expect(201);
    let again = send(format!("{client}/secrets"), json!({ "overlap_seconds": 0 })).await.expect(201);
    assert!(first.body.get("client_secret").is_some() && again.body.get("client_secret").is_none());
    assert_eq!(first.body["secret"]["id"], again.body["secret"]["id"]);
    service.finish().await;
}
