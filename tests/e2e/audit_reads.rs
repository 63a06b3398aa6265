//! What reading the audit leaves behind, and what being refused again and again does.

use reqwest::Method;
use serde_json::Value;
use tests::{
    Service,
    http::{CLIENTS, answer},
};

/// Every recorded read, oldest first.
async fn reads(service: &Service) -> Vec<Value> {
    let page = service.get("/api/v1/audit/events?type=audit.read&order=asc&limit=500").await.expect(200);
    page.body["items"].as_array().expect("items").clone()
}

#[tokio::test]
async fn a2_reading_the_audit_is_recorded_once_in_a_while_and_polling_does_not_feed_itself() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let (auditor_id, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let mut after = "0".to_owned();
    for _ in 0..100 {
        let feed = format!("/api/v1/audit/events?order=asc&after={after}&limit=3");
        let page = answer(service.request_as(&auditor, Method::GET, &feed)).await.expect(200);
        page.text_of("/next").clone_into(&mut after);
    }
    let of_auditor = |events: Vec<Value>| {
        let own = |event: &Value| event["entry"]["actor"]["id"] == auditor_id.as_str();
        events.into_iter().filter(own).collect::<Vec<_>>()
    };
    let recorded = of_auditor(reads(&service).await);
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_eq!(recorded[0]["entry"]["data"]["what"], "audit.events");
    assert_eq!(recorded[0]["entry"]["data"]["coalesced_seconds"], 900);

    // Another question, another token and another list are each recorded.
    let ask = |path: String| answer(service.request_as(&auditor, Method::GET, &path));
    ask("/api/v1/audit/events?ticket=INC-42".into()).await.expect(200);
    ask("/api/v1/audit/events/1".into()).await.expect(200);
    ask("/api/v1/audit/events/2".into()).await.expect(200);
    service.get(&format!("{CLIENTS}/{id}/history")).await.expect(200);
    let recorded = of_auditor(reads(&service).await);
    let data: Vec<_> = recorded.iter().map(|event| &event["entry"]["data"]).collect();
    assert_eq!(data.len(), 3, "{data:?}");
    assert_eq!(data[1]["filters"]["ticket"], "INC-42");
    assert_eq!(data[2]["what"], "audit.event");
    let about = service.get(&format!("/api/v1/audit/events?client={id}&type=audit.read")).await.expect(200);
    let about = about.body["items"].as_array().expect("items").clone();
    assert_eq!(about.len(), 1, "who read a client's history is found by the client");
    assert_eq!(about[0]["entry"]["data"]["what"], "client.history");
    service.finish().await;
}

#[tokio::test]
async fn a2_a_search_that_may_tell_about_a_person_is_not_recorded_in_public() {
    let service = Service::start().await;
    service.get("/api/v1/audit/events?actor=ada@members.example").await.expect(200);
    let found = reads(&service).await;
    let read = found.iter().find(|event| event["entry"]["data"]["private_filters"][0] == "actor");
    let read = read.expect("the read is recorded");
    assert!(!read.to_string().contains("ada@members.example"));
    let opened =
        service.get(&format!("/api/v1/audit/events/{}?include=private", read["position"])).await.expect(200);
    let parts = opened.body["private"].as_array().expect("parts");
    assert!(
        parts.iter().any(|part| part["name"] == "query" && part["value"]["actor"] == "ada@members.example"),
        "{parts:?}"
    );
    service.finish().await;
}

#[tokio::test]
async fn a2_a_flood_of_refusals_is_recorded_up_to_a_limit_and_counted_beyond_it() {
    let mut service = Service::start().await;
    let (auditor_id, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    for _ in 0..100 {
        answer(service.request_as(&auditor, Method::GET, CLIENTS))
            .await
            .expect_problem(403, "permission_denied");
    }
    service.stop().await;
    service.launch().await;
    let refused = format!("/api/v1/audit/events?actor={auditor_id}&outcome=refused&limit=500");
    let refused = service.get(&refused).await.expect(200);
    let items = refused.body["items"].as_array().expect("items");
    assert_eq!(items.len(), 61);
    let counted = &items[0]["entry"]["data"];
    assert_eq!((&counted["command"], &counted["count"]), (&"ListClients".into(), &40.into()));
    assert_eq!(counted["problem"], "permission_denied");
    service.finish().await;
}
