//! Environments: islands with a policy and developer terms of their own.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Service, client_body,
    http::{CLIENTS, answer},
};

const ENVIRONMENTS: &str = "/api/v1/environments";
const SANDBOX: &str = "/api/v1/environments/sandbox";

fn rules(answer: Answer) -> Vec<(String, String)> {
    answer.expect_problem(422, "invalid_request").broken_rules()
}

fn rule(pointer: &str, rule: &str) -> (String, String) {
    (pointer.to_owned(), rule.to_owned())
}

#[tokio::test]
async fn l7_an_environment_is_opened_over_the_api_and_is_an_island() {
    let service = Service::start().await;
    service.post(&format!("{ENVIRONMENTS}/staging/clients"), &client_body("Matter sync")).await.expect(404);
    let body = json!({
        "name": "staging", "terms": ["2025-09", "2026-02"],
        "policy": { "secret_lifetime_seconds": 86_400, "code_lifetime_seconds": 30 },
    });
    let created = service.post(ENVIRONMENTS, &body).await.expect(201);
    assert_eq!(created.header("location"), "/api/v1/environments/staging");
    assert_eq!(created.body["policy"]["secret_lifetime_seconds"], 86_400);
    assert_eq!(created.body["policy"]["code_lifetime_seconds"], 30);
    assert_eq!(created.body["terms"][1]["version"], "2026-02");
    let read = service.get(&format!("{ENVIRONMENTS}/staging")).await.expect(200);
    assert_eq!(read.body["policy"], created.body["policy"]);
    service.post(ENVIRONMENTS, &body).await.expect_problem(409, "taken");

    // The same name lives on both islands, each by its own rules.
    service.create_client("Matter sync").await;
    let mut client = client_body("Matter sync");
    client["terms_accepted"] = "2026-02".into();
    let staged = service.post(&format!("{ENVIRONMENTS}/staging/clients"), &client).await.expect(201);
    assert!(staged.text_of("/token_endpoint").contains("/staging/"), "{}", staged.text);
    let lives = staged.body["client_secret_expires_at"].as_i64().expect("an expiry")
        - staged.body["client_id_issued_at"].as_i64().expect("a beginning");
    assert_eq!(lives, 86_400);

    let wrong = json!({ "name": "api", "terms": [], "policy": { "code_lifetime_seconds": 601 } });
    assert_eq!(
        rules(service.post(ENVIRONMENTS, &wrong).await),
        [
            rule("/name", "malformed"),
            rule("/terms", "required"),
            rule("/policy/code_lifetime_seconds", "out_of_range"),
        ]
    );
    service.get(&format!("{ENVIRONMENTS}/nowhere")).await.expect_problem(404, "not_found");
    service.finish().await;
}

/// A query with an example of each parameter that must be given.
fn required_parameters(operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().expect("parameters").iter();
    let required = parameters.filter(|parameter| parameter["in"] == "query" && parameter["required"] == true);
    let given = required.map(|parameter| {
        let example = parameter["example"].as_str().expect("an example of what must be given");
        format!("{}={example}", parameter["name"].as_str().expect("a name"))
    });
    given.collect::<Vec<_>>().join("&")
}

/// A body that fits the description: something for each field that must be there.
fn body_for(schema: &Value, document: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return body_for(document.pointer(pointer).expect("a schema"), document);
    }
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    match schema["type"].as_str() {
        Some("array") => json!([]),
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("boolean") => json!(false),
        Some("string") if schema["format"] == "uuid" => json!("0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e"),
        Some("string") => json!("x"),
        _ => {
            let required = schema["required"].as_array().cloned().unwrap_or_default();
            let names = required.iter().filter_map(Value::as_str);
            names.map(|name| (name.to_owned(), body_for(&schema["properties"][name], document))).collect()
        }
    }
}

#[tokio::test]
async fn l7_every_route_of_a_client_answers_404_on_another_island() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret_id = created.text_of("/secrets/0/id").to_owned();
    let document = service.get("/openapi.json").await.expect(200).body;
    let mut walked = 0;
    for (pattern, methods) in document["paths"].as_object().expect("paths") {
        if !pattern.contains("{environment}") || !pattern.contains("{client_id}") {
            continue;
        }
        for (method, operation) in methods.as_object().expect("methods") {
            let there = |environment: &str| {
                pattern
                    .replace("{environment}", environment)
                    .replace("{client_id}", &id)
                    .replace("{secret_id}", &secret_id)
            };
            let method: Method = method.to_uppercase().parse().expect("a method");
            for environment in ["production", "nowhere"] {
                let asked = format!("{}?{}", there(environment), required_parameters(operation));
                let mut request = service.request(method.clone(), &asked).header("if-match", "*");
                let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                if !schema.is_null() {
                    request = request.json(&body_for(schema, &document));
                }
                let answered = answer(request).await;
                assert_eq!(answered.status, 404, "{method} {}: {}", there(environment), answered.text);
                assert!(!answered.text.contains("Matter sync"), "{}", answered.text);
            }
            walked += 1;
        }
    }
    assert!(walked >= 12, "{walked}");
    let after = service.get(&format!("{CLIENTS}/{id}")).await.expect(200);
    assert_eq!(after.body["revision"], 1, "nothing happened to it");
    service.finish().await;
}

