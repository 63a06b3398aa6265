//! Clients: what a request must look like, what can be changed, what can be found.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service, client_body,
    http::{CLIENTS, answer},
};

#[tokio::test]
async fn l2_every_field_at_fault_is_named_at_once_with_its_rule() {
    let service = Service::start().await;
    let body = json!({
        "client_name": "", "client_type": "unheard-of", "redirect_uris": ["http://app.example.com/cb", "/cb"],
        "scope": "", "contacts": [{ "name": "Ops", "email": "nobody" }],
    });
    let refused = service.post(CLIENTS, &body).await.expect_problem(422, "invalid_request");
    let rules = refused.broken_rules();
    for (pointer, rule) in [
        ("/client_name", "required"),
        ("/redirect_uris/0", "not_https"),
        ("/redirect_uris/1", "not_absolute"),
        ("/scope", "required"),
        ("/contacts/0/email", "malformed"),
    ] {
        assert!(rules.contains(&(pointer.to_owned(), rule.to_owned())), "{pointer} {rule} in {rules:?}");
    }
    assert!(!refused.text.contains("nobody"), "a personal value is never repeated");
    service.finish().await;
}

#[tokio::test]
async fn l2_terms_and_contacts_are_required() {
    let service = Service::start().await;
    let mut body = client_body("Matter sync");
    body["contacts"] = json!([]);
    body.as_object_mut().expect("an object").remove("terms_accepted");
    let rules = service.post(CLIENTS, &body).await.expect_problem(422, "invalid_request").broken_rules();
    let wanted = [("/terms_accepted", "required"), ("/contacts", "required")];
    for (pointer, rule) in wanted {
        assert!(rules.contains(&(pointer.to_owned(), rule.to_owned())), "{pointer} {rule} in {rules:?}");
    }
    let mut body = client_body("Matter sync");
    body["terms_accepted"] = json!("1999-01");
    let rules = service.post(CLIENTS, &body).await.expect_problem(422, "invalid_request").broken_rules();
    assert_eq!(rules, [("/terms_accepted".to_owned(), "terms_not_accepted".to_owned())]);
    service.finish().await;
}

#[tokio::test]
async fn o2_a_type_fixes_the_scopes_and_a_deprecated_one_takes_no_clients() {
    let service = Service::start().await;
    let mut body = client_body("Search");
    body["client_type"] = json!("record-search");
    body["scope"] = json!("records:search events:notify");
    let rules = service.post(CLIENTS, &body).await.expect_problem(422, "invalid_request").broken_rules();
    assert_eq!(rules, [("/scope".to_owned(), "not_allowed_by_type".to_owned())]);
    body["client_type"] = json!("national-id");
    body["scope"] = json!("identity:verify");
    let rules = service.post(CLIENTS, &body).await.expect_problem(422, "invalid_request").broken_rules();
    assert_eq!(rules, [("/client_type".to_owned(), "deprecated".to_owned())]);

    let refused = service.get("/api/v1/audit/events?type=command.refused&order=asc").await.expect(200);
    let first = &refused.body["items"][0]["entry"];
    assert_eq!(first["outcome"], "refused");
    assert_eq!(first["data"]["command"], "CreateClient");
    assert_eq!(first["data"]["errors"], json!([{ "pointer": "/scope", "rule": "not_allowed_by_type" }]));
    service.finish().await;
}

#[tokio::test]
async fn o3_a_taken_name_is_a_conflict_that_names_the_field() {
    let service = Service::start().await;
    service.create_client("Matter sync").await;
    let taken = service.post(CLIENTS, &client_body("MATTER  sync")).await.expect_problem(409, "taken");
    assert_eq!(taken.broken_rules()[0].0, "/client_name");
    // Another environment is another island.
    service.post("/api/v1/environments/production/clients", &client_body("Matter sync")).await.expect(201);
    service.finish().await;
}

