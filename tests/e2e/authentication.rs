//! Clients that authenticate, and the activity that says so.

use reqwest::Method;
use serde_json::json;
use tests::{
    Service,
    http::{Answer, CLIENTS, answer},
};

/// What a client asks for itself.
async fn own(service: &Service, environment: &str, id: &str, secret: &str) -> Answer {
    let request = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    answer(request.get(format!("{}/{environment}/client", service.base)).basic_auth(id, Some(secret))).await
}

#[track_caller]
fn refused(found: Answer) {
    let refused = found.expect(401);
    assert_eq!(refused.body, json!({ "error": "invalid_client" }));
    assert_eq!(refused.header("www-authenticate"), "Basic realm=\"sandbox\", charset=\"UTF-8\"");
    assert_eq!(refused.header("cache-control"), "no-store");
}

async fn activity(service: &Service, query: &str) -> Vec<serde_json::Value> {
    let found = service.get(&format!("/api/v1/activity?{query}")).await.expect(200);
    found.body["items"].as_array().cloned().unwrap_or_default()
}

fn reasons(items: &[serde_json::Value]) -> Vec<&str> {
    items.iter().map(|item| item["reason"].as_str().unwrap_or("done")).collect()
}

#[tokio::test]
async fn l4_a_client_authenticates_with_a_secret_that_is_live_and_with_no_other() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    let client = format!("{CLIENTS}/{id}");
    let found = own(&service, "sandbox", &id, &secret).await.expect(200);
    assert_eq!(found.text_of("/client_id"), id);
    assert_eq!(found.text_of("/client_name"), "Matter sync");
    assert_eq!(found.body["secrets"][0]["used"], true);
    assert_eq!(found.header("cache-control"), "no-store");

    let short = json!({ "expires_in_seconds": 60, "not_before": "2999-01-01T00:00:00Z" });
    service.post(&format!("{client}/secrets"), &short).await;
    refused(own(&service, "sandbox", &id, "wrong").await);
    refused(own(&service, "sandbox", "nobody", &secret).await);
    // Another environment's client is nobody here (behaviour L7).
    let elsewhere = own(&service, "production", &id, &secret).await.expect(401);
    assert_eq!(elsewhere.header("www-authenticate"), "Basic realm=\"production\", charset=\"UTF-8\"");
    // A secret in the query is not looked at.
    let request =
        service.request(Method::GET, &format!("/sandbox/client?client_id={id}&client_secret={secret}"));
    refused(answer(request).await);

    let items = activity(&service, &format!("client={id}&order=asc")).await;
    assert_eq!(reasons(&items), ["done", "malformed", "other_environment"]);
    assert_eq!(items[0]["secret_id"], found.body["secrets"][0]["id"]);
    assert!(items[0].get("address").is_none() && items[0]["request_id"].is_string());
    service.finish().await;
}

#[tokio::test]
async fn o5_a_revoked_secret_is_refused_by_the_very_next_request() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let first = created.text_of("/client_secret").to_owned();
    let client = format!("{CLIENTS}/{id}");
    let rotated =
        service.post(&format!("{client}/secrets"), &json!({ "overlap_seconds": 3600 })).await.expect(201);
    let second = rotated.text_of("/client_secret").to_owned();
    for secret in [&first, &second, &first] {
        own(&service, "sandbox", &id, secret).await.expect(200);
    }
    let first_id = created.text_of("/secrets/0/id").to_owned();
    service.delete(&format!("{client}/secrets/{first_id}")).await.expect(200);
    refused(own(&service, "sandbox", &id, &first).await);
    own(&service, "sandbox", &id, &second).await.expect(200);
    let rotated =
        service.post(&format!("{client}/secrets"), &json!({ "overlap_seconds": 0 })).await.expect(201);
    refused(own(&service, "sandbox", &id, &second).await);
    own(&service, "sandbox", &id, rotated.text_of("/client_secret")).await.expect(200);

    let found = activity(&service, &format!("client={id}&outcome=refused")).await;
    assert_eq!(reasons(&found), ["revoked", "revoked"]);
    let of_secret = activity(&service, &format!("secret={first_id}")).await;
    assert_eq!(of_secret.len(), 2);
    service.finish().await;
}

