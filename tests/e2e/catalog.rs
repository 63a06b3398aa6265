//! The catalog: client types and scopes.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Service, client_body,
    http::{CLIENTS, answer},
};

const TYPES: &str = "/api/v1/client_types";
const SCOPES: &str = "/api/v1/scopes";

/// A client of some type that asks for these scopes.
fn client_of(client_name: &str, client_type: &str, scope: &str) -> Value {
    let mut body = client_body(client_name);
    body["client_type"] = client_type.into();
    body["scope"] = scope.into();
    body
}

async fn refused_types(service: &Service) -> Vec<Value> {
    let events = service.get("/api/v1/audit/events?type=command.refused").await.expect(200);
    let items = events.body["items"].as_array().expect("items");
    items.iter().map(|item| item["entry"]["data"].clone()).collect()
}

fn rules(answer: Answer) -> Vec<(String, String)> {
    answer.expect_problem(422, "invalid_request").broken_rules()
}

fn rule(pointer: &str, rule: &str) -> (String, String) {
    (pointer.to_owned(), rule.to_owned())
}

#[tokio::test]
async fn o2_a_type_is_made_and_changed_over_the_api() {
    let service = Service::start().await;
    let body = json!({
        "name": "fax-gateway", "description": "Sends faxes", "scopes": ["documents:read"],
        "daily_quota": 1_000, "reason": "a new kind of integration", "ticket": "CAT-1",
    });
    let created = service.post(TYPES, &body).await.expect(201);
    assert_eq!(created.header("location"), "/api/v1/client_types/fax-gateway");
    assert_eq!(created.header("etag"), "\"2\"", "its creation and its quota");
    assert_eq!(created.body["daily_quota"], 1_000);
    let fax = format!("{TYPES}/fax-gateway");
    let read = service.get(&fax).await.expect(200);
    assert_eq!(read.body["scopes"], json!(["documents:read"]));
    assert_eq!((&read.body["singleton"], &read.body["deprecated"]), (&json!(false), &json!(false)));

    let change = json!({
        "description": "Sends and receives faxes", "scopes": ["documents:read", "documents:write"],
        "daily_quota": null,
    });
    let no_match = service.request(Method::PATCH, &fax).json(&change);
    answer(no_match).await.expect_problem(428, "precondition_required");
    let changed = service.patch(&fax, "\"2\"", &change).await.expect(200);
    assert_eq!(changed.body["daily_quota"], Value::Null);
    assert_eq!(changed.body["description"], "Sends and receives faxes");
    let stale = service.patch(&fax, "\"2\"", &change).await.expect_problem(412, "precondition_failed");
    let types: Vec<_> =
        stale.body["changed"].as_array().expect("changes").iter().map(|one| &one["type"]).collect();
    assert_eq!(
        types,
        ["client_type.description_changed", "client_type.scopes_changed", "client_type.daily_quota_changed"]
    );
    assert_eq!(stale.body["changed"][2]["data"]["daily_quota"], json!({ "old": 1_000, "new": null }));
    service.post(CLIENTS, &client_of("Fax", "fax-gateway", "documents:write")).await.expect(201);

    let again = service.post(TYPES, &body).await.expect_problem(409, "taken");
    assert_eq!(again.broken_rules(), [rule("/name", "taken")]);
    service.get(&format!("{TYPES}/nothing")).await.expect_problem(404, "not_found");
    service.patch(&format!("{TYPES}/nothing"), "*", &change).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn o2_one_answer_names_all_that_is_wrong_with_a_type() {
    let service = Service::start().await;
    let body = json!({
        "name": "Fax Gateway", "description": "", "scopes": ["documents:read", "faxes:send"], "daily_quota": 0,
        "ticket": "a b",
    });
    assert_eq!(
        rules(service.post(TYPES, &body).await),
        [
            rule("/name", "malformed"),
            rule("/description", "required"),
            rule("/scopes/1", "unknown"),
            rule("/daily_quota", "out_of_range"),
            rule("/ticket", "malformed"),
        ]
    );
    assert_eq!(refused_types(&service).await[0]["command"], "CreateClientType");
    service.finish().await;
}

#[tokio::test]
async fn o2_the_second_client_of_a_singleton_type_hears_that_it_is_taken() {
    let service = Service::start().await;
    let body = json!({
        "name": "archive", "description": "The one archive", "scopes": ["documents:read"], "singleton": true,
    });
    service.post(TYPES, &body).await.expect(201);
    let first = service.post(CLIENTS, &client_of("Archive", "archive", "documents:read")).await.expect(201);
    let second = client_of("Archive 2", "archive", "documents:read");
    let taken = service.post(CLIENTS, &second).await.expect_problem(409, "taken");
    assert_eq!(taken.broken_rules(), [rule("/client_type", "taken")]);
    let recorded = refused_types(&service).await;
    assert_eq!(recorded[0]["errors"], json!([{ "pointer": "/client_type", "rule": "taken" }]));
    // One in each environment; and again one here when the first is gone.
    service.post("/api/v1/environments/production/clients", &second).await.expect(201);
    service.delete(&format!("{CLIENTS}/{}", first.text_of("/client_id"))).await.expect(204);
    service.post(CLIENTS, &second).await.expect(201);
    service.finish().await;
}

#[tokio::test]
async fn o2_a_deprecated_type_takes_no_clients_until_it_is_restored() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let standard = format!("{TYPES}/standard");
    let deprecated = service.post(&format!("{standard}/deprecate"), &json!({ "reason": "too wide" })).await;
    assert_eq!(deprecated.expect(200).body["deprecated"], true);
    let again = service.post(&format!("{standard}/deprecate"), &json!({})).await.expect(200);
    assert_eq!(again.header("etag"), "\"2\"", "nothing happened");
    assert_eq!(
        rules(service.post(CLIENTS, &client_body("Another")).await),
        [rule("/client_type", "deprecated")]
    );
    assert_eq!(
        refused_types(&service).await[0]["errors"],
        json!([{ "pointer": "/client_type", "rule": "deprecated" }])
    );
    let live = service.patch(&format!("{CLIENTS}/{id}"), "*", &json!({ "client_name": "Lives on" })).await;
    live.expect(200);
    service.post(&format!("{CLIENTS}/{id}/secrets"), &json!({ "overlap_seconds": 0 })).await.expect(201);
    service.post(&format!("{standard}/restore"), &json!({})).await.expect(200);
    service.post(CLIENTS, &client_body("Another")).await.expect(201);
    service.finish().await;
}

