//! Who answers for a client, and how that changes.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Service, client_body,
    http::{CLIENTS, answer},
};

/// A body that creates a public client, which has no secret to hash.
fn public_body(number: usize) -> Value {
    let mut body = client_body(&format!("Public {number}"));
    body["token_endpoint_auth_method"] = json!("none");
    body
}

/// So many clients of the member behind `token`.
async fn create_clients(service: &Service, token: &str, count: usize) {
    for number in 0..count {
        let create = service.request_as(token, Method::POST, CLIENTS).json(&public_body(number));
        answer(create).await.expect(201);
    }
}

async fn change_responsible(service: &Service, id: &str, etag: &str, member: &str) -> Answer {
    let path = format!("{CLIENTS}/{id}/responsible");
    let body = json!({ "member_id": member, "reason": "Ada left", "ticket": "HR-7" });
    answer(service.request(Method::PUT, &path).header("if-match", etag).json(&body)).await
}

fn ids(answer: &Answer) -> Vec<&str> {
    let items = answer.body["items"].as_array().expect("items");
    items.iter().map(|item| item["client_id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn o7_a_token_of_one_environment_lists_what_its_member_answers_for_there() {
    let service = Service::start().await;
    let me = service.get("/api/v1/me").await.text_of("/member_id").to_owned();
    let (id, _) = service.create_client("Matter sync").await;
    service.post("/api/v1/environments/production/clients", &public_body(0)).await.expect(201);
    let path = format!("/api/v1/members/{me}/responsibilities");
    assert_eq!(ids(&service.get(&path).await.expect(200)).len(), 2);
    let limited = json!({ "label": "sandbox", "permissions": ["clients:read"], "environments": ["sandbox"], "expires_in_seconds": 60 });
    let limited = service.post(&format!("/api/v1/members/{me}/tokens"), &limited).await.expect(201);
    let listed = answer(service.request_as(limited.text_of("/token"), Method::GET, &path)).await.expect(200);
    assert_eq!(ids(&listed), [id.as_str()]);
    service.finish().await;
}

#[tokio::test]
async fn o7_another_member_can_answer_for_a_client_and_the_history_names_both() {
    let service = Service::start().await;
    let me = service.get("/api/v1/me").await.text_of("/member_id").to_owned();
    let (max, max_token) = service.create_member("Max Manager", &["integration_manager"]).await;
    let (left, _) = service.create_member("Left Already", &["integration_manager"]).await;
    let (auditor, auditor_token) = service.create_member("Quiet Auditor", &["auditor"]).await;
    service.post(&format!("/api/v1/members/{left}/deactivate"), &json!({})).await.expect(200);
    let (id, _) = service.create_client("Matter sync").await;
    let path = format!("{CLIENTS}/{id}/responsible");

    let put = service.request(Method::PUT, &path).json(&json!({ "member_id": max }));
    answer(put).await.expect_problem(428, "precondition_required");
    change_responsible(&service, &id, "\"7\"", &max).await.expect_problem(412, "precondition_failed");
    for (member, rule) in
        [(&left, "not_active"), (&"0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e".to_owned(), "unknown")]
    {
        let refused = change_responsible(&service, &id, "*", member).await;
        let rules = refused.expect_problem(422, "invalid_request").broken_rules();
        assert_eq!(rules, [("/member_id".to_owned(), rule.to_owned())]);
    }
    let put = service.request_as(&auditor_token, Method::PUT, &path).header("if-match", "*");
    answer(put.json(&json!({ "member_id": auditor }))).await.expect_problem(403, "permission_denied");

    let changed = change_responsible(&service, &id, "\"1\"", &max).await.expect(200);
    assert_eq!(changed.body["responsible"], max);
    assert_eq!(changed.header("etag"), "\"2\"");
    let same = change_responsible(&service, &id, "*", &max).await.expect(200);
    assert_eq!(same.header("etag"), "\"2\"", "nothing changes, and nothing is recorded");
    service.post(&format!("{CLIENTS}/{id}/deactivate"), &json!({})).await.expect(200);
    let history = service.get(&format!("{CLIENTS}/{id}/history?order=asc")).await.expect(200);
    let entries: Vec<_> =
        history.body["items"].as_array().expect("items").iter().map(|item| &item["entry"]).collect();
    assert_eq!(entries[1]["type"], "client.responsible_changed");
    assert_eq!(entries[1]["data"], json!({ "responsible": { "old": me, "new": max } }));
    assert_eq!((&entries[1]["ticket"], &entries[1]["responsible"]), (&json!("HR-7"), &json!(me)));
    assert_eq!(entries[2]["responsible"], max, "from then on");

    let report = format!("/api/v1/members/{max}/responsibilities");
    let own = answer(service.request_as(&max_token, Method::GET, &report)).await.expect(200);
    assert_eq!(ids(&own), [&id]);
    assert_eq!(own.body["items"][0]["environment"], "sandbox");
    assert_eq!(own.body["items"][0]["status"], "inactive");
    answer(service.request_as(&auditor_token, Method::GET, &report)).await.expect(200);
    let of_mine = format!("/api/v1/members/{me}/responsibilities");
    let body = json!({ "label": "ci", "permissions": ["clients:read"], "expires_in_seconds": 60 });
    let tokens = format!("/api/v1/members/{max}/tokens");
    let issued = answer(service.request_as(&max_token, Method::POST, &tokens).json(&body)).await.expect(201);
    let little = issued.text_of("/token");
    assert_eq!(ids(&answer(service.request_as(little, Method::GET, &report)).await.expect(200)), [&id]);
    let refused = answer(service.request_as(little, Method::GET, &of_mine)).await;
    assert_eq!(refused.expect_problem(403, "permission_denied").body["permission"], "audit:read");
    assert!(ids(&service.get(&of_mine).await.expect(200)).is_empty());
    let nobody = "/api/v1/members/0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e/responsibilities";
    service.get(nobody).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn o7_all_that_a_member_answers_for_is_handed_over_step_by_step() {
    let service = Service::start().await;
    let (ada, ada_token) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let (max, max_token) = service.create_member("Max Manager", &["integration_manager"]).await;
    create_clients(&service, &ada_token, 102).await;
    let gone =
        ids(&service.get(&format!("/api/v1/members/{ada}/responsibilities?limit=1")).await)[0].to_owned();
    service.delete(&format!("{CLIENTS}/{gone}")).await.expect(204);
    let off = service.post(&format!("/api/v1/members/{ada}/deactivate"), &json!({})).await.expect(200);
    assert_eq!((&off.body["status"], &off.body["responsible_for"]), (&json!("inactive"), &json!(101)));

    let path = format!("/api/v1/members/{ada}/hand_over");
    let body = |to: &str| json!({ "to": to, "reason": "Ada left", "ticket": "HR-7" });
    for (to, rule) in
        [(&ada, "contradiction"), (&"0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e".to_owned(), "unknown")]
    {
        let refused = service.post(&path, &body(to)).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.broken_rules(), [("/to".to_owned(), rule.to_owned())]);
    }
    let nobody = "/api/v1/members/0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e/hand_over";
    service.post(nobody, &body(&max)).await.expect_problem(404, "not_found");
    let step = |key: &'static str| {
        answer(service.request(Method::POST, &path).header("idempotency-key", key).json(&body(&max)))
    };
    let first = step("one").await.expect(200);
    assert_eq!((&first.body["handed_over"], &first.body["left"]), (&json!(100), &json!(1)));
    let again = step("one").await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!((&again.body["handed_over"], &again.body["left"]), (&json!(100), &json!(1)));
    let second = step("two").await.expect(200);
    assert_eq!((&second.body["handed_over"], &second.body["left"]), (&json!(1), &json!(0)));
    let done = step("three").await.expect(200);
    assert_eq!((&done.body["handed_over"], &done.body["left"]), (&json!(0), &json!(0)));

    let report = format!("/api/v1/members/{max}/responsibilities?limit=100");
    let page = answer(service.request_as(&max_token, Method::GET, &report)).await.expect(200);
    assert_eq!(ids(&page).len(), 100);
    let rest = service.get(&format!("{report}&cursor={}", page.text_of("/next"))).await.expect(200);
    assert_eq!((ids(&rest).len(), &rest.body["next"]), (1, &json!(null)));
    let left =
        service.get(&format!("/api/v1/members/{ada}/responsibilities?status=deleted")).await.expect(200);
    assert_eq!(ids(&left), [&gone], "what was deleted stays hers");
    let events = "/api/v1/audit/events?type=client.responsible_changed&ticket=HR-7&limit=500";
    let events = service.get(events).await.expect(200);
    assert_eq!(events.body["items"].as_array().map(Vec::len), Some(101), "one event for each");
    service.finish().await;
}

#[tokio::test]
async fn o7_of_two_who_hand_over_the_same_clients_each_client_goes_to_one() {
    let service = Service::start().await;
    let (ada, ada_token) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let (max, _) = service.create_member("Max Manager", &["integration_manager"]).await;
    let (eve, _) = service.create_member("Eve Manager", &["integration_manager"]).await;
    create_clients(&service, &ada_token, 20).await;
    let path = format!("/api/v1/members/{ada}/hand_over");
    let to = |member: &str| answer(service.request(Method::POST, &path).json(&json!({ "to": member })));
    let (one, other) = tokio::join!(to(&max), to(&eve));
    let counts = [one.expect(200), other.expect(200)].map(|step| step.body["handed_over"].as_u64());
    assert_eq!(counts.iter().flatten().sum::<u64>(), 20, "{counts:?}");
    let events =
        service.get("/api/v1/audit/events?type=client.responsible_changed&limit=500").await.expect(200);
    assert_eq!(events.body["items"].as_array().map(Vec::len), Some(20));
    service.finish().await;
}

#[tokio::test]
async fn o2_clients_are_listed_by_what_there_is() {
    let service = Service::start().await;
    let me = service.get("/api/v1/me").await.text_of("/member_id").to_owned();
    let (max, max_token) = service.create_member("Max Manager", &["integration_manager"]).await;
    let (mine, _) = service.create_client("Mine").await;
    let mut body = client_body("Narrow");
    body["scope"] = json!("matters:read");
    let narrow = answer(service.request_as(&max_token, Method::POST, CLIENTS).json(&body)).await.expect(201);
    let narrow = narrow.text_of("/client_id");
    let list = |filter: String| {
        let service = &service;
        async move { service.get(&format!("{CLIENTS}?{filter}")).await }
    };
    for (filter, expected) in [
        (format!("responsible={me}"), vec![mine.as_str()]),
        (format!("responsible={max}"), vec![narrow]),
        ("scope=matters:read".to_owned(), vec![narrow, &mine]),
        ("scope=matters:write".to_owned(), vec![&mine]),
        (format!("scope=matters:write&responsible={max}"), vec![]),
        (format!("type=standard&scope=matters:read&q=nar&responsible={max}"), vec![narrow]),
        ("type=webhook".to_owned(), vec![]),
    ] {
        assert_eq!(ids(&list(filter.clone()).await.expect(200)), expected, "{filter}");
    }
    for (filter, parameter, there_is) in [
        ("type=standrad", "type", "standard"),
        ("scope=matters:raed", "scope", "matters:read"),
        ("responsible=0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e", "responsible", "no such member"),
    ] {
        let refused = list(filter.to_owned()).await.expect_problem(400, "invalid_parameter");
        assert_eq!(refused.body["errors"][0]["parameter"], parameter);
        assert_eq!(refused.body["errors"][0]["rule"], "unknown");
        assert!(refused.text_of("/errors/0/detail").contains(there_is), "{}", refused.text);
    }
    service.finish().await;
}