#[tokio::test]
async fn o6_a_deactivated_client_and_a_deleted_one_are_refused() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    let client = format!("{CLIENTS}/{id}");
    service.post(&format!("{client}/deactivate"), &json!({})).await.expect(200);
    refused(own(&service, "sandbox", &id, &secret).await);
    service.post(&format!("{client}/enable"), &json!({})).await.expect(200);
    own(&service, "sandbox", &id, &secret).await.expect(200);
    service.delete(&client).await.expect(204);
    refused(own(&service, "sandbox", &id, &secret).await);
    let of_client = service.get(&format!("{client}/activity?order=asc")).await.expect(200);
    let items = of_client.body["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(reasons(&items), ["inactive", "done", "deleted"]);
    service.get(&format!("{client}/activity?client=other")).await.expect_problem(400, "invalid_parameter");
    service.finish().await;
}

#[tokio::test]
async fn a2_every_answered_use_outlives_a_kill_and_a_flood_is_counted_by_the_end() {
    let mut service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    for _ in 0..20 {
        own(&service, "sandbox", &id, &secret).await.expect(200);
    }
    service.kill().await;
    service.launch().await;
    assert_eq!(activity(&service, &format!("client={id}&outcome=done")).await.len(), 20);
    for _ in 0..30 {
        refused(own(&service, "sandbox", &id, "wrong").await);
    }
    service.stop().await;
    service.launch().await;
    let refusals = activity(&service, &format!("client={id}&reason=malformed&limit=500")).await;
    let times: u64 = refusals.iter().filter_map(|item| item["count"].as_u64()).sum();
    assert_eq!(times, 30, "{refusals:?}");
    assert!(refusals.len() < 30, "{}", refusals.len());
    service.finish().await;
}

#[tokio::test]
async fn a4_activity_is_paged_and_followed_and_needs_the_permission() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    for _ in 0..5 {
        own(&service, "sandbox", &id, &secret).await.expect(200);
    }
    // The first record is that the administrator's token was used.
    let page = service.get("/api/v1/activity?limit=3").await.expect(200);
    let next = page.text_of("/next").to_owned();
    let rest = service.get(&format!("/api/v1/activity?limit=3&cursor={next}")).await.expect(200);
    assert_eq!(rest.body["items"].as_array().map(Vec::len), Some(3));
    assert!(rest.body["next"].is_null());
    let feed = service.get("/api/v1/activity?order=asc&after=5").await.expect(200);
    assert_eq!(feed.body["items"][0]["position"], 6);
    let next = feed.text_of("/next").to_owned();
    own(&service, "sandbox", &id, &secret).await.expect(200);
    let more = service.get(&format!("/api/v1/activity?order=asc&cursor={next}")).await.expect(200);
    assert_eq!(more.body["items"][0]["position"], 7);
    service.get("/api/v1/activity?after=4").await.expect_problem(400, "invalid_parameter");
    service.get("/api/v1/activity?colour=red").await.expect_problem(400, "invalid_parameter");
    let me = service.get("/api/v1/me").await.expect(200).text_of("/member_id").to_owned();
    let little = json!({ "label": "little", "permissions": ["clients:read"], "expires_in_seconds": 60 });
    let little = service.post(&format!("/api/v1/members/{me}/tokens"), &little).await.expect(201);
    let asked = service.request_as(little.text_of("/token"), Method::GET, "/api/v1/activity");
    answer(asked).await.expect_problem(403, "permission_denied");
    service.finish().await;
}

#[tokio::test]
async fn l4_the_last_use_of_each_secret_is_shown_and_dormant_clients_are_found() {
    let service = Service::start().await;
    let (used, created) = service.create_client("Used").await;
    let (unused, _) = service.create_client("Unused").await;
    own(&service, "sandbox", &used, created.text_of("/client_secret")).await.expect(200);
    let shown = service.get(&format!("{CLIENTS}/{used}")).await.expect(200);
    let at = activity(&service, &format!("client={used}")).await[0]["at"].clone();
    assert_eq!(shown.body["secrets"][0]["last_used_at"], at);
    let listed = service.get(CLIENTS).await.expect(200);
    assert_eq!(listed.body["items"][1]["secrets"][0]["last_used_at"], at);
    assert!(listed.body["items"][0]["secrets"][0]["last_used_at"].is_null());
    // Both were made a moment ago: neither has been dormant for a day.
    let dormant = service.get(&format!("{CLIENTS}?unused_for_days=1")).await.expect(200);
    assert_eq!(dormant.body["items"], json!([]));
    let dormant = service.get(&format!("{CLIENTS}?unused_for_days=0&limit=1")).await.expect(200);
    assert_eq!(dormant.body["items"][0]["client_id"], unused);
    service.get(&format!("{CLIENTS}?unused_for_days=x")).await.expect_problem(400, "invalid_parameter");
    service.finish().await;
}

