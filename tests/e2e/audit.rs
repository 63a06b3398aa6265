//! The audit trail: filters, cursors, the forward feed.

use serde_json::Value;
use tests::{Service, client_body, http::CLIENTS, load::feed};

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

/// The types of the events that a question finds, in their order.
async fn types(service: &Service, path: &str) -> Vec<String> {
    let page = service.get(path).await.expect(200);
    let items = page.body["items"].as_array().expect("items").clone();
    items.iter().map(|item| item["entry"]["type"].as_str().expect("a type").to_owned()).collect()
}

#[tokio::test]
async fn a4_filters_combine_and_a_value_that_names_nothing_is_refused() {
    let service = Service::start().await;
    let (first, created) = service.create_client("Matter sync").await;
    let (second, _) = service.create_client("Deposition search").await;
    let path = format!("{CLIENTS}/{first}");
    service.post(&format!("{path}/deactivate"), &serde_json::json!({ "ticket": "INC-7" })).await.expect(200);
    service.post(&format!("{path}/deactivate"), &serde_json::json!({})).await.expect(409);
    let events = "/api/v1/audit/events";
    let request_id = created.header("x-request-id").to_owned();
    for (query, expected) in [
        (format!("client={first}&type=client.*"), vec!["client.deactivated", "client.created"]),
        (
            format!("client={first}&type=client.created&type=command.refused"),
            vec!["command.refused", "client.created"],
        ),
        (format!("client={first}&outcome=refused"), vec!["command.refused"]),
        (
            format!("client={first}&outcome=done&from=2026-01-01T00:00:00Z"),
            vec!["client.deactivated", "client.created"],
        ),
        (format!("subject=client-{second}"), vec!["client.created"]),
        ("subject=environment-sandbox".to_owned(), vec!["environment.policy_changed", "environment.created"]),
        (format!("correlation_id={request_id}"), vec!["client.created"]),
        ("q=DEPOSITION+search".to_owned(), vec!["client.created"]),
        ("q=client_not_active".to_owned(), vec!["command.refused"]),
        (format!("q=deposition&client={first}"), vec![]),
        ("ticket=INC-7&environment=sandbox&type=client.deactivated".to_owned(), vec!["client.deactivated"]),
    ] {
        assert_eq!(types(&service, &format!("{events}?{query}")).await, expected, "{query}");
    }
    for (query, parameter, named) in [
        ("type=client.vanished", "type", "client.created"),
        ("type=clients.*", "type", "client.created"),
        ("environment=staging", "environment", "production, sandbox"),
        ("outcome=maybe", "outcome", "done"),
        ("q=%2C", "q", "word"),
        ("order=up", "order", "desc"),
        ("limit=501", "limit", "500"),
        ("actor=a&actor=b", "actor", "twice"),
    ] {
        let refused =
            service.get(&format!("{events}?{query}")).await.expect_problem(400, "invalid_parameter");
        assert_eq!(refused.text_of("/errors/0/parameter"), parameter, "{query}");
        assert!(refused.text_of("/errors/0/detail").contains(named), "{query}: {}", refused.text);
    }
    // A client's own history takes the same filters, and holds nothing but its stream.
    assert_eq!(types(&service, &format!("{path}/history?type=client.created")).await, ["client.created"]);
    assert_eq!(
        types(&service, &format!("{path}/history?ticket=INC-7&order=asc")).await,
        ["client.deactivated"]
    );
    assert_eq!(types(&service, &format!("{path}/history?outcome=refused")).await, [""; 0]);
    service.finish().await;
}

