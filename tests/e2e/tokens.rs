//! Tokens of members: what they reach, when they end, which there are.

use reqwest::Method;
use serde_json::json;
use tests::{
    Service,
    http::{CLIENTS, answer},
};

use crate::members::PRODUCTION;

#[tokio::test]
async fn a2_no_token_a_wrong_one_and_a_revoked_one_are_the_same_401() {
    let service = Service::start().await;
    let (member, token) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let read = |token: String| answer(service.request_as(&token, Method::GET, CLIENTS));
    read(token.clone()).await.expect(200);
    let own = answer(service.request_as(&token, Method::GET, "/api/v1/me")).await.expect(200);
    let token_id = own.text_of("/token_id").to_owned();
    let revoke =
        service.request_as(&token, Method::DELETE, &format!("/api/v1/members/{member}/tokens/{token_id}"));
    answer(revoke).await.expect(200);
    let mut forged = token.clone();
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    let mut bodies = Vec::new();
    for token in [token, forged, "mpt_".to_owned(), "x".repeat(5_000)] {
        let refused = read(token).await.expect(401);
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        let mut body = refused.body.clone();
        body["request_id"].take();
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    answer(reqwest::Client::new().get(format!("{}{CLIENTS}", service.base))).await.expect(401);
    service.finish().await;
}

#[tokio::test]
async fn l1_a_token_is_limited_to_environments_and_makes_none_that_reaches_further() {
    let service = Service::start().await;
    let me = service.get("/api/v1/me").await.text_of("/member_id").to_owned();
    let tokens = format!("/api/v1/members/{me}/tokens");
    let body = json!({ "label": "ci", "permissions": ["clients:read"], "environments": ["sandbox"], "expires_in_seconds": 600 });
    let limited = service.post(&tokens, &body).await.expect(201).text_of("/token").to_owned();
    let get = |path: &'static str| answer(service.request_as(&limited, Method::GET, path));
    get(CLIENTS).await.expect(200);
    get(PRODUCTION).await.expect_problem(403, "permission_denied");
    let make = |body| answer(service.request_as(&limited, Method::POST, &tokens).json(&body));
    let further = json!({ "label": "more", "permissions": ["clients:read"], "environments": ["production"], "expires_in_seconds": 60 });
    make(further).await.expect_problem(403, "grant_exceeds_own_permissions");
    let same = json!({ "label": "same", "permissions": ["clients:read"], "expires_in_seconds": 60 });
    make(same).await.expect(201);
    let listed = service.get(&format!("{tokens}?limit=2&live=true")).await.expect(200);
    let items = listed.body["items"].as_array().expect("items");
    let labels: Vec<_> = items.iter().map(|token| token["label"].as_str().expect("a label")).collect();
    assert_eq!(labels, ["same", "ci"], "newest first");
    assert_eq!(items[0]["environments"], json!(["sandbox"]), "as the one that made it");
    let rest =
        service.get(&format!("{tokens}?live=true&cursor={}", listed.text_of("/next"))).await.expect(200);
    assert_eq!(rest.body["items"][0]["label"], "first administrator");
    assert_eq!(rest.body["next"], json!(null));
    service.finish().await;
}

#[tokio::test]
async fn l1_no_token_grows_beyond_the_one_that_made_it() {
    let service = Service::start().await;
    let people = json!({ "name": "people", "description": "Members", "permissions": ["members:write"] });
    service.post("/api/v1/roles", &people).await.expect(201);
    let in_sandbox = json!({ "role": "integration_manager", "environments": ["sandbox"] });
    let enrol = async |name: &str, roles: serde_json::Value| {
        let body = json!({ "name": name, "email": format!("{name}@members.example"), "roles": roles });
        let member =
            service.post("/api/v1/members", &body).await.expect(201).text_of("/member_id").to_owned();
        let tokens = format!("/api/v1/members/{member}/tokens");
        let body = json!({ "label": "all", "expires_in_seconds": 600 });
        let token = service.post(&tokens, &body).await.expect(201).text_of("/token").to_owned();
        (tokens, token)
    };
    let (own, token) = enrol("one", json!([in_sandbox])).await;
    let (_, manager) = enrol("two", json!(["people", in_sandbox])).await;
    let first = token.clone();
    let issue = |token: &str, tokens: &str, permissions: &[&str], environments: Option<&str>| {
        // Less time for each token that is made with one that was made.
        let seconds = if token == first { 300 } else { 60 };
        let mut body = json!({ "label": "made", "permissions": permissions, "expires_in_seconds": seconds });
        if let Some(environment) = environments {
            body["environments"] = json!([environment]);
        }
        answer(service.request_as(token, Method::POST, tokens).json(&body))
    };

    let reads = issue(&token, &own, &["clients:read"], None).await.expect(201);
    let reads = reads.text_of("/token");
    // It could do nothing there today, and something once its member is given more.
    let both = ["clients:read", "clients:write"];
    let more = issue(reads, &own, &both, Some("production")).await.expect_problem(422, "invalid_request");
    assert_eq!(more.body["errors"][0]["pointer"], "/permissions", "{}", more.text);
    issue(reads, &own, &["clients:read"], None).await.expect(201);
    let everywhere = issue(&manager, &own, &["clients:write"], None).await;
    everywhere.expect_problem(403, "grant_exceeds_own_permissions");
    issue(&manager, &own, &["clients:write"], Some("sandbox")).await.expect(201);
    service.finish().await;
}

#[tokio::test]
async fn l1_when_a_token_was_last_used_is_shown_and_recorded_once_an_hour() {
    let mut service = Service::start().await;
    let (member, token) = service.create_member("Ada Lovelace", &["auditor"]).await;
    let tokens = format!("/api/v1/members/{member}/tokens");
    let listed = service.get(&tokens).await.expect(200);
    assert_eq!(listed.body["items"][0]["last_used_at"], json!(null), "it never was");
    let id = listed.text_of("/items/0/id").to_owned();
    let look = || answer(service.request_as(&token, Method::GET, "/api/v1/projections"));
    for _ in 0..3 {
        look().await.expect(200);
    }
    let uses = format!("/api/v1/activity?kind=member_authentication&secret={id}");
    let recorded = service.get(&uses).await.expect(200);
    assert_eq!(recorded.body["items"].as_array().map(Vec::len), Some(1), "one for the hour");
    let at = &recorded.body["items"][0]["at"];
    assert!(recorded.body["items"][0]["client"].is_null());
    assert_eq!(&service.get(&tokens).await.expect(200).body["items"][0]["last_used_at"], at);
    let shown = service.get(&format!("/api/v1/members/{member}")).await.expect(200);
    assert_eq!(&shown.body["tokens"][0]["last_used_at"], at);
    // What was recorded stays; a process that does not remember it records the next use anew.
    service.stop().await;
    service.launch().await;
    assert_eq!(&service.get(&tokens).await.expect(200).body["items"][0]["last_used_at"], at);
    answer(service.request_as(&token, Method::GET, "/api/v1/me")).await.expect(200);
    assert_ne!(&service.get(&tokens).await.expect(200).body["items"][0]["last_used_at"], at);
    service.finish().await;
}

#[tokio::test]
async fn l1_tokens_are_listed_page_by_page_while_others_come_and_go() {
    let service = Service::start().await;
    let (member, _) = service.create_member("Ada", &["auditor"]).await;
    let tokens = format!("/api/v1/members/{member}/tokens");
    let issue = async |label: String| {
        let body = json!({ "label": label, "expires_in_seconds": 600 });
        service.post(&tokens, &body).await.expect(201).text_of("/token_id").to_owned()
    };
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(issue(format!("token {number}")).await);
    }
    let (mut labels, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = service.get(&format!("{tokens}{query}")).await.expect(200);
        let items = page.body["items"].as_array().expect("items");
        labels.extend(items.iter().map(|item| item["label"].as_str().expect("a label").to_owned()));
        let Some(next) = page.body["next"].as_str() else { break };
        query = format!("?limit=2&cursor={next}");
        issue("late".to_owned()).await;
        service.delete(&format!("{tokens}/{}", ids.pop().expect("a token"))).await.expect(200);
    }
    assert_eq!(labels, ["token 4", "token 3", "token 2", "token 1", "token 0", "test"]);
    service.finish().await;
}