#[tokio::test]
async fn l2_a_newly_published_version_of_the_terms_must_be_accepted() {
    let service = Service::start().await;
    let (old, _) = service.create_client("Before").await;
    let publish = |terms: &str| json!({ "terms": terms, "reason": "the lawyers", "ticket": "LEGAL-7" });
    let terms = format!("{SANDBOX}/terms");
    let published = service.post(&terms, &publish("2026-06")).await.expect(200);
    let versions: Vec<_> =
        published.body["terms"].as_array().expect("terms").iter().map(|one| &one["version"]).collect();
    assert_eq!(versions, ["2026-01", "2026-06"]);
    assert!(published.text_of("/terms/1/published_at") > published.text_of("/terms/0/published_at"));
    assert_eq!(rules(service.post(&terms, &publish("2026-01")).await), [rule("/terms", "duplicate")]);

    let refused = service.post(CLIENTS, &client_body("After")).await;
    assert_eq!(rules(refused), [rule("/terms_accepted", "terms_not_accepted")]);
    let mut body = client_body("After");
    body["terms_accepted"] = "2026-06".into();
    let created = service.post(CLIENTS, &body).await.expect(201);
    assert_eq!(created.body["terms_accepted"], "2026-06");
    assert_eq!(created.body["terms_accepted_at"], created.body["created_at"]);
    let read = service.get(&format!("{CLIENTS}/{old}")).await.expect(200);
    assert_eq!(read.body["terms_accepted"], "2026-01", "who was there keeps what it accepted");
    let history = service.get("/api/v1/audit/events?type=environment.terms_published").await.expect(200);
    let entry = &history.body["items"][0]["entry"];
    assert_eq!(entry["data"], json!({ "terms": { "old": "2026-01", "new": "2026-06" } }));
    assert_eq!((&entry["environment"], &entry["ticket"]), (&json!("sandbox"), &json!("LEGAL-7")));
    service.finish().await;
}

#[tokio::test]
async fn a1_a_policy_asks_for_reasons_and_its_change_is_recorded_with_old_and_new() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let read = service.get(SANDBOX).await.expect(200);
    let etag = read.header("etag").to_owned();
    let change = json!({ "policy": { "reason_required": ["Delete"], "max_overlap_seconds": 60 } });
    let no_match = service.request(Method::PATCH, SANDBOX).json(&change);
    answer(no_match).await.expect_problem(428, "precondition_required");
    let changed = service.patch(SANDBOX, &etag, &change).await.expect(200);
    assert_eq!(changed.body["policy"]["reason_required"], json!(["Delete"]));
    let stale = service.patch(SANDBOX, &etag, &change).await.expect_problem(412, "precondition_failed");
    assert_eq!(
        stale.body["changed"][0]["data"],
        json!({
            "reason_required": { "old": false, "new": ["Delete"] },
            "max_overlap_seconds": { "old": 7_884_000, "new": 60 },
        })
    );

    let client = format!("{CLIENTS}/{id}");
    service.post(&format!("{client}/deactivate"), &json!({})).await.expect(200);
    assert_eq!(rules(service.delete(&client).await), [rule("/reason", "reason_required")]);
    let overlap = json!({ "overlap_seconds": 61 });
    let refused = service.post(&format!("{client}/secrets"), &overlap).await;
    assert_eq!(rules(refused), [rule("/overlap_seconds", "out_of_range")]);

    // Every command, those on the environment itself among them.
    let all = json!({ "policy": { "reason_required": true } });
    service.patch(SANDBOX, "*", &all).await.expect(200);
    let silent = service.patch(SANDBOX, "*", &json!({ "policy": { "reason_required": false } })).await;
    assert_eq!(rules(silent), [rule("/reason", "reason_required")]);
    let said = json!({ "policy": { "reason_required": false }, "reason": "too much paper" });
    service.patch(SANDBOX, "*", &said).await.expect(200);
    service.delete(&client).await.expect(204);
    service.finish().await;
}

#[tokio::test]
async fn l4_a_policy_that_contradicts_itself_or_the_catalog_is_refused() {
    let service = Service::start().await;
    let change = |policy: Value| {
        let service = &service;
        async move { service.patch(SANDBOX, "*", &json!({ "policy": policy })).await }
    };
    assert_eq!(
        rules(change(json!({ "max_secret_lifetime_seconds": 1 })).await),
        [rule("/policy/secret_lifetime_seconds", "out_of_range")]
    );
    assert_eq!(
        rules(change(json!({ "reason_required": ["DeleteEverything"] })).await),
        [rule("/policy/reason_required", "unknown")]
    );
    assert_eq!(
        rules(change(json!({ "compatibility_defaults": { "client_type": "fax" } })).await),
        [rule("/policy/compatibility_defaults/client_type", "unknown")]
    );
    let defaults = json!({ "compatibility_defaults": { "scope": "", "contacts_required": true } });
    let changed = change(defaults).await.expect(200);
    assert_eq!(
        changed.body["policy"]["compatibility_defaults"],
        json!({ "client_type": "standard", "scope": "", "contacts_required": true, "terms_required": false })
    );
    assert_eq!(
        rules(change(json!({ "compatibility_defaults": { "scope": "records:search" } })).await),
        [rule("/policy/compatibility_defaults/scope", "not_allowed_by_type")]
    );
    change(json!({ "compatibility_defaults": { "scope": "matters:read" } })).await.expect(200);
    assert_eq!(
        rules(change(json!({ "no_such_setting": 1 })).await),
        [rule("/policy/no_such_setting", "unknown_field")]
    );
    let (_, manager) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let patch = service.request_as(&manager, Method::PATCH, SANDBOX).header("if-match", "*");
    answer(patch.json(&json!({ "policy": {} }))).await.expect_problem(403, "permission_denied");
    service.finish().await;
}