#[tokio::test]
async fn l7_a_client_means_nothing_in_another_environment() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let elsewhere = format!("/api/v1/environments/production/clients/{id}");
    service.get(&elsewhere).await.expect_problem(404, "not_found");
    service.post(&format!("{elsewhere}/deactivate"), &json!({})).await.expect_problem(404, "not_found");
    let nowhere = "/api/v1/environments/elsewhere/clients";
    service.post(nowhere, &client_body("Matter sync")).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn l5_name_contacts_redirect_uris_and_scopes_can_be_changed() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let change = json!({
        "client_name": "Matter sync 2", "scope": "matters:read", "reason": "cleaning up",
        "redirect_uris": ["https://app.example.com/callback", "http://localhost:3000/cb"],
    });
    let changed = service.patch(&client, "\"1\"", &change).await.expect(200);
    assert_eq!(changed.body["client_name"], "Matter sync 2");
    assert_eq!(changed.body["scope"], "matters:read");
    assert_eq!(changed.body["redirect_uris"][1], "http://localhost:3000/cb");
    assert_eq!(changed.body["secrets"], created.body["secrets"], "editing makes no secret");
    let etag = changed.header("etag").to_owned();

    let one = json!({ "redirect_uri": "https://other.example.com/cb" });
    let add = service
        .request(Method::POST, &format!("{client}/redirect_uris"))
        .header("if-match", &etag)
        .json(&one);
    let added = answer(add).await.expect(200);
    assert_eq!(added.body["redirect_uris"].as_array().map(Vec::len), Some(3));
    let remove = service.request(Method::DELETE, &format!("{client}/redirect_uris"));
    let removed = answer(remove.header("if-match", "*").json(&one)).await.expect(200);
    assert_eq!(removed.body["redirect_uris"].as_array().map(Vec::len), Some(2));
    let again = service.request(Method::DELETE, &format!("{client}/redirect_uris")).header("if-match", "*");
    answer(again.json(&one)).await.expect_problem(404, "not_found");

    let contacts = json!({ "contacts": [{ "name": "Ada", "email": "ada@example.com" }] });
    service.patch(&client, "*", &contacts).await.expect(200);
    let read = service.get(&format!("{client}?include=private")).await.expect(200);
    assert_eq!(read.body["contacts"][0]["name"], "Ada");
    assert_eq!(read.body["contacts"][0]["email"], "ada@example.com");
    let plain = service.get(&client).await.expect(200);
    assert!(!plain.text.contains("ada@example.com"), "contacts are private parts");

    let history = service.get(&format!("{client}/history?order=asc")).await.expect(200);
    let renamed = history.body["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|item| item["entry"]["type"] == "client.name_changed");
    let name = &renamed.expect("the rename is recorded")["entry"]["data"]["client_name"];
    assert_eq!(*name, json!({ "old": "Matter sync", "new": "Matter sync 2" }));
    service.finish().await;
}

#[tokio::test]
async fn l5_an_edit_without_if_match_and_a_field_nobody_knows_are_refused() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let change = json!({ "client_name": "Other" });
    answer(service.request(Method::PATCH, &client).json(&change))
        .await
        .expect_problem(428, "precondition_required");
    let unknown = service.patch(&client, "*", &json!({ "client_naem": "Other" })).await.expect(422);
    assert_eq!(unknown.broken_rules(), [("/client_naem".to_owned(), "unknown_field".to_owned())]);
    let wrong = service.patch(&client, "*", &json!({ "client_name": 7 })).await.expect(422);
    assert_eq!(wrong.broken_rules(), [("/client_name".to_owned(), "wrong_type".to_owned())]);
    let broken = service
        .request(Method::POST, CLIENTS)
        .header("content-type", "application/json")
        .body("{\"client_name\":");
    answer(broken).await.expect(400);
    let form = service.request(Method::POST, CLIENTS).header("content-type", "text/plain").body("x");
    answer(form).await.expect(415);
    let large = json!({ "client_name": "x".repeat(70_000) });
    service.post(CLIENTS, &large).await.expect(413);
    let after = service.get(&client).await.expect(200);
    assert_eq!(after.body["client_name"], "Matter sync", "a refused edit loses nothing");
    service.finish().await;
}

