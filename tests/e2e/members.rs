//! Members: permissions, and refusals that are recorded.

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
    get("/api/v1/projections".into()).await.expect(200);
    let named = get("/api/v1/audit/events?type=member.created&include=private".into()).await.expect(200);
    assert!(named.text.contains("Quiet Auditor"), "who a member is, for who may");
    let opened = service.get("/api/v1/audit/events?type=audit.private_parts_opened").await.expect(200);
    assert_eq!(opened.body["items"].as_array().map(Vec::len), Some(2), "opening private parts is recorded");
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

pub const PRODUCTION: &str = "/api/v1/environments/production/clients";

#[tokio::test]
async fn l1_a_role_in_one_environment_allows_nothing_in_another_nor_above_them() {
    let service = Service::start().await;
    let role = json!({ "role": "integration_manager", "environments": ["sandbox"] });
    let body =
        json!({ "name": "Sandy", "email": "sandy@members.example", "roles": [role.clone(), "auditor"] });
    let created = service.post("/api/v1/members", &body).await.expect(201);
    assert_eq!(created.body["roles"], json!([{ "role": "auditor" }, role]));
    assert_eq!(created.body["permissions"], json!(["audit:read", "audit:read_private", "replay:run"]));
    let sandbox = json!(["clients:read", "clients:write", "secrets:reveal"]);
    assert_eq!(created.body["permissions_in"], json!({ "sandbox": sandbox }));
    let id = created.text_of("/member_id").to_owned();
    // Without its other role it may read the audit of the sandbox alone.
    let roles = json!({ "roles": [role] });
    let put = service.request(Method::PUT, &format!("/api/v1/members/{id}/roles")).header("if-match", "*");
    answer(put.json(&roles)).await.expect(200);
    let body = json!({ "label": "test", "expires_in_seconds": 60 });
    let issued = service.post(&format!("/api/v1/members/{id}/tokens"), &body).await.expect(201);
    let token = issued.text_of("/token");
    let ask = |method, path: &str| service.request_as(token, method, path);

    answer(ask(Method::POST, CLIENTS).json(&client_body("Matter sync"))).await.expect(201);
    answer(ask(Method::GET, CLIENTS)).await.expect(200);
    answer(ask(Method::GET, PRODUCTION)).await.expect_problem(403, "permission_denied");
    let refused = answer(ask(Method::POST, PRODUCTION).json(&client_body("Matter sync"))).await;
    assert_eq!(refused.expect_problem(403, "permission_denied").body["permission"], "clients:write");
    answer(ask(Method::GET, "/api/v1/audit/events")).await.expect_problem(403, "permission_denied");
    answer(ask(Method::GET, "/api/v1/audit/events?environment=production")).await.expect(403);
    let own = answer(ask(Method::GET, "/api/v1/audit/events?environment=sandbox")).await.expect(200);
    let items = own.body["items"].as_array().expect("items");
    assert!(!items.is_empty() && items.iter().all(|item| item["entry"]["environment"] == "sandbox"));
    let me = answer(ask(Method::GET, "/api/v1/me")).await.expect(200);
    assert_eq!(me.body["permissions"], json!([]));

    for (roles, pointer, rule) in [
        (json!([{ "role": "auditor", "environments": ["nowhere"] }]), "/roles/0/environments/0", "unknown"),
        (json!([{ "role": "auditor", "environments": [] }]), "/roles/0/environments", "required"),
        (json!(["auditor", { "role": "auditor", "environments": ["sandbox"] }]), "/roles/1", "duplicate"),
        (json!(["king"]), "/roles/0", "unknown"),
        (json!([{ "role": "auditor", "where": [] }]), "/roles/0/where", "unknown_field"),
        (json!([7]), "/roles/0", "wrong_type"),
    ] {
        let body = json!({ "name": "Other", "email": "other@members.example", "roles": roles });
        let refused = service.post("/api/v1/members", &body).await.expect_problem(422, "invalid_request");
        assert_eq!(refused.broken_rules(), [(pointer.to_owned(), rule.to_owned())], "{}", refused.text);
    }
    service.finish().await;
}