#[tokio::test]
async fn a2_a_wrong_token_of_a_member_is_recorded() {
    let service = Service::start().await;
    for _ in 0..2 {
        let nobody = service.request_as("nobody", Method::GET, "/api/v1/me");
        answer(nobody).await.expect_problem(401, "unauthenticated");
    }
    let found = activity(&service, "kind=member_authentication&outcome=refused").await;
    assert_eq!(reasons(&found), ["malformed", "malformed"]);
    service.finish().await;
}

#[tokio::test]
async fn a4_activity_is_found_by_client_secret_environment_kind_outcome_reason_and_time() {
    let service = Service::start().await;
    let (one, created) = service.create_client("One").await;
    let (other, other_created) = service.create_client("Other").await;
    let secret = created.text_of("/client_secret").to_owned();
    own(&service, "sandbox", &one, &secret).await.expect(200);
    own(&service, "sandbox", &other, other_created.text_of("/client_secret")).await.expect(200);
    let rotate = json!({ "overlap_seconds": 0 });
    let rotated = service.post(&format!("{CLIENTS}/{one}/secrets"), &rotate).await.expect(201);
    refused(own(&service, "sandbox", &one, &secret).await);
    own(&service, "sandbox", &one, rotated.text_of("/client_secret")).await.expect(200);
    own(&service, "production", &one, &secret).await.expect(401);
    answer(service.request_as("nobody", Method::GET, "/api/v1/me")).await.expect(401);

    let found = async |query: &str| {
        let items = activity(&service, &format!("{query}&order=asc")).await;
        reasons(&items).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found(&format!("client={one}")).await, ["done", "revoked", "done", "other_environment"]);
    assert_eq!(found(&format!("client={other}")).await, ["done"]);
    let first = created.text_of("/secrets/0/id");
    assert_eq!(found(&format!("secret={first}&outcome=done")).await, ["done"]);
    let second = rotated.text_of("/secret/id");
    assert_eq!(found(&format!("secret={second}")).await, ["done"]);
    assert_eq!(found(&format!("client={one}&environment=production")).await, ["other_environment"]);
    assert_eq!(found(&format!("client={one}&outcome=refused")).await, ["revoked", "other_environment"]);
    let here = format!("{CLIENTS}/{one}/activity?order=asc");
    let own_activity = service.get(&here).await.expect(200);
    let items = own_activity.body["items"].as_array().expect("items");
    assert_eq!(reasons(items), ["done", "revoked", "done"], "what was tried elsewhere is activity of there");
    service.get(&format!("{here}&environment=production")).await.expect_problem(400, "invalid_parameter");
    service.get(&format!("{here}&environment=sandbox")).await.expect(200);
    assert_eq!(found("reason=revoked").await, ["revoked"]);
    assert_eq!(found("kind=authentication&outcome=done").await, ["done"; 3]);
    assert_eq!(found("kind=member_authentication&outcome=refused").await, ["malformed"]);
    let all = activity(&service, &format!("client={one}&order=asc")).await;
    let middle = all[1]["at"].as_str().expect("a time");
    let since = format!("client={one}&from={middle}");
    assert_eq!(found(&since).await, ["revoked", "done", "other_environment"], "`from` is included");
    assert_eq!(found(&format!("client={one}&to={middle}")).await, ["done"], "`to` is not");
    service.finish().await;
}

#[tokio::test]
async fn o5_nobody_is_let_in_while_the_head_of_the_log_cannot_be_read() {
    let service = Service::start_on_a_disk_that_can_fail().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    own(&service, "sandbox", &id, &secret).await.expect(200);
    service.get("/api/v1/me").await.expect(200);
    let broken = service.folder().join("fsync");
    std::fs::write(&broken, "").expect("a disk that fails");
    // What became of this command is unknown, and so is whether it revoked anything.
    service.post(&format!("{CLIENTS}/{id}/deactivate"), &json!({})).await.expect_problem(503, "unavailable");
    for _ in 0..3 {
        service.get("/api/v1/me").await.expect_problem(503, "unavailable");
        let shut = own(&service, "sandbox", &id, &secret).await.expect(503);
        assert!(!shut.text.contains(&id), "{}", shut.text);
    }
    std::fs::remove_file(&broken).expect("a disk that works");
    let told = async {
        while own(&service, "sandbox", &id, &secret).await.status == 503 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), told).await.expect("in time");
    // The command is known now not to have happened.
    own(&service, "sandbox", &id, &secret).await.expect(200);
    service.finish().await;
}
