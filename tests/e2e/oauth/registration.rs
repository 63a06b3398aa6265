//! Clients that register themselves (RFC 7591), and manage that (RFC 7592).

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tests::{
    Answer, Service,
    http::answer,
    keys::ClientKey,
    oauth::{Application, CALLBACK, VERIFIER},
};

use super::steps::{is_active, metadata, outcomes, plain, refused};

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
    // Whoever finds one can stop it.
    let found = initial(&service, json!({})).await;
    let report = json!({ "secrets": [found] });
    answer(asked(&service, Method::POST, "/api/v1/leaked_secrets", "").json(&report)).await.expect(202);
    refused(register(&service, &found, &body()).await, 401, "invalid_token");
    assert_eq!(service.get(TOKENS).await.expect(200).text_of("/items/0/state"), "revoked");
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
    let page = ines.authorize(&request).await.expect(200);
    let asked = ines.sign_in(&page).await.expect(200);
    assert!(asked.text.contains("It registered itself here"), "{}", asked.text);
    assert!(!asked.text.contains("ops@night.example"), "{}", asked.text);
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

#[tokio::test]
async fn oauth_72_a_redirect_uri_that_no_code_may_be_sent_to_is_not_registered() {
    let service = service("initial_access_token").await;
    let token = initial(&service, json!({})).await;
    let own = register(&service, &token, &body()).await.expect(201);
    let manages = own.text_of("/registration_access_token");
    for wrong in [
        json!(["https://app.example.com/callback#fragment"]),
        json!(["/callback"]),
        json!(["javascript:alert(1)"]),
        json!(["data:text/html,hello"]),
        json!(["http://app.example.com/callback"]),
        json!(["https://*.example.com/callback"]),
        json!(["com.example.app:/callback"]),
        json!(["https://me@app.example.com/callback"]),
        json!([CALLBACK, CALLBACK]),
        json!([]),
        json!([1]),
        json!(CALLBACK),
        Value::Null,
    ] {
        let found = register(&service, &token, &with("redirect_uris", wrong.clone())).await;
        let found = refused(found, 400, "invalid_redirect_uri");
        assert!(found.text_of("/error_description").starts_with("redirect_uris"), "{}", found.text);
        assert_eq!(last(&service).await, "invalid_client_metadata");
        let mut anew = with("redirect_uris", wrong);
        anew["client_id"] = own.body["client_id"].clone();
        refused(replace(&service, &own, manages, &anew).await, 400, "invalid_redirect_uri");
    }
    for right in
        ["http://127.0.0.1:8000/callback", "http://localhost/callback", "https://app.example.com/a?b=c"]
    {
        let own = register(&service, &token, &with("redirect_uris", json!([right]))).await.expect(201);
        assert_eq!(own.body["redirect_uris"], json!([right]));
    }
    assert_eq!(
        service.get(TOKENS).await.expect(200).body["items"][0]["uses"],
        4,
        "a refusal uses nothing up"
    );
    service.finish().await;
}

#[tokio::test]
async fn oauth_71_who_has_a_key_registers_without_a_secret() {
    let service = service("initial_access_token").await;
    let token = initial(&service, json!({})).await;
    let (key, next) = (ClientKey::new(), ClientKey::new());
    let mut sent = body();
    sent["token_endpoint_auth_method"] = json!("private_key_jwt");
    sent["grant_types"] = json!(["authorization_code", "client_credentials"]);
    sent["jwks"] = key.set();
    let own = register(&service, &token, &sent).await.expect(201);
    assert_eq!(own.body["jwks"], key.set());
    assert_eq!((own.body.get("client_secret"), own.body.get("client_secret_expires_at")), (None, None));
    let id = own.text_of("/client_id").to_owned();
    let proved = async |key: &ClientKey| {
        let assertion = key.assertion(&id, &format!("{}/sandbox", service.base));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        answer(service.form("token", &form)).await.status
    };
    assert_eq!((proved(&key).await, proved(&next).await), (200, 401));
    sent["client_id"] = json!(id);
    sent["jwks"] = next.set();
    let own = replace(&service, &own, own.text_of("/registration_access_token"), &sent).await.expect(200);
    assert_eq!(own.body["jwks"], next.set());
    assert_eq!((proved(&key).await, proved(&next).await), (401, 200));
    sent["jwks"] = json!({ "keys": [] });
    let manager = own.text_of("/registration_access_token");
    refused(replace(&service, &own, manager, &sent).await, 400, "invalid_client_metadata");
    service.finish().await;
}

