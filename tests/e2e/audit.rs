//! The audit trail: filters, cursors, the forward feed.

use serde_json::Value;
use tests::{Service, crash::feed, http::CLIENTS};

#[tokio::test]
async fn a4_events_can_be_found_by_client_actor_type_environment_time_outcome_and_ticket() {
    let service = Service::start().await;
    let (first, created) = service.create_client("First").await;
    let (second, _) = service.create_client("Second").await;
    let rotate = serde_json::json!({ "overlap_seconds": 0, "ticket": "INC-42" });
    service.post(&format!("{CLIENTS}/{second}/secrets"), &rotate).await.expect(201);
    let me = service.get("/api/v1/me").await.expect(200).text_of("/member_id").to_owned();
    let request_id = created.header("x-request-id").to_owned();
    let middle =
        service.get(&format!("/api/v1/audit/events?client={second}&type=client.created")).await.expect(200);
    let middle = middle.text_of("/items/0/entry/at").to_owned();
    let found = |query: String| {
        let service = &service;
        async move {
            let page = service.get(&format!("/api/v1/audit/events?{query}")).await.expect(200);
            let items = page.body["items"].as_array().expect("items").clone();
            let types = items.iter().map(|item| item["entry"]["type"].as_str().expect("a type").to_owned());
            types.collect::<Vec<_>>()
        }
    };
    assert_eq!(found(format!("client={first}")).await, ["client.created"]);
    assert_eq!(found(format!("client={second}")).await, ["client.secret_rotated", "client.created"]);
    let by_me = found(format!("actor={me}")).await;
    assert_eq!(by_me.iter().filter(|of_type| of_type.starts_with("client.")).count(), 3);
    assert_eq!(found("type=client.secret_rotated".into()).await.len(), 1);
    assert_eq!(found("environment=sandbox&type=client.created".into()).await.len(), 2);
    assert_eq!(found("environment=production&type=client.created".into()).await.len(), 0);
    assert_eq!(found("ticket=INC-42".into()).await, ["client.secret_rotated"]);
    assert_eq!(found(format!("request_id={request_id}")).await, ["client.created"]);
    assert_eq!(found(format!("from={middle}&client={second}")).await.len(), 2, "`from` is included");
    assert_eq!(found(format!("to={middle}&client={first}")).await.len(), 1, "`to` is not");
    assert_eq!(found("outcome=refused".into()).await.len(), 0);
    service.get("/api/v1/audit/events?clinet=x").await.expect(400);
    service.get("/api/v1/audit/events?from=yesterday").await.expect(400);
    service.finish().await;
}

#[tokio::test]
async fn a4_the_feed_runs_forward_from_a_position_and_back_by_cursor() {
    let service = Service::start().await;
    for number in 0..4 {
        service.create_client(&format!("Client {number}")).await;
    }
    let forward = feed(&service, 0).await;
    assert_eq!(forward[0]["position"], 1);
    let mut backward: Vec<Value> = Vec::new();
    let mut path = "/api/v1/audit/events?limit=7".to_owned();
    loop {
        let page = service.get(&path).await.expect(200);
        backward.extend(page.body["items"].as_array().expect("items").iter().cloned());
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("/api/v1/audit/events?limit=7&cursor={next}");
    }
    backward.reverse();
    assert_eq!(forward, backward);
    let one = service.get("/api/v1/audit/events/3").await.expect(200);
    assert_eq!(one.body["entry"], forward[2]["entry"]);
    // That one event was read is the newest.
    let head = forward.len() + 1;
    let end = service.get(&format!("/api/v1/audit/events?order=asc&after={head}")).await.expect(200);
    assert!(end.body["items"].as_array().is_some_and(Vec::is_empty));
    assert!(end.body["next"].is_string(), "the forward feed can always be gone on with");
    service.finish().await;
}