#[tokio::test]
async fn l1_a_role_of_ones_own_counts_at_the_next_request_and_gives_nothing_once_deleted() {
    let service = Service::start().await;
    let role = json!({ "name": "on_call", "description": "Looks at night", "permissions": ["clients:read"] });
    let created = service.post("/api/v1/roles", &role).await.expect(201);
    assert_eq!(created.header("location"), "/api/v1/roles/on_call");
    service.post("/api/v1/roles", &role).await.expect_problem(409, "role_exists");
    let body = json!({ "name": "auditor", "description": "Mine", "permissions": ["audit:read"] });
    service.post("/api/v1/roles", &body).await.expect_problem(422, "invalid_request");
    let (member, _) = service.create_member("Night Watch", &["on_call", "auditor"]).await;
    let body = json!({ "label": "all", "expires_in_seconds": 600 });
    let all = service.post(&format!("/api/v1/members/{member}/tokens"), &body).await.expect(201);
    let token = all.text_of("/token").to_owned();
    let read = || answer(service.request_as(&token, Method::GET, CLIENTS));
    read().await.expect(200);

    let put = |etag: &'static str, permissions: serde_json::Value| {
        let request = service.request(Method::PUT, "/api/v1/roles/on_call/permissions");
        answer(request.header("if-match", etag).json(&json!({ "permissions": permissions })))
    };
    put("\"7\"", json!(["audit:read"])).await.expect_problem(412, "precondition_failed");
    put("\"1\"", json!(["audit:read"])).await.expect(200);
    read().await.expect_problem(403, "permission_denied");
    put("*", json!(["clients:read", "audit:read"])).await.expect(200);
    read().await.expect(200);
    let built_in = service.request(Method::PUT, "/api/v1/roles/auditor/permissions").header("if-match", "*");
    answer(built_in.json(&json!({ "permissions": ["audit:read"] })))
        .await
        .expect_problem(409, "built_in_role");
    let listed = service.get("/api/v1/roles").await.expect(200);
    let names: Vec<_> =
        listed.body["items"].as_array().expect("items").iter().map(|role| role["name"].clone()).collect();
    assert_eq!(names, ["administrator", "integration_manager", "auditor", "on_call"]);

    service.delete("/api/v1/roles/on_call").await.expect(204);
    read().await.expect_problem(403, "permission_denied");
    service.get("/api/v1/roles/on_call").await.expect_problem(410, "gone");
    service.post("/api/v1/roles", &role).await.expect_problem(409, "role_exists");
    let held = service.get(&format!("/api/v1/members/{member}")).await.expect(200);
    assert_eq!(held.body["roles"][1]["role"], "on_call", "it is held, and gives nothing");
    assert_eq!(held.body["permissions"], json!(["audit:read", "audit:read_private", "replay:run"]));
    service.finish().await;
}

#[tokio::test]
async fn l1_a_deactivated_member_is_refused_at_the_next_request() {
    let service = Service::start().await;
    let (member, token) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let read = || answer(service.request_as(&token, Method::GET, CLIENTS));
    read().await.expect(200);
    let path = |verb: &str| format!("/api/v1/members/{member}/{verb}");
    let off =
        service.post(&path("deactivate"), &json!({ "reason": "left", "ticket": "HR-7" })).await.expect(200);
    assert_eq!(off.body["status"], "inactive");
    read().await.expect_problem(401, "unauthenticated");
    service.post(&path("deactivate"), &json!({})).await.expect_problem(409, "member_not_active");
    service.post(&path("enable"), &json!({})).await.expect(200);
    read().await.expect(200);
    service.post(&path("enable"), &json!({})).await.expect_problem(409, "member_not_inactive");
    let types = ["member.deactivated", "member.enabled"];
    for event_type in types {
        let found = service.get(&format!("/api/v1/audit/events?type={event_type}")).await.expect(200);
        assert_eq!(found.body["items"].as_array().map(Vec::len), Some(1), "{event_type}");
    }
    service.finish().await;
}

#[tokio::test]
async fn l1_of_two_administrators_who_demote_each_other_one_stays() {
    let service = Service::start().await;
    let mine = service.get("/api/v1/me").await.text_of("/member_id").to_owned();
    service
        .delete(&format!(
            "/api/v1/members/{mine}/tokens/{}",
            service.get("/api/v1/me").await.text_of("/token_id")
        ))
        .await
        .expect_problem(409, "last_administrator");
    service
        .post(&format!("/api/v1/members/{mine}/deactivate"), &json!({}))
        .await
        .expect_problem(409, "last_administrator");
    for round in 0..8 {
        let (theirs, token) =
            service.create_member(&format!("Other Admin {round}"), &["administrator"]).await;
        let demote = |token: &str, member: &str| {
            let request = service.request_as(token, Method::PUT, &format!("/api/v1/members/{member}/roles"));
            answer(request.header("if-match", "*").json(&json!({ "roles": ["auditor"] })))
        };
        // Two ways to take the role: by the other one, or by oneself.
        let (first, second) = if round % 2 == 0 {
            tokio::join!(demote(&service.token, &theirs), demote(&token, &mine))
        } else {
            tokio::join!(demote(&service.token, &mine), demote(&token, &theirs))
        };
        let statuses = [first.status, second.status];
        assert_eq!(
            statuses.iter().filter(|status| **status == 200).count(),
            1,
            "{} {}",
            first.text,
            second.text
        );
        let refused = if first.status == 200 { second } else { first };
        assert!([403, 409].contains(&refused.status), "{}", refused.text);
        // Whoever is left makes the first one an administrator again, for the next round.
        for token in [&service.token, &token] {
            let roles = json!({ "roles": ["administrator"] });
            let request = service.request_as(token, Method::PUT, &format!("/api/v1/members/{mine}/roles"));
            answer(request.header("if-match", "*").json(&roles)).await;
        }
        answer(
            service
                .request_as(&token, Method::POST, &format!("/api/v1/members/{theirs}/deactivate"))
                .json(&json!({})),
        )
        .await;
        service.post(&format!("/api/v1/members/{theirs}/deactivate"), &json!({})).await;
        let me = service.get("/api/v1/me").await.expect(200);
        assert!(me.text.contains("members:write"), "somebody is always left");
    }
    service.finish().await;
}