#[tokio::test]
async fn oauth_73_metadata_that_cannot_be_kept_are_refused() {
    let service = service("initial_access_token").await;
    let token = initial(&service, json!({ "scope": "openid matters:read" })).await;
    for (field, value) in [
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["refresh_token"])),
        ("grant_types", json!([])),
        ("grant_types", json!("authorization_code")),
        ("response_types", json!(["token"])),
        ("response_types", json!(["code", "id_token"])),
        ("token_endpoint_auth_method", json!("tls_client_auth")),
        ("token_endpoint_auth_method", json!("client_secret_jwt")),
        ("token_endpoint_auth_method", json!(7)),
        ("jwks", json!({ "keys": [{ "kty": "oct", "k": "AA" }] })),
        ("jwks", json!([])),
        ("jwks_uri", json!("https://app.example.com/keys")),
        ("scope", json!("openid matters:write")),
        ("scope", json!("profile")),
        ("scope", json!("matters:burn")),
        ("scope", json!("")),
        ("scope", json!(["openid"])),
        ("client_name", json!("a\u{202E}b")),
        ("client_name", json!("x".repeat(121))),
        ("contacts", json!(["nobody"])),
        ("contacts", json!([{ "email": "ops@night.example" }])),
        ("client_uri", json!("javascript:alert(1)")),
        ("logo_uri", json!("data:image/png;base64,AAAA")),
        ("software_version", json!(2)),
    ] {
        let found = register(&service, &token, &with(field, value.clone())).await;
        let found = refused(found, 400, "invalid_client_metadata");
        let told = found.text_of("/error_description");
        assert!(told.starts_with(field), "{field} {value}: {told}");
        assert_eq!(last(&service).await, "invalid_client_metadata");
    }
    let contradiction = json!({ "grant_types": ["client_credentials"], "response_types": ["code"] });
    refused(register(&service, &token, &contradiction).await, 400, "invalid_client_metadata");
    let public = json!({ "grant_types": ["client_credentials"], "token_endpoint_auth_method": "none" });
    refused(register(&service, &token, &public).await, 400, "invalid_client_metadata");
    let statement = with("software_statement", json!("eyJhbGciOiJub25lIn0.e30."));
    refused(register(&service, &token, &statement).await, 400, "unapproved_software_statement");
    for text in ["", "[]", "{", "\"x\"", "{\"redirect_uris\": [\"https://a.example\"]} x"] {
        let request = asked(&service, Method::POST, "/sandbox/register", &token);
        let request = request.header("content-type", "application/json").body(text);
        refused(answer(request).await, 400, "invalid_client_metadata");
    }
    let form = asked(&service, Method::POST, "/sandbox/register", &token);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("client_name=Night");
    refused(answer(form).await, 400, "invalid_client_metadata");
    // What is null is not said, and what a machine needs is little.
    let machine = json!({
        "client_name": null, "grant_types": ["client_credentials"], "response_types": [], "logo_uri": null,
    });
    let own = register(&service, &token, &machine).await.expect(201);
    assert_eq!(own.text_of("/scope"), "matters:read openid", "what the token lets it have");
    assert_eq!(own.body["response_types"], json!([]));
    service.token(&application(&own), &[("grant_type", "client_credentials")]).await.expect(200);
    // Without a type there is nothing that such clients could be, and the answer says what to set.
    set_policy(&service, &json!({ "registration_defaults": { "client_type": null, "scope": "" } })).await;
    let found = refused(register(&service, &token, &body()).await, 400, "invalid_client_metadata");
    assert!(found.text.contains("registration_defaults.client_type"), "{}", found.text);
    service.finish().await;
}

