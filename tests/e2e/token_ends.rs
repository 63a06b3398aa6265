//! What ends tokens: each holds from the next request on, and comes back with nothing.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service,
    http::{CLIENTS, answer},
    oauth::{Application, CHALLENGE},
};

/// An access token of the client itself.
async fn own_token(service: &Service, application: &Application) -> String {
    let form = [("grant_type", "client_credentials")];
    service.token(application, &form).await.expect(200).text_of("/access_token").to_owned()
}

/// A resource server, which may ask about every token of its environment.
async fn resource_server(service: &Service) -> Application {
    let scope = json!({ "name": "tokens:introspect", "description": "Ask what a token is worth" });
    service.post("/api/v1/scopes", &scope).await.expect(201);
    let kind = json!({ "name": "resource-server", "description": "Serves what tokens are for", "scopes": ["tokens:introspect"] });
    service.post("/api/v1/client_types", &kind).await.expect(201);
    let metadata = json!({
        "client_type": "resource-server",
        "scope": "tokens:introspect",
        "grant_types": ["client_credentials"],
        "redirect_uris": [],
    });
    service.application_with("Records", metadata).await
}

async fn refused(service: &Service, application: &Application, error: &str) {
    let form = [("grant_type", "client_credentials")];
    let refused = service.token(application, &form).await;
    assert_eq!(refused.text_of("/error"), error, "{}", refused.text);
}

fn inactive() -> Value {
    json!({ "active": false })
}

#[tokio::test]
async fn o6_tokens_of_a_client_that_is_deactivated_or_deleted_end_at_that_moment_and_do_not_come_back() {
    let service = Service::start().await;
    let records = resource_server(&service).await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let of_member = service.redeem(&application, &ines.allow(&application.request()).await).await.expect(200);
    let tokens = [own_token(&service, &application).await, of_member.text_of("/access_token").to_owned()];
    for token in &tokens {
        assert_eq!(service.introspected(&records, token).await["active"], true);
    }
    let client = format!("{CLIENTS}/{}", application.id);
    let code = ines.allow(&application.request()).await;
    service.post(&format!("{client}/deactivate"), &json!({ "reason": "leak" })).await.expect(200);
    for token in &tokens {
        assert_eq!(service.introspected(&records, token).await, inactive());
    }
    refused(&service, &application, "invalid_client").await;
    service.post(&format!("{client}/enable"), &json!({})).await.expect(200);
    for token in &tokens {
        assert_eq!(service.introspected(&records, token).await, inactive(), "it does not come back");
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", of_member.text_of("/refresh_token"))];
    assert_eq!(service.token(&application, &form).await.expect(400).text_of("/error"), "invalid_grant");
    assert_eq!(service.redeem(&application, &code).await.expect(400).text_of("/error"), "invalid_grant");

    let token = own_token(&service, &application).await;
    service.delete(&client).await.expect(204);
    assert_eq!(service.introspected(&records, &token).await, inactive());
    refused(&service, &application, "invalid_client").await;
    let deeds = service.deeds(&application).await;
    let of_ends: Vec<_> =
        deeds.iter().filter(|(_, reason)| reason != "done").map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(of_ends, ["inactive", "ended_grant", "ended_grant", "deleted"]);
    service.finish().await;
}

#[tokio::test]
async fn o6_all_tokens_of_a_client_are_revoked_at_once_and_it_gets_others() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let of_member = service.redeem(&application, &ines.allow(&application.request()).await).await.expect(200);
    let own = own_token(&service, &application).await;
    let client = format!("{CLIENTS}/{}", application.id);
    let impact = service.get(&format!("{client}/impact")).await.expect(200);
    assert_eq!((&impact.body["live_grants"], &impact.body["tokens_last_day"]), (&json!(1), &json!(2)));
    assert!(impact.body["last_used_at"].is_string());

    service.post(&format!("{client}/revoke_tokens"), &json!({ "reason": "leak" })).await.expect(200);
    for token in [own.as_str(), of_member.text_of("/access_token")] {
        assert_eq!(service.introspected(&application, token).await, inactive());
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", of_member.text_of("/refresh_token"))];
    assert_eq!(service.token(&application, &form).await.expect(400).text_of("/error"), "invalid_grant");
    let next = own_token(&service, &application).await;
    assert_eq!(service.introspected(&application, &next).await["active"], true);
    let history = service.history_of(&application).await;
    assert!(history.iter().any(|event| event == "client.tokens_revoked"), "{history:?}");
    service.finish().await;
}

#[tokio::test]
async fn o5_a_token_lives_no_longer_than_the_secret_it_was_got_with() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let token = own_token(&service, &application).await;
    let secrets = format!("{CLIENTS}/{}/secrets", application.id);
    let rotated = service.post(&secrets, &json!({ "overlap_seconds": 3_600 })).await.expect(201);
    let with_new =
        Application { id: application.id.clone(), secret: rotated.text_of("/client_secret").to_owned() };
    assert_eq!(service.introspected(&with_new, &token).await["active"], true, "both work for an hour");
    let first = rotated.text_of("/client/secrets/0/id").to_owned();
    service.delete(&format!("{secrets}/{first}")).await.expect(200);
    assert_eq!(service.introspected(&with_new, &token).await, inactive());
    refused(&service, &application, "invalid_client").await;
    service.finish().await;
}