#[tokio::test]
async fn c1_lists_are_newest_first_and_can_be_searched_and_paged() {
    let service = Service::start().await;
    let empty = service.get(CLIENTS).await.expect(200);
    assert_eq!(empty.body, json!({ "items": [], "next": null }));
    for number in 0..5 {
        service.create_client(&format!("Client {number}")).await;
    }
    let (id, _) = service.create_client("Straße").await;
    service.post(&format!("{CLIENTS}/{id}/deactivate"), &json!({})).await.expect(200);

    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().expect("items");
        items.iter().map(|item| item["client_name"].as_str().expect("a name").to_owned()).collect()
    };
    let first = service.get(&format!("{CLIENTS}?limit=4")).await.expect(200);
    assert_eq!(names(&first.body), ["Straße", "Client 4", "Client 3", "Client 2"]);
    service.create_client("In between").await;
    let cursor = first.text_of("/next");
    let second = service.get(&format!("{CLIENTS}?limit=4&cursor={cursor}")).await.expect(200);
    assert_eq!(names(&second.body), ["Client 1", "Client 0"], "a cursor is not moved by what comes in");
    assert_eq!(second.body["next"], Value::Null);

    let found = service.get(&format!("{CLIENTS}?q=STRASSE")).await.expect(200);
    assert_eq!(names(&found.body), ["Straße"]);
    let inactive = service.get(&format!("{CLIENTS}?status=inactive")).await.expect(200);
    assert_eq!(names(&inactive.body), ["Straße"]);
    let by_type = service.get(&format!("{CLIENTS}?type=webhook")).await.expect(200);
    assert_eq!(names(&by_type.body), Vec::<String>::new());
    service.get(&format!("{CLIENTS}?cursor=forged")).await.expect(400);
    service.get(&format!("{CLIENTS}?limit=0")).await.expect(400);
    service.get(&format!("{CLIENTS}?staus=active")).await.expect(400);
    service.finish().await;
}

#[tokio::test]
async fn c5_a_deleted_client_is_gone_at_once_and_its_history_stays() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    service.delete(&client).await.expect(204);
    assert_eq!(service.get(CLIENTS).await.expect(200).body["items"], json!([]));
    service.get(&client).await.expect_problem(410, "gone");
    service.post(&format!("{client}/enable"), &json!({})).await.expect_problem(410, "gone");
    service.post(&format!("{client}/secrets"), &json!({})).await.expect_problem(410, "gone");
    let history = service.get(&format!("{client}/history")).await.expect(200);
    assert_eq!(history.body["items"][0]["entry"]["type"], "client.deleted");
    service.finish().await;
}

#[tokio::test]
async fn a6_a_client_can_be_read_as_it_was() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let position = created.header("muniment-position").to_owned();
    service.patch(&client, "*", &json!({ "client_name": "Renamed" })).await.expect(200);
    let deleted = service.delete(&client).await.expect(204);
    let before = service.get(&format!("{client}?at={position}")).await.expect(200);
    assert_eq!(before.body["client_name"], "Matter sync");
    assert_eq!(before.body["revision"], 1);
    let last: u64 = deleted.header("muniment-position").parse().expect("a position");
    let renamed = service.get(&format!("{client}?at={}", last - 1)).await.expect(200);
    assert_eq!(renamed.body["client_name"], "Renamed");
    service.get(&format!("{client}?at=1")).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn l2_an_array_is_no_object_in_whatever_order_its_items_stand() {
    let service = Service::start().await;
    let array = json!([
        "Matter sync",
        "standard",
        ["https://a.example/cb"],
        "matters:read",
        [["Ops", "ops@a.example"]],
        "2026-01"
    ]);
    let refused = service.post(CLIENTS, &array).await.expect(422);
    assert_eq!(refused.broken_rules()[0].1, "wrong_type", "{}", refused.text);
    let mut body = client_body("Matter sync");
    body["contacts"] = json!([["Ops", "ops@example.com"]]);
    let refused = service.post(CLIENTS, &body).await.expect(422);
    assert_eq!(
        refused.broken_rules(),
        [("/contacts/0".to_owned(), "wrong_type".to_owned())],
        "{}",
        refused.text
    );
    service.finish().await;
}