#[tokio::test]
async fn oauth_74_a_registration_is_managed_with_its_own_token_alone() {
    let service = service("initial_access_token").await;
    let token = initial(&service, json!({})).await;
    let own = register(&service, &token, &body()).await.expect(201);
    let other = register(&service, &token, &body()).await.expect(201);
    let manages = own.text_of("/registration_access_token").to_owned();
    let mut anew = body();
    anew["client_id"] = own.body["client_id"].clone();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let ask = async |token: &str| match method {
            Method::PUT => replace(&service, &own, token, &anew).await,
            _ => manage(&service, method.clone(), &own, token).await,
        };
        let missing = ask("").await.expect(401);
        assert_eq!(missing.header("www-authenticate"), "Bearer");
        assert_eq!(last(&service).await, "registration_access_token_missing");
        for wrong in ["x", other.text_of("/registration_access_token"), &token, own.text_of("/client_secret")]
        {
            let found = refused(ask(wrong).await, 401, "invalid_token");
            assert!(found.header("www-authenticate").starts_with("Bearer error="), "{}", found.text);
            // From the eleventh of a minute on they are counted.
            if method != Method::DELETE {
                assert_eq!(last(&service).await, "unknown_registration_access_token");
            }
        }
    }
    for place in ["/production/register", "/sandbox/register"] {
        for id in [own.text_of("/client_id"), "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e", "x", "%00"] {
            if (place, id) == ("/sandbox/register", own.text_of("/client_id")) {
                continue;
            }
            let found = answer(asked(&service, Method::GET, &format!("{place}/{id}"), &manages)).await;
            refused(found, 401, "invalid_token");
        }
    }
    // Who is deactivated manages nothing until it is enabled.
    let path = format!("{}/{}", tests::http::CLIENTS, own.text_of("/client_id"));
    service.post(&format!("{path}/deactivate"), &json!({})).await.expect(200);
    refused(manage(&service, Method::DELETE, &own, &manages).await, 403, "access_denied");
    assert_eq!(last(&service).await, "registration_of_inactive_client");
    service.post(&format!("{path}/enable"), &json!({})).await.expect(200);
    manage(&service, Method::GET, &own, &manages).await.expect(200);
    assert_eq!(last(&service).await, "done");
    // A client that somebody registered has no registration of its own.
    let made = service.application("Matter sync").await;
    let found = asked(&service, Method::GET, &format!("/sandbox/register/{}", made.id), &made.secret);
    refused(answer(found).await, 401, "invalid_token");
    service.finish().await;
}

#[tokio::test]
async fn oauth_75_76_a_client_registers_anew_and_its_old_token_is_dead() {
    let service = service("initial_access_token").await;
    let token = initial(&service, json!({ "scope": "openid matters:read" })).await;
    let own = register(&service, &token, &with("contacts", json!(["ops@night.example"]))).await.expect(201);
    let first = own.text_of("/registration_access_token").to_owned();
    let mut anew = json!({
        "client_id": own.text_of("/client_id"), "client_name": "Day sync", "scope": "openid",
        "redirect_uris": ["https://app.example.com/other"], "software_version": "3",
        "client_secret": own.text_of("/client_secret"),
    });
    let changed = |field: &str, value: Value| {
        let mut body = anew.clone();
        body[field] = value;
        body
    };
    for (field, value) in [
        ("client_id", json!("0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e")),
        ("client_id", Value::Null),
        ("client_secret", json!("mcs_mine")),
        ("registration_access_token", json!(first)),
        ("registration_client_uri", json!("https://evil.example/")),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(0)),
        ("token_endpoint_auth_method", json!("none")),
        ("grant_types", json!(["client_credentials"])),
        ("scope", json!("openid profile")),
    ] {
        let found = replace(&service, &own, &first, &changed(field, value)).await;
        let found = refused(found, 400, "invalid_client_metadata");
        assert!(found.text_of("/error_description").contains(field), "{field}: {}", found.text);
        assert_eq!(last(&service).await, "invalid_client_metadata");
    }
    let second = replace(&service, &own, &first, &anew).await.expect(200);
    assert_eq!(second.header("cache-control"), "no-store");
    assert_eq!(second.text_of("/client_name"), "Day sync");
    assert_eq!(second.text_of("/scope"), "openid");
    assert_eq!(second.body["redirect_uris"], json!(["https://app.example.com/other"]));
    assert_eq!(second.text_of("/software_version"), "3");
    assert_eq!(second.body.get("contacts"), None, "those that it does not name are gone");
    let held = second.text_of("/registration_access_token").to_owned();
    assert_ne!(held, first);
    for method in [Method::GET, Method::DELETE] {
        refused(manage(&service, method, &own, &first).await, 401, "invalid_token");
        assert_eq!(last(&service).await, "ended_registration_access_token");
    }
    let read = manage(&service, Method::GET, &own, &held).await.expect(200);
    assert_eq!(read.body, second.body);
    // The secret stays as it was, and other fields as they were registered.
    service
        .token(&application(&own), &[("grant_type", "refresh_token"), ("refresh_token", "x")])
        .await
        .expect(400);
    anew["contacts"] = json!(["day@night.example"]);
    anew.as_object_mut().expect("an object").remove("client_secret");
    let third = replace(&service, &own, &held, &anew).await.expect(200);
    assert_eq!(third.body["contacts"], json!(["day@night.example"]));
    let history = service.history_of(&application(&own)).await;
    let replaced = history.iter().filter(|one| *one == "client.registration_replaced").count();
    assert_eq!(replaced, 2, "{history:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_77_a_client_that_deletes_itself_is_gone_with_all_it_had() {
    let service = service("initial_access_token").await;
    let token = initial(&service, json!({})).await;
    let sent = with("grant_types", json!(["authorization_code", "client_credentials"]));
    let own = register(&service, &token, &sent).await.expect(201);
    let manages = own.text_of("/registration_access_token").to_owned();
    let of_client = application(&own);
    let form = [("grant_type", "client_credentials"), ("scope", "matters:read")];
    let given = service.token(&of_client, &form).await.expect(200);
    let watcher = service.application("Watcher").await;
    assert!(is_active(&service, &of_client, given.text_of("/access_token")).await);
    let gone = manage(&service, Method::DELETE, &own, &manages).await.expect(204);
    assert_eq!((gone.text.as_str(), gone.header("cache-control")), ("", "no-store"));
    for method in [Method::GET, Method::DELETE] {
        refused(manage(&service, method, &own, &manages).await, 401, "invalid_token");
        assert_eq!(last(&service).await, "ended_registration_access_token");
    }
    refused(service.token(&of_client, &form).await, 401, "invalid_client");
    assert!(!is_active(&service, &watcher, given.text_of("/access_token")).await);
    service.get(&format!("{}/{}", tests::http::CLIENTS, of_client.id)).await.expect(410);
    let history = service.history_of(&of_client).await;
    assert_eq!(history[history.len() - 2..], ["client.deleted", "admission.client_left"]);
    assert_eq!(service.get(TOKENS).await.expect(200).body["registered_clients"], 0);
    service.finish().await;
}

