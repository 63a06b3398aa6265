//! The API that another product's client library uses, by that library and by plain HTTP.

use std::process::Command;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Service,
    http::{Answer, answer},
    npm::{self, Packages},
    python,
};
use tokio::task::JoinSet;

const CLIENTS: &str = "/api/v2/oauth/clients";
/// An id that is nothing's.
const NOTHING: &str = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e";
/// The version of the official client that the tests were last looked at with.
const VERSION: &str = "25.0.1";

/// The official client in TypeScript, by version and digest.
const TYPESCRIPT: Packages = Packages {
    name: "compatibility",
    wanted: include_str!("../compatibility/package.json"),
    locked: include_str!("../compatibility/package-lock.json"),
};

/// Drives the official Python client through a flow of `compatibility.py`.
fn official(service: &Service, token: &str, flow: &str) {
    let output = Command::new(python::program("launchdarkly-api", VERSION, "python"))
        .args(["-c", include_str!("compatibility.py"), &service.base, token, flow])
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{flow}: {}", String::from_utf8_lossy(&output.stderr));
}

fn body(name: &str) -> Value {
    json!({ "name": name, "redirectUri": "https://app.example.com/callback" })
}

async fn create(service: &Service, name: &str) -> (String, Answer) {
    let created = service.post(CLIENTS, &body(name)).await.expect(201);
    (format!("{CLIENTS}/{}", created.text_of("/_clientId")), created)
}

async fn patch(service: &Service, path: &str, body: &Value) -> Answer {
    answer(service.request(Method::PATCH, path).json(body)).await
}

/// A request with this header in the place of a token.
fn authorized(service: &Service, method: Method, path: &str, authorization: &str) -> RequestBuilder {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    http.request(method, format!("{}{path}", service.base)).header("authorization", authorization)
}

/// Expects an error of the dialect, and answers its message.
#[track_caller]
fn told(answer: Answer, status: u16, code: &str) -> String {
    let answer = answer.expect(status);
    assert_eq!(answer.header("content-type"), "application/json", "{}", answer.text);
    assert_eq!(answer.body["code"], code, "{}", answer.text);
    assert_eq!(answer.body["id"], answer.header("x-request-id"), "{}", answer.text);
    assert_eq!(answer.body.as_object().map(serde_json::Map::len), Some(3), "{}", answer.text);
    answer.text_of("/message").to_owned()
}

#[tokio::test]
async fn d1_the_official_python_client_lists_creates_gets_patches_and_deletes() {
    let service = Service::start().await;
    official(&service, &service.token, "life");
    service.finish().await;
}

#[tokio::test]
async fn d1_the_official_python_client_understands_every_error() {
    let service = Service::start().await;
    official(&service, &service.token, "errors");
    let (_, auditor) = service.create_member("Only Looks", &["auditor"]).await;
    official(&service, &auditor, "forbidden");
    service.finish().await;
}

#[tokio::test]
async fn d1_the_official_typescript_client_does_the_same() {
    let service = Service::start().await;
    let output = Command::new("node")
        .args(["--input-type=module", "--eval", include_str!("compatibility.mjs")])
        .arg(npm::installed(&TYPESCRIPT))
        .args([&service.base, &service.token])
        .output()
        .expect("Node: ./tests/run installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    service.finish().await;
}

#[tokio::test]
async fn d3_of_many_who_patch_at_once_one_is_first_and_the_others_see_it() {
    let service = Service::start().await;
    let (path, _) = create(&service, "0").await;
    for number in 0..3_u32 {
        let count = json!([
            { "op": "test", "path": "/name", "value": number.to_string() },
            { "op": "replace", "path": "/name", "value": (number + 1).to_string() },
            { "op": "add", "path": "/description", "value": format!("of {}", number + 1) },
        ]);
        let mut asked = JoinSet::new();
        for _ in 0..8 {
            asked.spawn(answer(service.request(Method::PATCH, &path).json(&count)));
        }
        let mut statuses: Vec<_> = asked.join_all().await.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [vec![200], vec![422; 7]].concat(), "the first one wins, the others see it");
        let client = service.get(&path).await.expect(200);
        assert_eq!(client.text_of("/description"), format!("of {}", client.text_of("/name")));
    }
    service.finish().await;
}

