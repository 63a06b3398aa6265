//! Redirect URIs: which ones a client may register, and in what one that is sent differs from them.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Service, client_body,
    http::{CLIENTS, answer},
};

const SANDBOX: &str = "/api/v1/environments/sandbox";

fn rules(answer: Answer) -> Vec<(String, String)> {
    answer.expect_problem(422, "invalid_request").broken_rules()
}

fn rule(pointer: &str, rule: &str) -> (String, String) {
    (pointer.to_owned(), rule.to_owned())
}

async fn add(service: &Service, client: &str, uri: &str) -> Answer {
    let add = service.request(Method::POST, &format!("{client}/redirect_uris")).header("if-match", "*");
    answer(add.json(&json!({ "redirect_uri": uri }))).await
}

#[tokio::test]
async fn l6_a_native_apps_scheme_needs_an_exception_recorded_for_that_client() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Phone").await;
    let client = format!("{CLIENTS}/{id}");
    let native = "com.example.app:/callback";
    assert_eq!(
        rules(add(&service, &client, native).await),
        [rule("/redirect_uri", "scheme_needs_exception")]
    );

    let exceptions = format!("{client}/redirect_exceptions");
    let scheme =
        |scheme: &str, reason: &str| json!({ "scheme": scheme, "reason": reason, "ticket": "APP-9" });
    let silent = service.post(&exceptions, &json!({ "scheme": "com.example.app" })).await;
    assert_eq!(rules(silent), [rule("/reason", "reason_required")]);
    let script = service.post(&exceptions, &scheme("javascript", "why not")).await;
    assert_eq!(rules(script), [rule("/scheme", "malformed")]);
    // The rules of an environment are not for those to lift who manage clients.
    let (_, manager) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let post = service.request_as(&manager, Method::POST, &exceptions);
    let denied = answer(post.json(&scheme("com.example.app", "my phone"))).await;
    assert_eq!(denied.expect_problem(403, "permission_denied").body["permission"], "environments:write");

    let granted = service.post(&exceptions, &scheme("com.example.app", "the phone app")).await.expect(200);
    assert_eq!(granted.body["redirect_exceptions"], json!(["com.example.app"]));
    let added = add(&service, &client, native).await.expect(200);
    assert_eq!(added.body["redirect_uris"][1], native);
    let read = service.get(&client).await.expect(200);
    assert_eq!(read.body["redirect_exceptions"], json!(["com.example.app"]));
    let (other, _) = service.create_client("Another").await;
    let other = add(&service, &format!("{CLIENTS}/{other}"), native).await;
    assert_eq!(rules(other), [rule("/redirect_uri", "scheme_needs_exception")]);

    // Withdrawn, it takes with it what lived by it, at once.
    let withdrawn = service.delete(&format!("{exceptions}/com.example.app")).await.expect(200);
    assert_eq!(withdrawn.body["redirect_exceptions"], json!([]));
    assert_eq!(withdrawn.body["redirect_uris"], json!(["https://app.example.com/callback"]));
    service.delete(&format!("{exceptions}/com.example.app")).await.expect_problem(404, "not_found");
    let history = service.get(&format!("{client}/history?order=asc")).await.expect(200);
    let types: Vec<_> = history.body["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["entry"]["type"].as_str().expect("a type"))
        .filter(|name| name.contains("redirect"))
        .collect();
    assert_eq!(
        types,
        [
            "client.redirect_exception_granted",
            "client.redirect_uris_changed",
            "client.redirect_uris_changed",
            "client.redirect_exception_withdrawn",
        ]
    );
    service.finish().await;
}

#[tokio::test]
async fn l6_a_loopback_host_has_one_spelling() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Desktop").await;
    let client = format!("{CLIENTS}/{id}");
    for uri in ["http://127.1/cb", "http://0x7f.1/cb", "http://[::ffff:127.0.0.1]/cb", "http://localhost./cb"]
    {
        assert_eq!(
            rules(add(&service, &client, uri).await),
            [rule("/redirect_uri", "loopback_spelling")],
            "{uri}"
        );
    }
    for uri in ["http://127.0.0.1:4000/cb", "http://[::1]/cb", "http://localhost/cb"] {
        add(&service, &client, uri).await.expect(200);
    }
    // An environment can want https alone; a client keeps what it has.
    let https = json!({ "policy": { "redirect_rule": "https_only" } });
    service.patch(SANDBOX, "*", &https).await.expect(200);
    let refused = add(&service, &client, "http://localhost:1/cb").await;
    assert_eq!(rules(refused), [rule("/redirect_uri", "not_https")]);
    add(&service, &client, "https://app.example.com/second").await.expect(200);
    let mut body = client_body("Another");
    body["redirect_uris"] = json!(["http://localhost/cb"]);
    assert_eq!(rules(service.post(CLIENTS, &body).await), [rule("/redirect_uris/0", "not_https")]);
    service.finish().await;
}

#[tokio::test]
async fn l6_a_mismatch_says_exactly_what_differs() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let check = |uri: &str| {
        let (service, body) = (&service, json!({ "redirect_uri": uri }));
        let path = format!("{client}/redirect_uris/check");
        async move { service.post(&path, &body).await.expect(200).body }
    };
    let registered = "https://app.example.com/callback";
    let same = check(registered).await;
    assert_eq!(same, json!({ "matches": true, "nearest": null, "differences": [], "detail": null }));
    assert_eq!(
        check("https://app.example.com/callback/").await,
        json!({
            "matches": false, "nearest": registered, "differences": ["trailing_slash"],
            "detail": "it differs from a registered redirect URI by only a trailing slash",
        })
    );
    for (uri, differences) in [
        ("http://app.example.com/callback", json!(["scheme"])),
        ("https://APP.example.com/callback", json!(["host_case"])),
        ("https://app.example.com:443/callback", json!(["port"])),
        ("https://app.example.com/callback?x=1", json!(["query"])),
        ("https://evil.example/callback#x", json!(["host", "fragment"])),
    ] {
        assert_eq!(check(uri).await["differences"], differences, "{uri}");
    }
    let path = format!("{client}/redirect_uris/check");
    let unknown: Value = json!({ "uri": registered });
    service.post(&path, &unknown).await.expect(422);
    let (_, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let denied = service.request_as(&auditor, Method::POST, &path).json(&unknown);
    answer(denied).await.expect_problem(403, "permission_denied");
    service.finish().await;
}