#[tokio::test]
async fn oauth_70_where_anybody_may_register_there_is_an_end_to_it() {
    let service = service("open").await;
    set_policy(&service, &json!({ "max_registered_clients": 5 })).await;
    let body = body();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..12 {
        all.spawn(answer(asked(&service, Method::POST, "/sandbox/register", "").json(&body)));
    }
    let answers = all.join_all().await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 7, "{statuses:?}");
    assert!(outcomes(&service, "registration").await.iter().all(|one| one == "too_many_registered_clients"));
    // Who opened it answers for them, and they came by themselves.
    let own = answers.iter().find(|answer| answer.status == 201).expect("one");
    let path = format!("{}/{}", tests::http::CLIENTS, own.text_of("/client_id"));
    let client = service.get(&path).await.expect(200);
    let me = service.get("/api/v1/me").await.expect(200);
    assert_eq!(client.text_of("/responsible"), me.text_of("/member_id"));
    assert_eq!(client.body["self_registered"]["initial_access_token_id"], Value::Null);
    let history = service.get(&format!("{path}/history?limit=10")).await.expect(200);
    assert!(history.text.contains("\"kind\":\"anonymous\""), "{}", history.text);
    // Whoever leaves makes room, whoever deleted it.
    answer(service.request(Method::DELETE, &path)).await.expect(204);
    register(&service, "", &body).await.expect(201);
    refused(register(&service, "", &body).await, 403, "access_denied");
    refused(register(&service, "mia_x", &body).await, 401, "invalid_token");
    service.finish().await;
}