#[tokio::test]
async fn d1_answers_have_the_shapes_of_that_api_and_no_others() {
    let service = Service::start().await;
    let (path, created) = create(&service, "Matter sync").await;
    let id = created.text_of("/_clientId");
    let link = |href: &str| json!({ "href": href, "type": "application/json" });
    assert!(
        created.body["_creationDate"].as_i64().expect("an integer") > 1_700_000_000_000,
        "{}",
        created.text
    );
    let mut expected = json!({
        "_links": { "parent": link(CLIENTS), "self": link(&path) },
        "_accountId": created.body["_accountId"],
        "_clientId": id,
        "_clientSecret": created.body["_clientSecret"],
        "_creationDate": created.body["_creationDate"],
        "name": "Matter sync",
        "redirectUri": "https://app.example.com/callback",
    });
    assert_eq!(created.body, expected);
    assert_eq!(created.header("location"), path);
    assert_eq!(created.header("content-type"), "application/json");
    expected.as_object_mut().expect("an object").remove("_clientSecret");
    let got = service.get(&path).await.expect(200);
    assert_eq!(got.body, expected);
    let listed = service.get(CLIENTS).await.expect(200);
    assert_eq!(listed.body, json!({ "_links": { "self": link(CLIENTS) }, "items": [expected] }));
    let patched = patch(&service, &path, &json!([])).await.expect(200);
    assert_eq!(patched.body, expected);
    let deleted = service.delete(&path).await.expect(204);
    assert!(deleted.text.is_empty() && deleted.header("content-type").is_empty());
    told(service.get(&path).await, 404, "not_found");
    told(patch(&service, &path, &json!([])).await, 404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn d1_whatever_is_wrong_with_a_request_is_told_in_the_dialect() {
    let service = Service::start().await;
    let (path, _) = create(&service, "Matter sync").await;
    let raw = |method: Method, path: &str, content_type: &str, body: String| {
        answer(service.request(method, path).header("content-type", content_type).body(body))
    };
    let json = "application/json";
    told(raw(Method::POST, CLIENTS, json, "{\"name\":".into()).await, 400, "invalid_request");
    told(raw(Method::POST, CLIENTS, json, "[]".into()).await, 400, "invalid_request");
    told(raw(Method::POST, CLIENTS, json, String::new()).await, 400, "invalid_request");
    told(raw(Method::POST, CLIENTS, "text/plain", "{}".into()).await, 415, "unsupported_media_type");
    told(raw(Method::POST, CLIENTS, json, " ".repeat(70_000)).await, 413, "body_too_large");
    told(raw(Method::PATCH, &path, json, "{}".into()).await, 400, "invalid_request");
    let not_allowed = service.request(Method::PUT, &path).json(&json!({}));
    let refused = answer(not_allowed).await;
    assert_eq!(refused.header("allow"), "GET, HEAD, PATCH, DELETE");
    told(refused, 405, "method_not_allowed");
    for nowhere in
        ["/api/v2", "/api/v2/", "/api/v2/projects", "/api/v2/oauth/clients/", "/api/v2/oauth/clients/x/y"]
    {
        told(service.get(nowhere).await, 404, "not_found");
    }
    for strange in [NOTHING, "x", "a%2Fb%20c", "%FF", "..%2F..", &"x".repeat(3_000)] {
        told(service.get(&format!("{CLIENTS}/{strange}")).await, 404, "not_found");
    }
    let escaped = path.replace('-', "%2D");
    assert_eq!(service.get(&escaped).await.expect(200).text_of("/name"), "Matter sync");
    let unread =
        json!({ "name": "Other", "redirectUri": "https://a.example/cb", "description": null, "scopes": 7 });
    service.post(&format!("{CLIENTS}?summary=1"), &unread).await.expect(201);
    let versioned = service.request(Method::GET, CLIENTS).header("ld-api-version", "20240415");
    answer(versioned).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn d1_who_asks_too_much_is_told_to_wait() {
    let service =
        Service::start_with_settings("[limits]\nreads_per_minute = 2\nanonymous_per_minute = 2\n").await;
    for _ in 0..2 {
        service.get(CLIENTS).await.expect(200);
        let guess = authorized(&service, Method::GET, CLIENTS, "mpt_guess");
        told(answer(guess).await, 401, "unauthorized");
    }
    for refused in
        [service.request(Method::GET, CLIENTS), authorized(&service, Method::GET, CLIENTS, "mpt_guess")]
    {
        let refused = answer(refused).await;
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
        told(refused, 429, "rate_limited");
    }
    service.finish().await;
}

#[tokio::test]
async fn d1_what_is_not_sent_comes_from_policy_token_and_who_asks() {
    let service = Service::start().await;
    let (member, token) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let made = authorized(&service, Method::POST, CLIENTS, &token).json(&body("Matter sync"));
    let id = answer(made).await.expect(201).text_of("/_clientId").to_owned();
    let production = "/api/v1/environments/production";
    let client = service.get(&format!("{production}/clients/{id}?include=private")).await.expect(200);
    assert_eq!(client.body["client_type"], "standard");
    assert_eq!(client.body["scope"], "email offline_access openid profile");
    assert_eq!(client.body["terms_accepted"], "2026-01");
    assert_eq!(client.body["responsible"], member.as_str());
    assert_eq!(client.body["contacts"][0]["name"], "Ada Lovelace");
    assert_eq!(client.body["contacts"][0]["email"], "ada.lovelace@members.example");

    let settings = json!({ "compatibility_defaults": { "scope": "" } });
    service.patch(production, "*", &json!({ "policy": settings })).await.expect(200);
    service.post("/api/v1/scopes/email/deprecate", &json!({})).await.expect(200);
    let (path, _) = create(&service, "All of it").await;
    let id = path.rsplit('/').next().expect("an id");
    let client = service.get(&format!("{production}/clients/{id}")).await.expect(200);
    let scope = client.text_of("/scope");
    assert!(scope.contains("matters:write") && !scope.contains("email"), "{scope}");

    for (settings, named) in [
        (json!({ "contacts_required": true }), "contacts_required"),
        (json!({ "terms_required": true }), "terms_required"),
        (json!({ "client_type": null, "scope": "" }), "client_type"),
    ] {
        let change = json!({ "policy": { "compatibility_defaults": settings } });
        service.patch(production, "*", &change).await.expect(200);
        let message = told(service.post(CLIENTS, &body("Too much")).await, 400, "invalid_request");
        assert!(message.contains(&format!("compatibility_defaults.{named}")), "{message}");
        assert!(message.contains("`production`"), "{message}");
    }
    service.finish().await;
}

#[tokio::test]
async fn d1_a_reason_that_must_be_given_is_the_comment() {
    let service = Service::start().await;
    let production = "/api/v1/environments/production";
    let policy = json!({ "policy": { "reason_required": ["CreateClient", "ChangeClient", "Delete"] } });
    service.patch(production, "*", &policy).await.expect(200);
    let message = told(service.post(CLIENTS, &body("Matter sync")).await, 400, "invalid_request");
    assert!(message.contains("comment: "), "{message}");
    let mut commented = body("Matter sync");
    commented["comment"] = json!("a partner asks");
    let created = service.post(CLIENTS, &commented).await.expect(201);
    let path = format!("{CLIENTS}/{}", created.text_of("/_clientId"));
    told(patch(&service, &path, &json!([])).await, 400, "invalid_request");
    told(service.delete(&path).await, 400, "invalid_request");
    let delete = service.request(Method::DELETE, &path).json(&json!({ "comment": "no longer" }));
    answer(delete).await.expect(204);
    service.finish().await;
}

#[tokio::test]
async fn d1_a_description_is_shown_and_changed_by_both_apis() {
    let service = Service::start().await;
    let clients = "/api/v1/environments/production/clients";
    let mut described = tests::client_body("Matter sync");
    described["description"] = json!(" Keeps matters in step ");
    let created = service.post(clients, &described).await.expect(201);
    assert_eq!(created.body["description"], "Keeps matters in step");
    let id = created.text_of("/client_id");
    let (here, there) = (format!("{CLIENTS}/{id}"), format!("{clients}/{id}"));
    assert_eq!(service.get(&here).await.expect(200).body["description"], "Keeps matters in step");
    let described = json!([{ "op": "replace", "path": "/description", "value": "In step" }]);
    patch(&service, &here, &described).await.expect(200);
    assert_eq!(service.get(&there).await.expect(200).body["description"], "In step");
    service.patch(&there, "*", &json!({ "description": null })).await.expect(200);
    assert!(service.get(&here).await.expect(200).body.get("description").is_none());
    let long = json!({ "description": "x".repeat(1_001) });
    let refused = service.patch(&there, "*", &long).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.broken_rules(), [("/description".to_owned(), "too_long".to_owned())]);
    let long = json!([{ "op": "add", "path": "/description", "value": "x".repeat(1_001) }]);
    let message = told(patch(&service, &here, &long).await, 400, "invalid_request");
    assert!(message.contains("description: must have at most 1000"), "{message}");
    let events = service.get(&format!("{there}/history?type=client.description_changed&order=asc")).await;
    let items = events.expect(200).body["items"].as_array().cloned().unwrap_or_default();
    let changes: Vec<_> = items.iter().map(|item| &item["entry"]["data"]["description"]).collect();
    assert_eq!(changes.len(), 3);
    assert_eq!(*changes[2], json!({ "old": "In step", "new": null }));
    service.finish().await;
}

#[tokio::test]
async fn d2_a_token_comes_without_a_scheme_or_as_bearer_and_what_is_refused_is_recorded() {
    let service = Service::start().await;
    let token = &service.token;
    for sent in [token.clone(), format!("Bearer {token}"), format!("bearer  {token}"), format!(" {token}")] {
        answer(authorized(&service, Method::GET, CLIENTS, &sent)).await.expect(200);
    }
    let plain = authorized(&service, Method::GET, "/api/v1/me", token);
    answer(plain).await.expect_problem(401, "unauthenticated");
    for sent in ["", "Bearer", "mpt_wrong", &format!("Basic {token}"), &format!("{token} {token}")] {
        let refused = answer(authorized(&service, Method::GET, CLIENTS, sent)).await;
        assert_eq!(refused.header("www-authenticate"), "Bearer", "{sent}");
        told(refused, 401, "unauthorized");
    }
    let twice = authorized(&service, Method::GET, CLIENTS, token).header("authorization", token);
    told(answer(twice).await, 401, "unauthorized");

    let (member, looks) = service.create_member("Only Looks", &["auditor"]).await;
    told(answer(authorized(&service, Method::GET, CLIENTS, &looks)).await, 403, "forbidden");
    let create = authorized(&service, Method::POST, CLIENTS, &looks).json(&body("Matter sync"));
    let message = told(answer(create).await, 403, "forbidden");
    assert!(message.contains("`clients:write`"), "{message}");
    let path = format!("/api/v1/audit/events?actor={member}&type=command.refused&order=asc");
    let events = service.get(&path).await.expect(200);
    let items = events.body["items"].as_array().expect("items").iter().map(|item| &item["entry"]);
    let recorded: Vec<_> = items
        .map(|entry| (&entry["data"]["command"], &entry["data"]["problem"], &entry["environment"]))
        .collect();
    let (denied, production) = (json!("permission_denied"), json!("production"));
    assert_eq!(
        recorded,
        [(&json!("ListClients"), &denied, &production), (&json!("CreateClient"), &denied, &production)]
    );
    service.finish().await;
}

#[tokio::test]
async fn d2_a_token_acts_where_it_is_limited_to_or_else_where_the_setting_says() {
    let settings = "[compatibility]\nenvironment = \"staging\"\n";
    let service = Service::start_with_settings(settings).await;
    let message = told(service.get(CLIENTS).await, 404, "not_found");
    assert!(message.contains("no such environment"), "{message}");
    let staging = json!({ "name": "staging", "terms": ["2026-01"] });
    service.post("/api/v1/environments", &staging).await.expect(201);
    told(service.post(CLIENTS, &body("Matter sync")).await, 400, "invalid_request");
    assert_eq!(service.get(CLIENTS).await.expect(200).body["items"], json!([]));

    let me = service.get("/api/v1/me").await.expect(200);
    let tokens = format!("/api/v1/members/{}/tokens", me.text_of("/member_id"));
    let limited = json!({
        "label": "sandbox", "expires_in_seconds": 3_600, "environments": ["sandbox"],
        "permissions": ["clients:read", "clients:write"],
    });
    let limited = service.post(&tokens, &limited).await.expect(201).text_of("/token").to_owned();
    let made = authorized(&service, Method::POST, CLIENTS, &limited).json(&body("Matter sync"));
    let made = answer(made).await.expect(201);
    let path = format!("{CLIENTS}/{}", made.text_of("/_clientId"));
    let seen = answer(authorized(&service, Method::GET, &path, &limited)).await.expect(200);
    assert_eq!(seen.text_of("/_accountId"), made.text_of("/_accountId"));
    told(service.get(&path).await, 404, "not_found");
    told(service.delete(&path).await, 404, "not_found");
    let elsewhere = format!("/api/v1/environments/sandbox/clients/{}", made.text_of("/_clientId"));
    service.get(&elsewhere).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn d3_a_patch_is_all_or_nothing_and_its_comment_is_the_reason() {
    let service = Service::start().await;
    let (path, created) = create(&service, "Matter sync").await;
    let replace = |path: &str, value: Value| json!({ "op": "replace", "path": path, "value": value });
    let rename = replace("/name", json!("Renamed"));
    for (second, status, code) in [
        (json!({ "op": "test", "path": "/name", "value": "Matter sync" }), 422, "patch_failed"),
        (json!({ "op": "remove", "path": "/nothing" }), 400, "invalid_request"),
        (replace("/_accountId", json!("x")), 400, "invalid_request"),
        (replace("/_creationDate", json!(0)), 400, "invalid_request"),
        (replace("/redirectUri", json!("https://a.example/cb?x=1")), 400, "invalid_request"),
    ] {
        told(patch(&service, &path, &json!([rename, second])).await, status, code);
        assert_eq!(service.get(&path).await.expect(200).text_of("/name"), "Matter sync");
    }
    let body = json!({
        "comment": "the partner has a new name",
        "patch": [
            { "op": "test", "path": "/_accountId", "value": created.body["_accountId"] },
            { "op": "test", "path": "/_links/self/href", "value": path },
            rename,
        ],
    });
    assert_eq!(patch(&service, &path, &body).await.expect(200).text_of("/name"), "Renamed");
    let id = created.text_of("/_clientId");
    let events = format!("/api/v1/audit/events?client={id}&type=client.name_changed&include=private");
    let events = service.get(&events).await.expect(200);
    assert!(events.text.contains("the partner has a new name"), "{}", events.text);
    assert!(
        !events.body["items"][0]["entry"].to_string().contains("partner"),
        "the reason is a private part"
    );

    let (other, _) = create(&service, "Other").await;
    let message = told(patch(&service, &other, &json!([rename])).await, 409, "conflict");
    assert!(message.contains("name: "), "{message}");
    let patched =
        service.request(Method::PATCH, &other).header("content-type", "application/json-patch+json");
    answer(patched.body("[{\"op\":\"add\",\"path\":\"/description\",\"value\":\"x\"}]")).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn d3_a_patch_leaves_the_redirect_uris_alone_that_it_does_not_show() {
    let service = Service::start().await;
    let clients = "/api/v1/environments/production/clients";
    let mut several = tests::client_body("Matter sync");
    several["redirect_uris"] = json!(["http://localhost:3000/cb", "https://app.example.com/callback"]);
    let created = service.post(clients, &several).await.expect(201);
    let id = created.text_of("/client_id");
    let path = format!("{CLIENTS}/{id}");
    assert_eq!(service.get(&path).await.expect(200).text_of("/redirectUri"), "http://localhost:3000/cb");
    let rename = json!([{ "op": "replace", "path": "/name", "value": "Renamed" }]);
    patch(&service, &path, &rename).await.expect(200);
    let redirect = json!([{ "op": "replace", "path": "/redirectUri", "value": "https://b.example/cb" }]);
    patch(&service, &path, &redirect).await.expect(200);
    let client = service.get(&format!("{clients}/{id}")).await.expect(200);
    let expected = json!(["https://b.example/cb", "https://app.example.com/callback"]);
    assert_eq!(client.body["redirect_uris"], expected);
    service.finish().await;
}

#[tokio::test]
async fn oauth_72_what_no_code_may_be_sent_to_is_refused_in_the_dialect() {
    let service = Service::start().await;
    let (path, _) = create(&service, "Matter sync").await;
    for wrong in [
        "",
        "/callback",
        "app.example.com/callback",
        "https:/callback",
        "http://app.example.com/callback",
        "http://localhost/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "com.example.app:/callback",
        "https://app.example.com/callback#x",
        "https://app.example.com/callback?x=1",
        "https://me@app.example.com/callback",
        "https://*.example.com/callback",
    ] {
        let body = json!({ "name": "Other", "redirectUri": wrong });
        let message = told(service.post(CLIENTS, &body).await, 400, "invalid_request");
        assert!(message.contains("redirectUri: "), "{wrong}: {message}");
        let change = json!([{ "op": "replace", "path": "/redirectUri", "value": wrong }]);
        told(patch(&service, &path, &change).await, 400, "invalid_request");
    }
    told(service.post(CLIENTS, &json!({ "name": "Other" })).await, 400, "invalid_request");
    let listed = service.get(CLIENTS).await.expect(200);
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1), "nothing was made");
    service.finish().await;
}

#[tokio::test]
async fn d6_a_secret_that_was_shown_once_works_and_is_never_shown_again() {
    let service = Service::start().await;
    let (path, created) = create(&service, "Matter sync").await;
    let (id, secret) = (created.text_of("/_clientId"), created.text_of("/_clientSecret"));
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let own = http.get(format!("{}/production/client", service.base)).basic_auth(id, Some(secret));
    answer(own).await.expect(200);
    let same = service.request(Method::POST, CLIENTS).header("idempotency-key", "once");
    let first = answer(same.json(&body("Other"))).await.expect(201);
    let again = service.request(Method::POST, CLIENTS).header("idempotency-key", "once");
    let again = answer(again.json(&body("Other"))).await.expect(201);
    assert_eq!(again.text_of("/_clientId"), first.text_of("/_clientId"));
    let rename = json!([{ "op": "replace", "path": "/name", "value": "Renamed" }]);
    for shown in
        [service.get(&path).await, service.get(CLIENTS).await, patch(&service, &path, &rename).await, again]
    {
        assert!(!shown.text.contains("_clientSecret") && !shown.text.contains("mcs_"), "{}", shown.text);
    }
    service.finish().await;
}
