//! Clients that register themselves (RFC 7591), and manage that (RFC 7592).

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Answer, Service,
    http::answer,
    oauth::{Application, CALLBACK, VERIFIER},
};

use super::steps::{metadata, outcomes, plain, refused};

const POLICY: &str = "/api/v1/environments/sandbox";
const TOKENS: &str = "/api/v1/environments/sandbox/initial_access_tokens";

/// A service whose sandbox lets clients register themselves.
async fn service(rule: &str) -> Service {
    let service = Service::start_without_a_proxy().await;
    set_policy(
        &service,
        &json!({ "registration": rule, "registration_defaults": {
            "client_type": "standard", "scope": "openid profile offline_access matters:read",
            "contacts_required": false, "terms_required": false,
        }}),
    )
    .await;
    service
}

async fn set_policy(service: &Service, policy: &Value) {
    service.patch(POLICY, "*", &json!({ "policy": policy })).await.expect(200);
}

/// An initial access token.
async fn initial(service: &Service, more: Value) -> String {
    let mut body = json!({ "label": "Build agents", "max_uses": 10, "expires_in_seconds": 3600 });
    for (field, value) in more.as_object().expect("fields") {
        body[field] = value.clone();
    }
    service.post(TOKENS, &body).await.expect(201).text_of("/token").to_owned()
}

fn body() -> Value {
    json!({ "client_name": "Night sync", "redirect_uris": [CALLBACK] })
}

fn with(field: &str, value: Value) -> Value {
    let mut body = body();
    body[field] = value;
    body
}

fn asked(service: &Service, method: Method, place: &str, token: &str) -> RequestBuilder {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let url = if place.contains("://") { place.to_owned() } else { format!("{}{place}", service.base) };
    let request = http.request(method, url);
    if token.is_empty() { request } else { request.bearer_auth(token) }
}

async fn register(service: &Service, token: &str, body: &Value) -> Answer {
    answer(asked(service, Method::POST, "/sandbox/register", token).json(body)).await
}

async fn manage(service: &Service, method: Method, own: &Answer, token: &str) -> Answer {
    answer(asked(service, method, own.text_of("/registration_client_uri"), token)).await
}

async fn replace(service: &Service, own: &Answer, token: &str, body: &Value) -> Answer {
    let place = own.text_of("/registration_client_uri");
    answer(asked(service, Method::PUT, place, token).json(body)).await
}

fn application(own: &Answer) -> Application {
    Application {
        id: own.text_of("/client_id").to_owned(),
        secret: own.body["client_secret"].as_str().unwrap_or_default().to_owned(),
    }
}

/// The newest reason of the activity log for what registers.
async fn last(service: &Service) -> String {
    outcomes(service, "registration").await.pop().unwrap_or_default()
}

#[tokio::test]
async fn oauth_70_without_an_initial_access_token_that_is_good_nobody_registers() {
    let service = service("initial_access_token").await;
    let missing = register(&service, "", &body()).await.expect(401);
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    assert_eq!(last(&service).await, "initial_access_token_missing");
    let good = initial(&service, json!({ "max_uses": 1 })).await;
    let (mut altered, last_letter) = (good.clone(), good.chars().last().expect("a letter"));
    altered.pop();
    altered.push(if last_letter == 'A' { 'B' } else { 'A' });
    for wrong in ["x", "mia_x", &altered, &service.token] {
        let found = refused(register(&service, wrong, &body()).await, 401, "invalid_token");
        assert!(found.header("www-authenticate").starts_with("Bearer error="), "{}", found.text);
        assert_eq!(last(&service).await, "unknown_initial_access_token");
    }
    // Of an island, and once.
    let elsewhere = answer(asked(&service, Method::POST, "/production/register", &good).json(&body())).await;
    refused(elsewhere, 403, "access_denied");
    let own = register(&service, &good, &body()).await.expect(201);
    refused(register(&service, &good, &body()).await, 401, "invalid_token");
    assert_eq!(last(&service).await, "ended_initial_access_token");

    // Who registered it, through what, and for whom, can be seen.
    let path = format!("{}/{}", tests::http::CLIENTS, own.text_of("/client_id"));
    let client = service.get(&path).await.expect(200);
    let listed = service.get(TOKENS).await.expect(200);
    assert_eq!(listed.text_of("/items/0/state"), "used_up");
    assert_eq!(listed.body["registered_clients"], 1);
    let by = client.text_of("/self_registered/initial_access_token_id");
    assert_eq!(by, listed.text_of("/items/0/id"));
    assert_eq!(client.text_of("/responsible"), listed.text_of("/items/0/member_id"));
    let history = service.get(&format!("{path}/history?limit=10")).await.expect(200);
    assert!(history.text.contains(&format!("initial_access_token:{by}")), "{}", history.text);

    // What is revoked is good no longer, nor what a member made who can create clients no longer.
    let revoked = initial(&service, json!({})).await;
    let newest = service.get(TOKENS).await.expect(200).text_of("/items/0/id").to_owned();
    let path = format!("{TOKENS}/{newest}");
    answer(service.request(Method::DELETE, &path)).await.expect(200);
    refused(register(&service, &revoked, &body()).await, 401, "invalid_token");
    answer(service.request(Method::DELETE, &path)).await.expect_problem(409, "token_not_live");
    service.finish().await;
}