#[tokio::test]
async fn oauth_70_a_token_is_good_as_long_as_its_member_could_do_it() {
    let service = service("initial_access_token").await;
    let here = json!([{ "role": "integration_manager", "environments": ["sandbox"] }]);
    let member = json!({ "name": "Tomas Reyes", "email": "tomas@members.example", "roles": here });
    let member = service.post("/api/v1/members", &member).await.expect(201).text_of("/member_id").to_owned();
    let path = format!("/api/v1/members/{member}");
    let body = json!({ "label": "laptop", "expires_in_seconds": 3600 });
    let token = service.post(&format!("{path}/tokens"), &body).await.expect(201).text_of("/token").to_owned();
    let issue = async |place: &str| {
        let body = json!({ "label": "Agents", "max_uses": 3, "expires_in_seconds": 60 });
        answer(service.request_as(&token, Method::POST, place).json(&body)).await
    };
    issue("/api/v1/environments/production/initial_access_tokens")
        .await
        .expect_problem(403, "permission_denied");
    let initial = issue(TOKENS).await.expect(201).text_of("/token").to_owned();
    let own = register(&service, &initial, &self::body()).await.expect(201);
    let client =
        service.get(&format!("{}/{}", tests::http::CLIENTS, own.text_of("/client_id"))).await.expect(200);
    assert_eq!(client.text_of("/responsible"), member);
    for (roles, good) in [(json!([{ "role": "auditor" }]), false), (here, true)] {
        let change = service
            .request(Method::PUT, &format!("{path}/roles"))
            .header("if-match", "*")
            .json(&json!({ "roles": roles }));
        answer(change).await.expect(200);
        let found = register(&service, &initial, &self::body()).await;
        if good {
            found.expect(201);
        } else {
            refused(found, 401, "invalid_token");
            assert_eq!(last(&service).await, "initial_access_token_of_ended_member");
        }
    }
    service.post(&format!("{path}/deactivate"), &json!({})).await.expect(200);
    refused(register(&service, &initial, &self::body()).await, 401, "invalid_token");
    service.finish().await;
}

/// Any JSON, of which a part may be understood.
fn anything() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        3 => proptest::sample::select(&TEXTS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[ -~]{0,200}",
    ];
    let leaf = prop_oneof![
        6 => text.prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 40, 8, |inner| {
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            1 => proptest::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| json!(members)),
        ]
    })
}

const TEXTS: [&str; 16] = [
    CALLBACK,
    "http://127.0.0.1/cb",
    "javascript:alert(1)",
    "https://evil.example/#",
    "authorization_code",
    "client_credentials",
    "refresh_token",
    "implicit",
    "none",
    "client_secret_post",
    "code",
    "openid matters:read",
    "ops@night.example",
    "\u{0}",
    "\u{202E}",
    "",
];

const MEMBERS: [&str; 18] = [
    "client_name",
    "redirect_uris",
    "grant_types",
    "response_types",
    "scope",
    "contacts",
    "token_endpoint_auth_method",
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
    "software_id",
    "software_version",
    "terms_accepted",
    "client_id",
    "client_secret",
    "jwks",
    "software_statement",
];

#[tokio::test]
async fn oauth_73_whatever_is_said_nothing_breaks_and_nothing_bad_is_kept() {
    let service = service("open").await;
    set_policy(&service, &json!({ "max_registered_clients": 1_000_000 })).await;
    let mut own = register(&service, "", &body()).await.expect(201);
    let name = prop_oneof![9 => proptest::sample::select(&MEMBERS[..]).prop_map(str::to_owned), 1 => any::<String>()];
    let members = proptest::collection::btree_map(name, anything(), 0..8);
    let strategy = (members, any::<bool>(), proptest::option::weighted(0.1, anything()));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let mut registered = 0;
    for _ in 0..250 {
        let (members, usual, other) = strategy.new_tree(&mut runner).expect("a request").current();
        let mut sent = json!(members);
        if usual {
            sent["redirect_uris"] = json!([CALLBACK]);
        }
        let sent = other.unwrap_or(sent);
        let found = register(&service, "", &sent).await;
        assert!([201, 400].contains(&found.status), "{}: {sent}", found.text);
        if found.status == 201 {
            registered += 1;
            for uri in found.body["redirect_uris"].as_array().expect("a list") {
                let uri = uri.as_str().expect("a text");
                assert!(uri.starts_with("https://") || uri.starts_with("http://127.0.0.1"), "{uri}");
            }
            let scope = found.text_of("/scope");
            assert!(!scope.is_empty() && !scope.contains("write"), "{scope}");
        }
        let token = own.text_of("/registration_access_token").to_owned();
        let mut anew = sent.clone();
        if anew.is_object() && usual {
            anew["client_id"] = own.body["client_id"].clone();
        }
        let found = replace(&service, &own, &token, &anew).await;
        assert!([200, 400].contains(&found.status), "{}: {anew}", found.text);
        if found.status == 200 {
            own = found;
        }
    }
    assert!(registered > 5, "{registered}");
    service.finish().await;
}
