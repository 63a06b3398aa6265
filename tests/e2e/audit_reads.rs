//! What reading the audit leaves behind, and what being refused again and again does.

use reqwest::Method;
use serde_json::{Value, json};
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
    let (id, created) = service.create_client("Matter sync").await;
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
    ask("/api/v1/audit/events/3".into()).await.expect(200);
    ask(format!("/api/v1/audit/events/{}", created.header("muniment-position"))).await.expect(200);
    service.get(&format!("{CLIENTS}/{id}/history")).await.expect(200);
    let recorded = of_auditor(reads(&service).await);
    let data: Vec<_> = recorded.iter().map(|event| &event["entry"]["data"]).collect();
    assert_eq!(data.len(), 3, "{data:?}");
    assert_eq!(data[1]["filters"]["ticket"], "INC-42");
    assert_eq!(data[2]["what"], "audit.event");
    assert_eq!(
        data[2]["filters"]["environment"], "sandbox",
        "two events of one environment are one question"
    );
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
async fn a3_a_secret_in_a_question_or_a_ticket_is_not_recorded_in_public() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret");
    for path in [
        format!("/api/v1/activity?secret={secret}"),
        format!("{CLIENTS}/{id}/activity?secret={secret}"),
        format!("/api/v1/audit/events?ticket={secret}"),
    ] {
        service.get(&path).await.expect(200);
    }
    let public = reads(&service).await;
    assert!(public.len() >= 3 && !format!("{public:?}").contains(secret), "{public:?}");
    let ticket = json!({ "ticket": secret });
    let refused = service.post(&format!("{CLIENTS}/{id}/deactivate"), &ticket).await;
    let refused = refused.expect_problem(422, "invalid_request");
    assert_eq!(refused.broken_rules(), [("/ticket".to_owned(), "malformed".to_owned())]);
    let all = service.get("/api/v1/audit/events?limit=500").await.expect(200);
    assert!(!all.text.contains(secret));
    service.finish().await;
}

#[tokio::test]
async fn a3_a_question_that_names_nothing_is_refused_and_not_recorded() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    for path in [
        "/api/v1/activity?kind=ada.lovelace",
        "/api/v1/activity?reason=ada.lovelace",
        "/api/v1/activity?environment=ada.lovelace",
        &format!("{CLIENTS}/{id}/activity?kind=ada.lovelace"),
        "/api/v1/audit/events?type=ada.lovelace",
        "/api/v1/audit/events?environment=ada.lovelace",
        "/api/v1/audit/follow?type=ada.lovelace",
        "/api/v1/audit/export?type=ada.lovelace",
    ] {
        service.get(path).await.expect_problem(400, "invalid_parameter");
    }
    let all = service.get("/api/v1/audit/events?limit=500").await.expect(200);
    assert!(!all.text.contains("lovelace"), "{}", all.text);
    service.finish().await;
}

#[tokio::test]
async fn a2_an_event_of_another_environment_is_another_question() {
    let service = Service::start().await;
    let (_, sandbox) = service.create_client("Matter sync").await;
    let body = tests::client_body("Matter sync");
    let production = service.post("/api/v1/environments/production/clients", &body).await.expect(201);
    for created in [&sandbox, &production, &sandbox] {
        let position = created.header("muniment-position");
        service.get(&format!("/api/v1/audit/events/{position}")).await.expect(200);
    }
    let read = reads(&service).await;
    let of_one =
        read.iter().map(|event| &event["entry"]).filter(|entry| entry["data"]["what"] == "audit.event");
    let environments: Vec<_> = of_one.map(|entry| entry["environment"].clone()).collect();
    assert_eq!(environments, ["sandbox", "production"]);
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

#[tokio::test]
async fn a2_every_route_that_reads_the_audit_leaves_a_record_of_who_read_what() {
    let service = Service::start().await;
    let (client, created) = service.create_client("Matter sync").await;
    let (member, auditor) = service.create_member("Keen Auditor", &["auditor", "integration_manager"]).await;
    let verification = service.post("/api/v1/audit/verify", &json!({})).await.expect(202);
    let description = service.get("/openapi.json").await.expect(200);
    let paths = description.body["paths"].as_object().expect("paths");
    let reading = paths.iter().filter(|(_, operations)| operations["get"]["x-audit"] == "reads");
    let mut walked = 0;
    for (path, _) in reading {
        let filled = path
            .replace("{environment}", "sandbox")
            .replace("{client_id}", &client)
            .replace("{member_id}", &member)
            .replace("{person_id}", created.text_of("/contacts/0/id"))
            .replace("{verification_id}", verification.text_of("/verification_id"))
            .replace("{position}", created.header("muniment-position"));
        let query = match path.rsplit('/').next() {
            Some("credentials") => "?at=1000",
            Some("difference") => "?from=1",
            Some(_) | None => "",
        };
        let query = query.replace("1000", created.header("muniment-position"));
        let asked = service.request_as(&auditor, Method::GET, &format!("{filled}{query}"));
        // The feed never ends: its head is enough, and it leaves after the record is durable.
        let answer = asked.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let request_id = answer.headers()["x-request-id"].to_str().expect("an id").to_owned();
        drop(answer);
        let found = service.get(&format!("/api/v1/audit/events?request_id={request_id}")).await.expect(200);
        let record = &found.body["items"][0]["entry"];
        let expected = if path.ends_with("/export") { "audit.exported" } else { "audit.read" };
        assert_eq!(record["type"], expected, "{path}");
        assert_eq!(record["actor"]["id"], member.as_str(), "{path}");
        walked += 1;
    }
    assert!(walked >= 11, "{walked}");
    service.finish().await;
}

#[tokio::test]
async fn a2_an_export_is_recorded_each_time_with_what_was_asked_and_whether_private_parts_were_opened() {
    let service = Service::start().await;
    service.create_client("Matter sync").await;
    let export = "/api/v1/audit/export?format=csv&type=client.created&ticket=INC-42&q=sync";
    service.get(export).await.expect(200);
    service.get(export).await.expect(200);
    service.get("/api/v1/audit/export?type=client.created&include=private").await.expect(200);
    let found = service.get("/api/v1/audit/events?type=audit.*&order=asc&limit=500").await.expect(200);
    let items = found.body["items"].as_array().expect("items");
    let of = |wanted: &str| {
        let of_type = items.iter().map(|item| &item["entry"]).filter(|entry| entry["type"] == wanted);
        of_type.map(|entry| entry["data"].clone()).collect::<Vec<_>>()
    };
    let exported = of("audit.exported");
    assert_eq!(exported.len(), 3, "{exported:?}");
    assert_eq!(exported[0]["format"], "csv");
    assert_eq!(exported[0]["filters"]["type"], "client.created");
    assert_eq!(exported[0]["filters"]["ticket"], "INC-42");
    assert_eq!(exported[0]["private_filters"][0], "q");
    let private: Vec<_> = exported.iter().map(|data| data["include_private"] == true).collect();
    assert_eq!(private, [false, false, true]);
    let opened = of("audit.private_parts_opened");
    assert_eq!((opened.len(), &opened[0]["what"]), (1, &Value::from("audit.export")));
    service.finish().await;
}