#[tokio::test]
async fn oauth_70_where_registration_is_closed_nobody_registers() {
    let service = Service::start_without_a_proxy().await;
    assert_eq!(metadata(&service).await.get("registration_endpoint"), None);
    let token = initial(&service, json!({})).await;
    for token in ["", &token] {
        refused(register(&service, token, &body()).await, 403, "access_denied");
        assert_eq!(last(&service).await, "registration_closed");
    }
    plain(&service, "/nowhere/register").await.expect(405);
    let nowhere = answer(asked(&service, Method::POST, "/nowhere/register", &token).json(&body())).await;
    refused(nowhere, 404, "invalid_request");
    set_policy(&service, &json!({ "registration": "initial_access_token" })).await;
    let endpoint = format!("{}/sandbox/register", service.base);
    assert_eq!(metadata(&service).await["registration_endpoint"], json!(endpoint));
    service.finish().await;
}

#[tokio::test]
async fn oauth_71_the_answer_is_the_client_as_it_is_registered() {
    let service = service("initial_access_token").await;
    let token = initial(&service, json!({})).await;
    let sent = json!({
        "client_name": "Night sync", "redirect_uris": [CALLBACK], "scope": "openid matters:read",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_post", "contacts": ["ops@night.example"],
        "client_uri": "https://night.example/", "software_id": "night-sync", "software_version": "2.1",
        "client_name#de": "Nachtabgleich", "application_type": "web", "client_id": "mine", "client_secret": "mine",
    });
    let own = register(&service, &token, &sent).await.expect(201);
    assert_eq!(own.header("cache-control"), "no-store");
    assert_eq!(own.header("content-type"), "application/json");
    for (field, value) in sent.as_object().expect("fields") {
        match field.as_str() {
            "client_name#de" | "application_type" => assert_eq!(own.body.get(field), None),
            "client_id" | "client_secret" => assert_ne!(own.body[field], *value),
            "scope" => assert_eq!(own.text_of("/scope"), "matters:read openid"),
            _ => assert_eq!(own.body[field], *value, "{field}"),
        }
    }
    let issued = own.body["client_id_issued_at"].as_i64().expect("seconds");
    assert!(own.body["client_secret_expires_at"].as_i64().expect("seconds") > issued);
    let place = format!("{}/sandbox/register/{}", service.base, own.text_of("/client_id"));
    assert_eq!(own.text_of("/registration_client_uri"), place);
    // Read again, it is the same but for the secret, which nobody can read.
    let again = manage(&service, Method::GET, &own, own.text_of("/registration_access_token")).await;
    let mut expected = own.body.clone();
    expected.as_object_mut().expect("an object").remove("client_secret");
    assert_eq!(again.expect(200).body, expected);
    // It works.
    let ines = service.visitor("Ines Duarte").await;
    let application = application(&own);
    let request = application.request_with(&[("scope", "openid matters:read")]);
    let code = ines.allow(&request).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", application.id.as_str()),
        ("client_secret", application.secret.as_str()),
    ];
    answer(service.form("token", &form)).await.expect(200);

    // One without a secret, by nothing but what has to be said; and another of the same name.
    let least = json!({ "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none" });
    let public = register(&service, &token, &least).await.expect(201);
    assert_eq!(public.body.get("client_secret"), None);
    assert_eq!(public.body.get("client_secret_expires_at"), None);
    assert_eq!(public.body.get("contacts"), None, "who stands for them is nobody's business");
    assert_eq!(public.text_of("/scope"), "matters:read offline_access openid profile");
    assert!(public.text_of("/client_name").starts_with("Client "), "{}", public.text);
    let twin = register(&service, &token, &body()).await.expect(201);
    assert!(twin.text_of("/client_name").starts_with("Night sync ("), "{}", twin.text);
    let history = service.history_of(&application).await;
    assert_eq!(history[..3], ["client.created", "client.self_registered", "admission.client_admitted"]);
    service.finish().await;
}