#[tokio::test]
async fn o2_a_deprecated_scope_is_given_to_no_more_clients() {
    let service = Service::start().await;
    let body = json!({ "name": "faxes:send", "description": "Send faxes in your name" });
    let created = service.post(SCOPES, &body).await.expect(201);
    assert_eq!(created.header("location"), "/api/v1/scopes/faxes:send");
    service.post(SCOPES, &body).await.expect_problem(409, "taken");
    let fax = format!("{SCOPES}/faxes:send");
    let described = service.patch(&fax, "\"1\"", &json!({ "description": "Send faxes" })).await.expect(200);
    assert_eq!(described.body["description"], "Send faxes");
    answer(service.request(Method::PATCH, &fax).json(&json!({})))
        .await
        .expect_problem(428, "precondition_required");
    let scopes = json!({ "scopes": ["matters:read", "matters:write", "faxes:send"] });
    service.patch(&format!("{TYPES}/standard"), "*", &scopes).await.expect(200);
    let holder = service.post(CLIENTS, &client_of("Fax", "standard", "faxes:send")).await.expect(201);
    let holder = format!("{CLIENTS}/{}", holder.text_of("/client_id"));
    let (other, _) = service.create_client("Matter sync").await;

    let deprecated = service.post(&format!("{fax}/deprecate"), &json!({})).await.expect(200);
    assert_eq!(deprecated.body["deprecated"], true);
    let refused = service.post(CLIENTS, &client_of("Fax 2", "standard", "matters:read faxes:send")).await;
    assert_eq!(rules(refused), [rule("/scope", "deprecated")]);
    let add = json!({ "scope": "matters:read faxes:send" });
    let refused = service.patch(&format!("{CLIENTS}/{other}"), "*", &add).await;
    assert_eq!(rules(refused), [rule("/scope", "deprecated")]);
    // Who holds it keeps it, even while it takes other scopes.
    assert_eq!(service.patch(&holder, "*", &add).await.expect(200).body["scope"], "faxes:send matters:read");
    let new_type = json!({ "name": "fax", "description": "Faxes", "scopes": ["faxes:send"] });
    assert_eq!(rules(service.post(TYPES, &new_type).await), [rule("/scopes/0", "deprecated")]);
    service.post(&format!("{fax}/restore"), &json!({})).await.expect(200);
    service.post(CLIENTS, &client_of("Fax 2", "standard", "matters:read faxes:send")).await.expect(201);

    let strange = json!({ "name": "https://a.example/read", "description": " " });
    assert_eq!(
        rules(service.post(SCOPES, &strange).await),
        [rule("/name", "malformed"), rule("/description", "required")]
    );
    service.get(&format!("{SCOPES}/%20")).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn o2_the_catalog_is_changed_by_who_may_and_once_for_a_key() {
    let service = Service::start().await;
    let (_, manager) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let body = json!({ "name": "faxes:send", "description": "Send faxes in your name" });
    let post = service.request_as(&manager, Method::POST, SCOPES).json(&body);
    answer(post).await.expect_problem(403, "permission_denied");
    assert_eq!(refused_types(&service).await[0]["command"], "CreateScope");
    let read = service.request_as(&manager, Method::GET, &format!("{SCOPES}/openid"));
    answer(read).await.expect(200);

    let post = || service.request(Method::POST, SCOPES).header("idempotency-key", "one").json(&body);
    let first = answer(post()).await.expect(201);
    let second = answer(post()).await.expect(201);
    assert_eq!(second.header("idempotent-replayed"), "true");
    assert_eq!(first.header("muniment-position"), second.header("muniment-position"));
    service.finish().await;
}
