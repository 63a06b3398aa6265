//! Lists: of members, and of secrets that end soon.

use serde_json::json;
use tests::{Service, http::CLIENTS};

#[tokio::test]
async fn l1_members_are_listed_newest_first_without_anything_personal() {
    let service = Service::start().await;
    let (ada, _) = service.create_member("Ada Auditor", &["auditor"]).await;
    let (max, _) = service.create_member("Max Manager", &["integration_manager"]).await;
    let first = service.get("/api/v1/members?limit=2").await.expect(200);
    assert_eq!(first.body["items"][0]["member_id"], max, "{}", first.text);
    assert_eq!(first.body["items"][1]["member_id"], ada, "{}", first.text);
    assert!(!first.text.contains("members.example") && !first.text.contains("Ada"), "{}", first.text);
    let next = first.text_of("/next").to_owned();
    let rest = service.get(&format!("/api/v1/members?limit=2&cursor={next}")).await.expect(200);
    assert_eq!((rest.body["items"].as_array().map(Vec::len), &rest.body["next"]), (Some(1), &json!(null)));
    service.get("/api/v1/members?cursor=forged").await.expect_problem(400, "invalid_parameter");
    service.get("/api/v1/members?nobody=1").await.expect_problem(400, "invalid_parameter");
    service.finish().await;
}

#[tokio::test]
async fn o5_secrets_that_end_soon_are_listed_by_their_end() {
    let service = Service::start().await;
    let (late, _) = service.create_client("Late").await;
    let (soon, _) = service.create_client("Soon").await;
    for (id, days) in [(&late, 20), (&soon, 10)] {
        let body = json!({ "expires_in_seconds": days * 86_400, "label": format!("{days} days") });
        service.post(&format!("{CLIENTS}/{id}/secrets"), &body).await.expect(201);
    }
    let names = |answer: &tests::Answer| -> Vec<String> {
        let items = answer.body["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| format!("{} {}", item["client_name"], item["label"])).collect()
    };
    for path in ["/api/v1/expiring_secrets", "/api/v1/environments/sandbox/expiring_secrets"] {
        let both = service.get(path).await.expect(200);
        assert_eq!(names(&both), [r#""Soon" "10 days""#, r#""Late" "20 days""#], "{}", both.text);
        let first = service.get(&format!("{path}?limit=1")).await.expect(200);
        let next = first.text_of("/next").to_owned();
        let rest = service.get(&format!("{path}?limit=1&cursor={next}")).await.expect(200);
        assert_eq!(names(&rest), [r#""Late" "20 days""#]);
        assert_eq!(names(&service.get(&format!("{path}?within_days=15")).await.expect(200)).len(), 1);
        service.get(&format!("{path}?within_days=0")).await.expect_problem(400, "invalid_parameter");
    }
    assert!(
        names(&service.get("/api/v1/environments/production/expiring_secrets").await.expect(200)).is_empty()
    );
    service.get("/api/v1/environments/nowhere/expiring_secrets").await.expect_problem(404, "not_found");
    service.delete(&format!("{CLIENTS}/{soon}")).await.expect(204);
    assert_eq!(names(&service.get("/api/v1/expiring_secrets").await.expect(200)), [r#""Late" "20 days""#]);
    service.finish().await;
}

#[tokio::test]
async fn o2_the_catalog_can_be_listed_by_name() {
    let service = Service::start().await;
    for (path, name) in
        [("scopes", "matters:read"), ("client_types", "standard"), ("environments", "sandbox")]
    {
        let all = service.get(&format!("/api/v1/{path}")).await.expect(200);
        let items = all.body["items"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = items.iter().map(|item| item["name"].as_str().unwrap_or_default()).collect();
        assert!(names.contains(&name) && names.is_sorted(), "{}", all.text);
        let one = service.get(&format!("/api/v1/{path}/{name}")).await.expect(200);
        let listed = items.iter().find(|item| item["name"] == name).expect("it is listed");
        assert_eq!(listed["revision"], one.body["revision"]);
        let first = service.get(&format!("/api/v1/{path}?limit=1")).await.expect(200);
        let next = first.text_of("/next").to_owned();
        let second = service.get(&format!("/api/v1/{path}?limit=1&cursor={next}")).await.expect(200);
        assert_eq!(second.body["items"][0]["name"], names[1], "{}", second.text);
    }
    service.finish().await;
}