#[tokio::test]
async fn o7_what_a_member_did_and_answers_for_can_be_listed() {
    let service = Service::start().await;
    let (alice, token) = service.create_member("Alice", &["integration_manager"]).await;
    let create = service.request_as(&token, reqwest::Method::POST, CLIENTS).json(&client_body("Hers"));
    let created = tests::http::answer(create).await.expect(201);
    let client = created.text_of("/client_id");
    service.post(&format!("{CLIENTS}/{client}/deactivate"), &serde_json::json!({})).await.expect(200);
    let audit = format!("/api/v1/members/{alice}/audit");
    assert_eq!(types(&service, &audit).await, ["client.created"]);
    let answers_for = types(&service, &format!("{audit}?relation=responsible&order=asc")).await;
    assert_eq!(answers_for, ["client.created", "client.deactivated"], "whoever acted");
    let done_to = types(&service, &format!("{audit}?relation=subject&type=member.*")).await;
    assert_eq!(done_to, ["member.token_issued", "member.created"]);
    let first = service.get(&format!("{audit}?relation=responsible&limit=1&order=asc")).await.expect(200);
    let next = first.text_of("/next");
    let rest = format!("{audit}?relation=responsible&limit=1&order=asc&cursor={next}");
    assert_eq!(types(&service, &rest).await, ["client.deactivated"]);
    service.get(&format!("{audit}?actor={alice}")).await.expect(400);
    service.finish().await;
}

#[tokio::test]
async fn a12_an_auditor_of_one_environment_is_answered_about_it_and_nothing_else() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let position = created.body["position"].as_u64().expect("a position");
    let body = serde_json::json!({
        "name": "Near Auditor",
        "email": "near@members.example",
        "roles": [{ "role": "auditor", "environments": ["sandbox"] }],
    });
    let member = service.post("/api/v1/members", &body).await.expect(201);
    let tokens = format!("/api/v1/members/{}/tokens", member.text_of("/member_id"));
    let body = serde_json::json!({ "label": "test", "expires_in_seconds": 3_600 });
    let token = service.post(&tokens, &body).await.expect(201).text_of("/token").to_owned();
    let ask = |path: String| tests::http::answer(service.request_as(&token, reqwest::Method::GET, &path));
    let client = format!("{CLIENTS}/{id}");
    for path in [
        "/api/v1/activity?environment=sandbox".to_owned(),
        format!("/api/v1/audit/events/{position}"),
        format!("/api/v1/audit/events/{position}?include=private"),
        format!("{client}/history"),
        format!("{client}/history?include=private"),
        format!("{client}/activity"),
    ] {
        ask(path.clone()).await.expect(200);
    }
    for path in [
        "/api/v1/activity".to_owned(),
        "/api/v1/activity?environment=production".to_owned(),
        "/api/v1/audit/events".to_owned(),
        "/api/v1/audit/events/1".to_owned(),
        "/api/v1/audit/events/99999999".to_owned(),
        format!("{client}/history").replace("sandbox", "production"),
        client.clone(),
    ] {
        ask(path.clone()).await.expect_problem(403, "permission_denied");
    }
    let told = ask("/api/v1/audit/events".to_owned()).await;
    assert_eq!(told.body["environments"], serde_json::json!(["sandbox"]));
    assert!(
        told.text_of("/detail").contains("`environment") || told.text_of("/detail").contains("environments")
    );
    service.finish().await;
}

#[tokio::test]
async fn a4_a_filter_that_can_find_nothing_is_refused_by_its_name() {
    let service = Service::start().await;
    let times = "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    for (path, parameter, rule) in [
        ("/api/v1/activity?reason=revokd".to_owned(), "reason", "unknown"),
        ("/api/v1/activity?kind=authn".to_owned(), "kind", "unknown"),
        ("/api/v1/activity?environment=sandbax".to_owned(), "environment", "unknown"),
        ("/api/v1/activity?client=zzz".to_owned(), "client", "malformed"),
        (format!("/api/v1/activity?{times}"), "to", "out_of_range"),
        ("/api/v1/activity?from=yesterday".to_owned(), "from", "malformed"),
        ("/api/v1/audit/events?client=zzz".to_owned(), "client", "malformed"),
        (format!("/api/v1/audit/events?{times}"), "to", "out_of_range"),
        (format!("/api/v1/audit/export?format=ndjson&{times}"), "to", "out_of_range"),
    ] {
        let refused = service.get(&path).await.expect_problem(400, "invalid_parameter");
        let error = &refused.body["errors"][0];
        assert_eq!((&error["parameter"], &error["rule"]), (&parameter.into(), &rule.into()), "{path}");
    }
    service.finish().await;
}
