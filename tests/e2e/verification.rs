//! Log and views, verified over the API.

use std::time::Duration;

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use tests::{
    Service,
    http::{Answer, CLIENTS, answer},
};

const VERIFY: &str = "/api/v1/audit/verify";

async fn begun(service: &Service, token: &str) -> Answer {
    answer(service.request_as(token, Method::POST, VERIFY).json(&json!({ "ticket": "AUD-7" }))).await
}

/// What a verification found, once it has.
async fn found(service: &Service, token: &str, begun: &Answer) -> Answer {
    let path = begun.header("location");
    assert_eq!(path, format!("{VERIFY}/{}", begun.text_of("/verification_id")));
    let ended = async {
        loop {
            let found = answer(service.request_as(token, Method::GET, path)).await.expect(200);
            if found.body["status"] != "running" {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("a verification ends")
}

async fn events(service: &Service, event_type: &str) -> Vec<Value> {
    let found = service.get(&format!("/api/v1/audit/events?type={event_type}&order=asc")).await.expect(200);
    let items = found.body["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().map(|item| item["entry"].clone()).collect()
}

#[tokio::test]
async fn a12_an_auditor_has_log_and_views_verified_and_that_is_recorded() {
    let service = Service::start().await;
    service.create_client("Matter sync").await;
    let (auditor_id, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let begun = begun(&service, &auditor).await.expect(202);
    let found = found(&service, &auditor, &begun).await;
    let id = begun.text_of("/verification_id");
    assert_eq!((&found.body["status"], &found.body["verdict"]), (&json!("done"), &json!("sound")));
    assert_eq!((&found.body["defects"], &found.body["differing_rows"]), (&json!(0), &json!(0)));
    assert!(found.body["position"].as_u64() >= found.body["head"].as_u64(), "{}", found.text);
    let views = found.body["views"].as_array().expect("views");
    assert!(views.iter().any(|view| view["view"] == "clients" && view["incomparable"].is_null()));

    let started = &events(&service, "audit.verification_started").await[0];
    assert_eq!((&started["data"]["verification_id"], &started["ticket"]), (&json!(id), &json!("AUD-7")));
    let verified = &events(&service, "audit.verified").await[0];
    assert_eq!(
        (&verified["data"]["verdict"], &verified["actor"]["id"]),
        (&json!("sound"), &json!(auditor_id))
    );
    let position = found.body["recorded_at_position"].as_u64().expect("where it is recorded");
    let event = service.get(&format!("/api/v1/audit/events/{position}")).await.expect(200);
    assert_eq!(event.body["entry"]["type"], "audit.verified");

    let unknown = service.get(&format!("{VERIFY}/0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e")).await;
    unknown.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn a12_who_reads_the_audit_everywhere_verifies_it_and_nobody_else_and_once_for_a_key() {
    let service = Service::start().await;
    let me = service.get("/api/v1/me").await.expect(200).text_of("/member_id").to_owned();
    let tokens = format!("/api/v1/members/{me}/tokens");
    let reader = json!({ "label": "reader", "permissions": ["clients:read"], "expires_in_seconds": 60 });
    let reader = service.post(&tokens, &reader).await.expect(201);
    let sandbox = json!({ "label": "sandbox", "permissions": ["audit:read"], "environments": ["sandbox"], "expires_in_seconds": 60 });
    let sandbox = service.post(&tokens, &sandbox).await.expect(201);
    for token in [reader.text_of("/token"), sandbox.text_of("/token")] {
        let refused = begun(&service, token).await.expect_problem(403, "permission_denied");
        assert_eq!(refused.body["permission"], "audit:read");
    }
    let confined = format!("{VERIFY}?environment=sandbox");
    let confined = answer(service.request_as(sandbox.text_of("/token"), Method::POST, &confined)).await;
    confined.expect_problem(403, "permission_denied");
    assert_eq!(events(&service, "audit.verification_started").await.len(), 0);

    let keyed = async || {
        let request = service.request(Method::POST, VERIFY).header("idempotency-key", "one");
        answer(request).await.expect(202)
    };
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!(first.body, again.body);
    assert_eq!(again.header("idempotent-replayed"), "true");
    found(&service, &service.token, &first).await;

    // One at a time.
    let five = (0..5).map(|_| begun(&service, &service.token));
    let mut begun = 0;
    for answer in futures_all(five).await {
        match answer.status {
            202 => {
                begun += 1;
                found(&service, &service.token, &answer).await;
            }
            _ => drop(answer.expect_problem(409, "verification_running")),
        }
    }
    assert!(begun >= 1);
    assert_eq!(events(&service, "audit.verified").await.len(), begun + 1);
    service.finish().await;
}

/// All of them at once.
async fn futures_all(requests: impl Iterator<Item = impl Future<Output = Answer>>) -> Vec<Answer> {
    let mut waiting: Vec<_> = requests.map(Box::pin).collect();
    let mut answers = Vec::new();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|request| match request.as_mut().poll(context) {
            std::task::Poll::Ready(answer) => {
                answers.push(answer);
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers
}

#[tokio::test]
async fn a12_what_was_altered_by_hand_is_named_while_the_service_goes_on() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let position = created.body["position"].as_u64().expect("a position");
    let live = std::fs::read_to_string(service.data().join("views/live")).expect("the pointer");
    let views = Connection::open(service.data().join("views").join(live.trim())).expect("the views");
    let log = Connection::open(service.data().join("log.db")).expect("the log");
    log.execute_batch("DROP TRIGGER events_are_not_changed").expect("who owns the file can");
    let set = |sql: &str| log.execute(sql, [position]).expect("an alteration");
    assert_eq!(set("UPDATE events SET entry = CAST(entry || ' ' AS BLOB) WHERE position = ?1"), 1);
    let meddle = "UPDATE clients SET client_type = 'webhook' WHERE client_id = ?1";
    assert_eq!(views.execute(meddle, [&id]).expect("an alteration"), 1);

    let begun = begun(&service, &service.token).await.expect(202);
    for number in 0..20 {
        service.create_client(&format!("Meanwhile {number}")).await;
    }
    let found = found(&service, &service.token, &begun).await;
    assert_eq!((&found.body["status"], &found.body["verdict"]), (&json!("done"), &json!("log_damaged")));
    assert_eq!((&found.body["defects"], &found.body["differing_rows"]), (&json!(1), &json!(1)));
    let findings = found.body["findings"].as_array().expect("findings");
    let place = format!("position {position}: the entry is not canonical");
    assert!(findings[0]["defect"].as_str().is_some_and(|text| text.starts_with(&place)), "{}", found.text);
    assert_eq!(findings[1], json!({ "row": { "view": "clients", "table": "clients", "key": id } }));
    let verified = &events(&service, "audit.verified").await[0]["data"];
    assert_eq!((&verified["defects"], &verified["differing_rows"]), (&json!(1), &json!(1)));

    // As it was, so that the end of every test holds for this one.
    set("UPDATE events SET entry = CAST(rtrim(CAST(entry AS TEXT)) AS BLOB) WHERE position = ?1");
    drop((log, views));
    service.post("/api/v1/projections/rebuild", &json!({})).await.expect(200);
    service.get(&format!("{CLIENTS}/{id}")).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn a12_a_service_that_is_told_to_stop_does_not_wait_for_a_verification() {
    let mut service = Service::start().await;
    for _ in 0..5 {
        begun(&service, &service.token).await.expect(202);
        service.stop().await;
        service.launch().await;
    }
    service.finish().await;
}
