//! Searching the audit by the address that something was caused from.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service, client_body,
    http::{Answer, CLIENTS, answer},
};
use tokio::time::timeout;

const HERE: &str = "198.51.100.7";
const THERE: &str = "2001:db8::7";

/// A service behind a proxy that says where each request comes from.
async fn start() -> Service {
    Service::start_with_settings("[proxy]\ntrusted = [\"127.0.0.1\"]\n[limits]\nreads_per_minute = 0\n").await
}

async fn send(service: &Service, address: &str, method: Method, path: &str, body: &Value) -> Answer {
    let request = service.request(method, path).header("x-forwarded-for", address).json(body);
    answer(request).await
}

async fn create(service: &Service, address: &str, name: &str) -> String {
    let created = send(service, address, Method::POST, CLIENTS, &client_body(name)).await.expect(201);
    created.text_of("/client_id").to_owned()
}

fn types(page: &Answer) -> Vec<&str> {
    let items = page.body["items"].as_array().expect("items").iter();
    items.map(|item| item["entry"]["type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn a4_what_was_caused_from_an_address_is_found_by_it_with_any_other_filter() {
    let service = start().await;
    let me = service.get("/api/v1/me").await.expect(200).text_of("/member_id").to_owned();
    let one = create(&service, HERE, "One").await;
    let other = create(&service, THERE, "Other").await;
    let pause = format!("{CLIENTS}/{one}/deactivate");
    send(&service, THERE, Method::POST, &pause, &json!({ "ticket": "INC-42" })).await.expect(200);
    send(&service, HERE, Method::POST, CLIENTS, &client_body("One")).await.expect(409);

    let found = async |query: &str| service.get(&format!("/api/v1/audit/events?{query}")).await.expect(200);
    assert_eq!(types(&found(&format!("address={HERE}")).await), ["command.refused", "client.created"]);
    let there = ["client.deactivated", "client.created"];
    assert_eq!(types(&found(&format!("address={THERE}")).await), there);
    assert_eq!(types(&found("address=2001:0DB8:0:0::7&limit=2").await), there, "however it is written");
    assert_eq!(types(&found(&format!("address=::ffff:{HERE}&type=client.*")).await), ["client.created"]);
    assert_eq!(types(&found(&format!("address={THERE}&client={one}")).await), ["client.deactivated"]);
    assert_eq!(types(&found(&format!("address={THERE}&client={other}")).await), ["client.created"]);
    assert_eq!(types(&found(&format!("address={HERE}&outcome=refused")).await), ["command.refused"]);
    assert_eq!(types(&found(&format!("address={THERE}&ticket=INC-42")).await), ["client.deactivated"]);
    assert_eq!(types(&found(&format!("address={HERE}&ticket=INC-42")).await), [] as [&str; 0]);
    assert_eq!(types(&found("address=192.0.2.99").await), [] as [&str; 0]);

    // Page by page, in either direction; forward, it goes on with what is yet to come.
    let first = found(&format!("address={THERE}&limit=1")).await;
    assert_eq!(types(&first), ["client.deactivated"]);
    let rest = format!("address={THERE}&limit=1&cursor={}", first.text_of("/next"));
    assert_eq!(types(&found(&rest).await), ["client.created"]);
    let forward = found(&format!("address={THERE}&order=asc")).await;
    assert_eq!(types(&forward), ["client.created", "client.deactivated"]);
    let again = format!("{CLIENTS}/{one}/enable");
    send(&service, THERE, Method::POST, &again, &json!({})).await.expect(200);
    let next = forward.text_of("/next");
    assert_eq!(types(&found(&format!("address={THERE}&order=asc&after={next}")).await), ["client.enabled"]);

    let of_client = service.get(&format!("{CLIENTS}/{one}/history?address={THERE}")).await.expect(200);
    assert_eq!(types(&of_client), ["client.enabled", "client.deactivated"]);
    let of_member = format!("/api/v1/members/{me}/audit?address={HERE}&type=client.created");
    assert_eq!(types(&service.get(&of_member).await.expect(200)), ["client.created"]);
    let export = format!("/api/v1/audit/export?address={HERE}");
    let export = service.get(&export).await.expect(200);
    assert_eq!(export.text.lines().count(), 2 + 1, "{}", export.text);
    for path in ["events", "export", "follow"] {
        let malformed = service.get(&format!("/api/v1/audit/{path}?address=198.51.100")).await;
        let malformed = malformed.expect_problem(400, "invalid_parameter");
        assert!(malformed.text.contains("address"), "{}", malformed.text);
    }
    service.finish().await;
}

#[tokio::test]
async fn a4_a_follower_hears_what_comes_from_an_address_alone() {
    let service = start().await;
    let follow = format!("/api/v1/audit/follow?address={THERE}&after=0");
    let mut feed = service.request(Method::GET, &follow).send().await.expect("an answer");
    create(&service, HERE, "One").await;
    create(&service, THERE, "Other").await;
    let mut text = String::new();
    while !text.contains("client.created") {
        let chunk = timeout(Duration::from_secs(30), feed.chunk()).await.expect("in time").expect("a chunk");
        text.push_str(&String::from_utf8_lossy(&chunk.expect("more to come")));
    }
    assert!(text.contains("\"Other\"") && !text.contains("\"One\""), "{text}");
    drop(feed);
    service.finish().await;
}

#[tokio::test]
async fn a4_a_search_by_address_takes_who_may_open_private_parts_and_keeps_the_address_out_of_public() {
    let service = start().await;
    create(&service, HERE, "One").await;
    let (reader_id, reader) = service.create_member("Mild Manager", &["integration_manager"]).await;
    for path in ["events", "export", "follow"] {
        let asked = format!("/api/v1/audit/{path}?address={HERE}");
        let refused = answer(service.request_as(&reader, Method::GET, &asked)).await;
        refused.expect_problem(403, "permission_denied");
    }
    let of_reader = format!("/api/v1/audit/events?actor={reader_id}");
    let left = service.get(&of_reader).await.expect(200);
    assert_eq!(types(&left), ["command.refused"; 3], "refused, and not said to have been read");

    service.get(&format!("/api/v1/audit/events?address={HERE}")).await.expect(200);
    service.get(&format!("/api/v1/audit/export?address={HERE}")).await.expect(200);
    for (event_type, named) in [("audit.read", "audit.events"), ("audit.exported", "ndjson")] {
        let found =
            service.get(&format!("/api/v1/audit/events?type={event_type}&limit=500")).await.expect(200);
        let items = found.body["items"].as_array().expect("items");
        let with_address = |item: &&Value| item["entry"]["data"]["private_filters"] == json!(["address"]);
        let record = items.iter().find(with_address).expect("it is recorded");
        assert!(record.to_string().contains(named) && !found.text.contains(HERE), "{record}");
        let path = format!("/api/v1/audit/events/{}?include=private", record["position"]);
        let parts = service.get(&path).await.expect(200).body["private"].clone();
        let parts = parts.as_array().expect("parts");
        assert!(parts.iter().any(|part| part["value"]["address"] == HERE), "{parts:?}");
    }
    service.finish().await;
}