#[tokio::test]
async fn a3_a_member_is_renamed_without_a_trace_of_the_name_and_its_old_email_is_free() {
    let service = Service::start().await;
    let (member, _) = service.create_member("Ada Lovelace", &["auditor"]).await;
    service.create_member("Grace Hopper", &["auditor"]).await;
    let path = format!("/api/v1/members/{member}");
    let taken = json!({ "email": "grace.hopper@members.example" });
    let refused = service.patch(&path, "*", &taken).await.expect_problem(409, "taken");
    assert_eq!(refused.broken_rules()[0].0, "/email");
    let body = json!({ "name": "Ada King", "email": "ada.king@members.example" });
    answer(service.request(Method::PATCH, &path).json(&body))
        .await
        .expect_problem(428, "precondition_required");
    let changed = service.patch(&path, "\"2\"", &body).await.expect(200);
    assert!(!changed.text.contains("King"));
    service.create_member("Ada Lovelace", &["auditor"]).await;
    let found =
        service.get("/api/v1/audit/events?type=member.details_changed&include=private").await.expect(200);
    assert_eq!(found.body["items"][0]["entry"]["data"], json!({ "details": ["name", "email"] }));
    assert!(found.text.contains("ada.king@members.example"), "for who may read private parts");
    service.finish().await;
}

#[tokio::test]
async fn l1_who_may_not_hears_that_before_anything_about_ids() {
    let service = Service::start().await;
    let (auditor, token) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let ask = |method, path: &str| answer(service.request_as(&token, method, path).json(&json!({})));
    for (method, path) in [
        (Method::GET, "/api/v1/members/no-id"),
        (Method::POST, "/api/v1/members/no-id/deactivate"),
        (Method::DELETE, "/api/v1/environments/No/clients/no-id"),
        (Method::GET, "/api/v1/environments/nowhere/clients"),
        (Method::DELETE, "/api/v1/roles/No"),
    ] {
        ask(method.clone(), path).await.expect_problem(403, "permission_denied");
        answer(service.request(method, path).json(&json!({}))).await.expect_problem(404, "not_found");
    }
    let events = format!("/api/v1/audit/events?actor={auditor}&type=command.refused");
    let events = service.get(&events).await.expect(200);
    assert_eq!(events.body["items"].as_array().map(Vec::len), Some(5), "each is recorded");
    service.finish().await;
}

#[tokio::test]
async fn a3_who_members_are_is_shown_to_who_may_read_it_and_that_is_recorded() {
    let service = Service::start().await;
    let (id, token) = service.create_member("Ada Lovelace", &["integration_manager"]).await;
    let member = format!("/api/v1/members/{id}");
    let plain = service.get(&member).await.expect(200);
    assert!(plain.body.get("name").is_none() && plain.body.get("email").is_none());
    let shown = service.get(&format!("{member}?include=private")).await.expect(200);
    assert_eq!(shown.text_of("/name"), "Ada Lovelace");
    assert_eq!(shown.text_of("/email"), "ada.lovelace@members.example");
    let listed = service.get("/api/v1/members?include=private&limit=1").await.expect(200);
    assert_eq!(listed.text_of("/items/0/email"), "ada.lovelace@members.example");
    assert!(!service.get("/api/v1/members").await.expect(200).text.contains("Lovelace"));
    let opened = service.get("/api/v1/audit/events?type=audit.private_parts_opened").await.expect(200);
    let items = opened.body["items"].as_array().expect("items");
    assert_eq!(items.len(), 2, "each time");
    assert!(items.iter().all(|item| item["entry"]["data"]["what"] == "members"));
    let own = service.request_as(&token, reqwest::Method::GET, &format!("{member}?include=private"));
    tests::http::answer(own).await.expect_problem(403, "permission_denied");

    service.post(&format!("{member}/deactivate"), &json!({})).await.expect(200);
    let why = json!({ "reason": "asked for it", "ticket": "GDPR-1" });
    service.post(&format!("/api/v1/persons/{id}/erase"), &why).await.expect(200);
    let erased = service.get(&format!("{member}?include=private")).await.expect(200);
    assert_eq!(erased.body["erased"], true);
    assert!(!erased.text.contains("Lovelace"));
    service.finish().await;
}