#[tokio::test]
async fn o2_a_daily_quota_is_kept_to_and_the_refusal_is_recorded() {
    let service = Service::start().await;
    let of_type = service.get("/api/v1/client_types/standard").await.expect(200);
    let quota = json!({ "daily_quota": 3 });
    service.patch("/api/v1/client_types/standard", of_type.header("etag"), &quota).await.expect(200);
    let application = service.application("Matter sync").await;
    for _ in 0..3 {
        own_token(&service, &application).await;
    }
    refused(&service, &application, "invalid_request").await;
    let deeds = service.deeds(&application).await;
    assert_eq!(deeds.last(), Some(&("token".to_owned(), "over_quota".to_owned())));
    assert_eq!(deeds.iter().filter(|(_, reason)| reason == "done").count(), 3);
    service.finish().await;
}

#[tokio::test]
async fn l7_codes_tokens_and_keys_of_one_environment_mean_nothing_in_another() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let token = own_token(&service, &application).await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    let elsewhere = format!("{}/production", service.base);
    let asked = |endpoint: &str, form: String| {
        let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        client
            .post(format!("{elsewhere}/{endpoint}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .basic_auth(&application.id, Some(&application.secret))
            .body(form)
    };
    for (endpoint, form) in [
        ("token", "grant_type=client_credentials".to_owned()),
        ("token", format!("grant_type=authorization_code&code={code}&code_verifier={CHALLENGE}")),
        ("introspect", format!("token={token}")),
        ("revoke", format!("token={token}")),
    ] {
        let refused = answer(asked(endpoint, form)).await.expect(401);
        assert_eq!(refused.text_of("/error"), "invalid_client");
    }
    let there = ines.bearer(&format!("{elsewhere}/userinfo"), &token).await.expect(401);
    assert_eq!(there.text_of("/error"), "invalid_token");
    let keys = |environment: &str| {
        let path = format!("/{environment}/jwks");
        let service = &service;
        async move { service.get(&path).await.expect(200).body }
    };
    assert_ne!(keys("sandbox").await, keys("production").await);
    assert_eq!(service.introspected(&application, &token).await["active"], true);
    service.finish().await;
}

#[tokio::test]
async fn oauth_79_a_key_that_leaked_is_retired_and_what_it_signed_is_worth_nothing() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let token = own_token(&service, &application).await;
    let keys = "/api/v1/environments/sandbox/signing_keys";
    let before = service.get(keys).await.expect(200);
    let signing = |answer: &tests::Answer| {
        let items = answer.body["items"].as_array().cloned().unwrap_or_default();
        let signs = |item: &&Value| item["algorithm"] == "ES256" && item["state"] == "signing";
        items.iter().find(signs).map(|item| item["id"].clone()).unwrap_or_default()
    };
    let first = signing(&before);
    let in_use = format!("{keys}/{}/retire", first.as_str().unwrap_or_default());
    service.post(&in_use, &json!({})).await.expect_problem(409, "signing_key_in_use");

    // A turn that is announced changes nothing yet.
    let announced = service.post(keys, &json!({ "algorithm": "ES256" })).await.expect(200);
    assert_eq!(signing(&announced), first);
    assert_eq!(service.introspected(&application, &token).await["active"], true);

    let leaked = json!({ "algorithm": "ES256", "retire_others": true, "reason": "the key leaked" });
    let rotated = service.post(keys, &leaked).await.expect(200);
    assert_ne!(signing(&rotated), first);
    assert_eq!(service.introspected(&application, &token).await, inactive());
    let next = own_token(&service, &application).await;
    assert_eq!(service.introspected(&application, &next).await["active"], true);
    let published = answer(service.request(Method::GET, "/sandbox/jwks")).await.expect(200);
    let ids: Vec<_> =
        published.body["keys"].as_array().expect("keys").iter().map(|key| &key["kid"]).collect();
    assert!(!ids.contains(&&first) && ids.contains(&&signing(&rotated)), "{ids:?}");
    service.finish().await;
}