#[tokio::test]
async fn a6_a_moment_that_has_not_been_shows_nothing() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    for at in ["1795224063", "9999999", "2099-01-01T00:00:00Z"] {
        service.get(&format!("{CLIENTS}/{id}?at={at}")).await.expect(400);
    }
    service.get("/api/v1/audit/events?order=asc&after=99999").await.expect(400);
    service.get("/api/v1/audit/events?after=5").await.expect(400);
    service.finish().await;
}

#[tokio::test]
async fn l2_one_answer_names_unknown_fields_wrong_types_and_broken_rules() {
    let service = Service::start().await;
    let mut body = client_body("Matter sync");
    body["redirect_uris"] = json!(["http://plain.example/cb"]);
    body["nickname of ada@example.com"] = json!("Matty");
    body["payload_encryption"] = json!("yes");
    body["contacts"] = json!([{ "name": "Ops", "email": "nowhere" }, 7]);
    body["label"] = json!("x".repeat(101));
    let refused = service.post(CLIENTS, &body).await.expect_problem(422, "invalid_request");
    let rule = |pointer: &str, rule: &str| (pointer.to_owned(), rule.to_owned());
    let mut broken = refused.broken_rules();
    broken.sort();
    assert_eq!(
        broken,
        [
            rule("/contacts/1", "wrong_type"),
            rule("/label", "too_long"),
            rule("/nickname of ada@example.com", "unknown_field"),
            rule("/payload_encryption", "wrong_type"),
            rule("/redirect_uris/0", "not_https"),
        ]
    );
    // What somebody calls a field of their own is no part of the log.
    let recorded = service.get("/api/v1/audit/events?outcome=refused&type=command.refused").await.expect(200);
    let errors = recorded.body["items"][0]["entry"]["data"]["errors"].as_array().expect("errors").clone();
    assert!(errors.contains(&json!({ "pointer": "", "rule": "unknown_field" })), "{errors:?}");
    assert!(!recorded.text.contains("ada@example.com"));
    // The rest of it is right, and nothing is made of it all the same.
    let mut body = client_body("Matter sync");
    body["nickname"] = json!("Matty");
    let refused = service.post(CLIENTS, &body).await.expect_problem(422, "invalid_request");
    assert_eq!(refused.broken_rules(), [rule("/nickname", "unknown_field")]);
    let (id, _) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let edit = json!({ "client_name": "", "scope": 7 });
    let refused = service.patch(&client, "*", &edit).await.expect_problem(422, "invalid_request");
    let mut broken = refused.broken_rules();
    broken.sort();
    assert_eq!(broken, [rule("/client_name", "required"), rule("/scope", "wrong_type")]);
    let rotate = json!({ "overlap_seconds": 0, "lable": "x" });
    service.post(&format!("{client}/secrets"), &rotate).await.expect_problem(422, "invalid_request");
    service.post(&format!("{client}/deactivate"), &json!({ "reson": "x" })).await.expect(422);
    assert_eq!(service.get(&client).await.expect(200).header("etag"), "\"1\"", "nothing was done");
    let member =
        json!({ "name": "", "email": "ada@members.example", "roles": [7, "nobody", "Not a name"], "x": 1 });
    let refused = service.post("/api/v1/members", &member).await.expect_problem(422, "invalid_request");
    let mut broken = refused.broken_rules();
    broken.sort();
    assert_eq!(
        broken,
        [rule("/name", "required"), rule("/roles/0", "wrong_type"), rule("/x", "unknown_field")]
    );
    service.finish().await;
}

#[tokio::test]
async fn a6_a_client_that_was_not_there_yet_says_since_when_it_is() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    for path in [format!("{client}?at=1"), format!("{client}/credentials?at=1")] {
        let refused = service.get(&path).await.expect_problem(404, "not_found");
        assert_eq!(refused.body["created_at"], created.body["created_at"], "{path}");
        assert!(refused.text_of("/detail").contains("not there at that moment"));
    }
    let elsewhere = client.replace("sandbox", "production");
    let refused = service.get(&format!("{elsewhere}?at=1")).await.expect_problem(404, "not_found");
    assert!(refused.body.get("created_at").is_none(), "environments are islands");
    service.finish().await;
}
