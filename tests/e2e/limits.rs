//! How much one caller may ask, and whom a proxy is believed to speak for.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service, client_body,
    http::{Answer, CLIENTS, answer},
};

async fn with_wrong_token(service: &Service) -> Answer {
    answer(service.request_as("mpt_wrong", Method::GET, CLIENTS)).await
}

#[tokio::test]
async fn who_asks_too_much_is_told_to_wait_and_nobody_else() {
    let service =
        Service::start_with_settings("[limits]\nreads_per_minute = 20\nanonymous_per_minute = 5\n").await;
    for _ in 0..5 {
        with_wrong_token(&service).await.expect_problem(401, "unauthenticated");
    }
    let guessed = with_wrong_token(&service).await.expect_problem(429, "rate_limited");
    let wait: u64 = guessed.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    // From the same address: a token that works, and a supervisor.
    for _ in 0..20 {
        service.get(CLIENTS).await.expect(200);
    }
    service.get(CLIENTS).await.expect_problem(429, "rate_limited");
    service.get("/healthz").await.expect(200);
    service.post(CLIENTS, &client_body("Commands have their own allowance")).await.expect(201);
    let (member, token) = service.create_member("Ada", &["auditor"]).await;
    let other = service.request_as(&token, Method::GET, &format!("/api/v1/members/{member}"));
    answer(other).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn what_anyone_may_ask_is_not_done_beyond_the_allowance() {
    let service = Service::start_with_settings("[limits]\nanonymous_per_minute = 3\n").await;
    let (id, created) = service.create_client("Matter sync").await;
    let report = async |path: &str, secret: &str| {
        let body = json!({ "secrets": [secret] });
        let request = reqwest::Client::builder().no_proxy().build().expect("a client");
        answer(request.post(format!("{}{path}", service.base)).json(&body)).await
    };
    for _ in 0..3 {
        assert!(report("/api/v1/leaked_secrets", "nothing of ours").await.status < 300);
    }
    for path in ["/api/v1/leaked_secrets", "/api/v1/leaked%5Fsecrets"] {
        report(path, created.text_of("/client_secret")).await.expect_problem(429, "rate_limited");
    }
    let client = service.get(&format!("{CLIENTS}/{id}")).await.expect(200);
    assert_eq!(client.text_of("/secrets/0/state"), "active", "refused, so not done");
    service.finish().await;
}

#[tokio::test]
async fn a4_only_a_trusted_proxy_is_believed_about_the_address() {
    for (settings, recorded) in
        [("[proxy]\ntrusted = [\"127.0.0.1\"]\n", "198.51.100.7"), ("[proxy]\ntrusted = []\n", "127.0.0.1")]
    {
        let service = Service::start_with_settings(settings).await;
        let body = json!({ "name": "Ada", "email": "ada@members.example", "roles": ["auditor"] });
        let request = service.request(Method::POST, "/api/v1/members").json(&body);
        let created =
            answer(request.header("x-forwarded-for", "203.0.113.66, 198.51.100.7")).await.expect(201);
        let path = format!("/api/v1/audit/events/{}?include=private", created.header("muniment-position"));
        let event = service.get(&path).await.expect(200);
        let parts = event.body["private"].as_array().cloned().unwrap_or_default();
        let source = parts.iter().find(|part| part["name"] == "source").unwrap_or(&Value::Null);
        assert_eq!(source["value"]["address"], recorded, "{}", event.text);
        service.finish().await;
    }
}

#[tokio::test]
async fn answers_say_what_browsers_and_caches_must_not_do() {
    let service = Service::start().await;
    for path in [CLIENTS, "/readyz", "/api/v1/nothing"] {
        let answer = service.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(answer.header("strict-transport-security").starts_with("max-age="), "{path}");
        assert_eq!(answer.header("server"), "", "{path}");
    }
    service.finish().await;
}