#[tokio::test]
async fn l1_an_environment_that_asks_for_a_second_factor_lets_nobody_consent_without() {
    let service = Service::start().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    service.redeem(&application, &code).await.expect(200);
    let sandbox = service.get("/api/v1/environments/sandbox").await.expect(200);
    let policy = json!({ "policy": { "second_factor_required": "administrators" } });
    let changed =
        service.patch("/api/v1/environments/sandbox", sandbox.header("etag"), &policy).await.expect(200);
    ines.allow(&application.request()).await;
    let policy = json!({ "policy": { "second_factor_required": "always" } });
    service.patch("/api/v1/environments/sandbox", changed.header("etag"), &policy).await.expect(200);
    let sent = ines.authorize(&application.request()).await.expect(303);
    assert!(sent.header("location").starts_with("second_factor?continue="), "{}", sent.header("location"));
    let deeds = service.deeds(&application).await;
    assert_eq!(deeds.last(), Some(&("authorization".to_owned(), "second_factor_missing".to_owned())));
    service.finish().await;
}

#[tokio::test]
async fn oauth_42_55_a_code_gives_no_more_scope_and_a_token_for_another_server_tells_nothing_here() {
    let service = Service::start().await;
    let sandbox = service.get("/api/v1/environments/sandbox").await.expect(200);
    let policy = json!({ "policy": { "resources": ["https://records.example.com"] } });
    service.patch("/api/v1/environments/sandbox", sandbox.header("etag"), &policy).await.expect(200);
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    let redeem = |code: String, scope: &'static str| {
        let (service, application) = (&service, &application);
        async move {
            let form = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", tests::oauth::CALLBACK),
                ("code_verifier", tests::oauth::VERIFIER),
                ("scope", scope),
            ];
            service.token(application, &form).await
        }
    };
    let more = redeem(code.clone(), "openid matters:write").await.expect(400);
    assert_eq!(more.text_of("/error"), "invalid_scope");
    assert_eq!(redeem(code, "openid").await.expect(200).text_of("/scope"), "openid");

    let elsewhere = application.request_with(&[("resource", "https://records.example.com")]);
    let code = ines.allow(&elsewhere).await;
    let tokens = service.redeem(&application, &code).await.expect(200);
    let access = tokens.text_of("/access_token");
    let known = service.introspected(&application, access).await;
    assert_eq!(known["aud"], json!(["https://records.example.com"]));
    let refused = ines.bearer("userinfo", access).await.expect(401);
    assert_eq!(refused.text_of("/error"), "invalid_token");
    let deeds = service.deeds(&application).await;
    assert_eq!(deeds.last(), Some(&("userinfo".to_owned(), "another_audience".to_owned())));
    service.finish().await;
}