#[tokio::test]
async fn l1_a_token_acts_as_its_member_whoever_made_it() {
    let service = Service::start().await;
    let (maker, maker_token) = service.create_member("Leaving Admin", &["administrator"]).await;
    let (other, _) = service.create_member("Staying Manager", &["integration_manager"]).await;
    let body = json!({ "label": "made by another", "expires_in_seconds": 3_600 });
    let tokens = format!("/api/v1/members/{other}/tokens");
    let made = service.request_as(&maker_token, reqwest::Method::POST, &tokens).json(&body);
    let token = tests::http::answer(made).await.expect(201).text_of("/token").to_owned();
    let me =
        async || tests::http::answer(service.request_as(&token, reqwest::Method::GET, "/api/v1/me")).await;
    service.post(&format!("/api/v1/members/{maker}/deactivate"), &json!({})).await.expect(200);
    assert_eq!(me().await.expect(200).text_of("/member_id"), other);
    let why = json!({ "reason": "left", "ticket": "HR-7" });
    service.post(&format!("/api/v1/persons/{maker}/erase"), &why).await.expect(200);
    me().await.expect(200);
    // What somebody who left made for others is found, and the one for whom it is loses it with the member.
    let path = format!("/api/v1/audit/events?type=member.token_issued&actor={maker}");
    let found = service.get(&path).await.expect(200);
    assert_eq!(found.body["items"][0]["entry"]["stream"], format!("member-{other}"));
    service.post(&format!("/api/v1/members/{other}/deactivate"), &json!({})).await.expect(200);
    me().await.expect_problem(401, "unauthenticated");
    service.finish().await;
}
