//! Members: permissions, refusals that are recorded, tokens.

use reqwest::Method;
use serde_json::json;
use tests::{
    Service, client_body,
    http::{CLIENTS, answer},
};

#[tokio::test]
async fn l1_without_the_permission_the_answer_is_403_and_is_itself_recorded() {
    let service = Service::start().await;
    let (auditor_id, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let create = service.request_as(&auditor, Method::POST, CLIENTS).json(&client_body("Matter sync"));
    let refused = answer(create).await.expect_problem(403, "permission_denied");
    assert_eq!(refused.body["permission"], "clients:write");
    answer(service.request_as(&auditor, Method::GET, CLIENTS)).await.expect_problem(403, "permission_denied");

    let events = service
        .get(&format!("/api/v1/audit/events?actor={auditor_id}&type=command.refused"))
        .await
        .expect(200);
    let items = events.body["items"].as_array().expect("items");
    let commands: Vec<_> = items.iter().map(|item| &item["entry"]["data"]["command"]).collect();
    assert_eq!(commands, ["ListClients", "CreateClient"]);
    assert!(items.iter().all(|item| item["entry"]["outcome"] == "refused"));
    assert!(items.iter().all(|item| item["entry"]["environment"] == "sandbox"));

    // Granted, it works at the next request.
    let roles = json!({ "roles": ["auditor", "integration_manager"], "reason": "promoted" });
    let put = || service.request(Method::PUT, &format!("/api/v1/members/{auditor_id}/roles")).json(&roles);
    answer(put()).await.expect_problem(428, "precondition_required");
    let stale = answer(put().header("if-match", "\"1\"")).await.expect_problem(412, "precondition_failed");
    assert_eq!(stale.body["changed"][0]["type"], "member.token_issued");
    answer(put().header("if-match", "\"2\"")).await.expect(200);
    let body = json!({ "label": "more", "expires_in_seconds": 60 });
    let token = answer(
        service
            .request_as(&auditor, Method::POST, &format!("/api/v1/members/{auditor_id}/tokens"))
            .json(&body),
    );
    // A token cannot make one that can do more than itself.
    token.await.expect_problem(403, "grant_exceeds_own_permissions");
    let token = service.post(&format!("/api/v1/members/{auditor_id}/tokens"), &body).await.expect(201);
    let create =
        service.request_as(token.text_of("/token"), Method::POST, CLIENTS).json(&client_body("Matter sync"));
    answer(create).await.expect(201);
    service.finish().await;
}

#[tokio::test]
async fn a12_an_auditor_reads_the_audit_and_nothing_else() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let (_, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let get = |path: String| answer(service.request_as(&auditor, Method::GET, &path));
    let events = get("/api/v1/audit/events?include=private".into()).await.expect(200);
    assert!(events.text.contains("first integration"), "private parts for who may");
    get(format!("{CLIENTS}/{id}")).await.expect(403);
    answer(service.request_as(&auditor, Method::DELETE, &format!("{CLIENTS}/{id}"))).await.expect(403);
    let opened = service.get("/api/v1/audit/events?type=audit.private_parts_opened").await.expect(200);
    assert_eq!(opened.body["items"].as_array().map(Vec::len), Some(1), "opening private parts is recorded");
    service.finish().await;
}

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
async fn a3_a_members_email_is_unique_and_never_public() {
    let service = Service::start().await;
    service.create_member("Ada Lovelace", &["auditor"]).await;
    let body = json!({ "name": "Ada", "email": "ADA.Lovelace@members.example", "roles": ["auditor"] });
    let taken = service.post("/api/v1/members", &body).await.expect_problem(409, "taken");
    assert_eq!(taken.broken_rules()[0].0, "/email");
    let body = json!({ "name": "", "email": "ada", "roles": ["king"] });
    let rules =
        service.post("/api/v1/members", &body).await.expect_problem(422, "invalid_request").broken_rules();
    assert_eq!(rules.len(), 3, "{rules:?}");
    service.finish().await;
}
