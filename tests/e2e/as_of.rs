//! Looking at the past of one client.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service, client_body,
    http::{CLIENTS, answer},
};

/// The secrets of an answer that authenticate.
fn authenticating(body: &Value) -> Vec<&str> {
    let secrets = body["secrets"].as_array().expect("secrets");
    let live = secrets.iter().filter(|secret| secret["authenticates"] == true);
    live.map(|secret| secret["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn a6_who_could_authenticate_at_a_moment_and_who_issued_the_secrets() {
    let service = Service::start().await;
    let me = service.get("/api/v1/me").await.expect(200).text_of("/member_id").to_owned();
    let (id, created) = service.create_client("Matter sync").await;
    let first = created.text_of("/secrets/0/id").to_owned();
    let client = format!("{CLIENTS}/{id}");
    let rotate = json!({ "overlap_seconds": 0, "label": "second" });
    let rotated = service.post(&format!("{client}/secrets"), &rotate).await.expect(201);
    let paused = service.post(&format!("{client}/deactivate"), &json!({})).await.expect(200);
    service.delete(&client).await.expect(204);
    let at = |position: &str| format!("{client}/credentials?at={position}");
    let then = service.get(&at(created.header("muniment-position"))).await.expect(200);
    assert_eq!(authenticating(&then.body), [first.as_str()]);
    assert_eq!(then.text_of("/secrets/0/issued_by/actor"), me);
    assert_eq!(
        then.body["secrets"][0]["issued_by"]["position"].to_string(),
        created.header("muniment-position")
    );
    let later = service.get(&at(rotated.header("muniment-position"))).await.expect(200);
    assert_eq!(later.body["can_authenticate"], true);
    assert_eq!(authenticating(&later.body).len(), 1);
    assert_ne!(authenticating(&later.body), [first.as_str()]);
    // Until it was paused, what worked worked; what came later changes no answer about then.
    let inactive = service.get(&at(paused.header("muniment-position"))).await.expect(200);
    assert_eq!(inactive.body["status"], "inactive");
    assert_eq!(inactive.body["can_authenticate"], false);
    service.get(&at("1")).await.expect_problem(404, "not_found");
    service.get(&at("1000000")).await.expect_problem(400, "invalid_parameter");
    service.get(&format!("{client}/credentials")).await.expect_problem(400, "invalid_parameter");
    let elsewhere = client.replace("sandbox", "production");
    let position = created.header("muniment-position");
    service.get(&format!("{elsewhere}/credentials?at={position}")).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn a6_the_difference_between_two_moments_is_told_field_by_field() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    service.patch(&client, "*", &json!({ "client_name": "Renamed" })).await.expect(200);
    let rotate = json!({ "overlap_seconds": 0 });
    let rotated = service.post(&format!("{client}/secrets"), &rotate).await.expect(201);
    service.post(&format!("{client}/deactivate"), &json!({})).await.expect(200);
    let (from, to) = (created.header("muniment-position"), rotated.header("muniment-position"));
    let told = service.get(&format!("{client}/difference?from={from}&to={to}")).await.expect(200);
    let renamed = json!([{ "field": "client_name", "old": "Matter sync", "new": "Renamed" }]);
    assert_eq!(told.body["changes"], renamed);
    assert_eq!(told.body["secrets_added"].as_array().map(Vec::len), Some(1));
    assert_eq!(told.text_of("/secrets_ended/0/id"), created.text_of("/secrets/0/id"));
    let types: Vec<_> =
        told.body["events"].as_array().expect("events").iter().map(|event| &event["entry"]["type"]).collect();
    assert_eq!(types, ["client.name_changed", "client.secret_rotated"]);
    // From before it existed until now.
    let all = service.get(&format!("{client}/difference?from=0")).await.expect(200);
    assert_eq!(all.body["from"]["revision"], 0);
    let fields = all.body["changes"].as_array().expect("changes");
    let status = fields.iter().find(|change| change["field"] == "status").expect("the status");
    assert_eq!((&status["old"], &status["new"]), (&Value::Null, &json!("inactive")));
    service
        .get(&format!("{client}/difference?from={to}&to={from}"))
        .await
        .expect_problem(400, "invalid_parameter");
    // Whoever asks on another island hears the same of it as of nobody.
    for asked in [&id, "0193b5e0-7a5c-7c3e-9d1f-2b3c4d5e6f70"] {
        let there = format!("/api/v1/environments/production/clients/{asked}/difference");
        let found = service.get(&format!("{there}?from={from}&to={to}")).await;
        found.expect_problem(404, "not_found");
        let found = service.get(&format!("{there}?from={to}&to={from}")).await;
        found.expect_problem(400, "invalid_parameter");
    }
    service.finish().await;
}

#[tokio::test]
async fn a6_the_command_line_tells_the_difference_as_the_api_does() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    service.patch(&client, "*", &json!({ "client_name": "Renamed" })).await.expect(200);
    let rotate = json!({ "overlap_seconds": 0, "label": "second" });
    let rotated = service.post(&format!("{client}/secrets"), &rotate).await.expect(201);
    let (from, to) = (created.header("muniment-position"), rotated.header("muniment-position"));
    let told = service.get(&format!("{client}/difference?from={from}&to={to}")).await.expect(200);
    let command = ["replay", "difference", "--client", &id, "--from", from, "--to", to];
    let json = service.muniment(command.into_iter().chain(["--json"]));
    let json: Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json, told.body);
    let shown = service.muniment(command);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for line in [
        "fields\n  client_name: \"Matter sync\" -> \"Renamed\"\n",
        &format!("secrets ended\n  {} revoked\n", created.text_of("/secrets/0/id")),
        "active second\n",
        "events: 2\n",
        " client.secret_rotated by ",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    // From before it existed to the end of the log.
    let whole = service.muniment(["replay", "difference", "--client", &id, "--from", "0"]);
    assert!(String::from_utf8_lossy(&whole.stdout).contains("status: null -> \"active\""), "{whole:?}");
    for (wrong, code) in [(["--from", "yesterday"], 2), (["--from", "1000000000"], 1)] {
        let refused = service.muniment(["replay", "difference", "--client", &id].into_iter().chain(wrong));
        assert_eq!(refused.status.code(), Some(code), "{refused:?}");
    }
    service.finish().await;
}

#[tokio::test]
async fn a6_contacts_are_shown_as_they_were_unless_erased() {
    let service = Service::start().await;
    let mut body = client_body("Matter sync");
    body["contacts"] = json!([{ "name": "Ada", "email": "ada@contacts.example" }]);
    let created = service.post(CLIENTS, &body).await.expect(201);
    let client = format!("{CLIENTS}/{}", created.text_of("/client_id"));
    let respelled = json!({ "contacts": [{ "name": "Ada L.", "email": "ada@contacts.example" }] });
    let respelled = service.patch(&client, "*", &respelled).await.expect(200);
    let replaced = json!({ "contacts": [{ "name": "Bob", "email": "bob@contacts.example" }] });
    service.patch(&client, "*", &replaced).await.expect(200);
    let then = |position: &str| format!("{client}?at={position}&include=private");
    let first = then(created.header("muniment-position"));
    let named = |answer: &tests::http::Answer| answer.text_of("/contacts/0/name").to_owned();
    assert_eq!(named(&service.get(&first).await.expect(200)), "Ada");
    let second = then(respelled.header("muniment-position"));
    assert_eq!(named(&service.get(&second).await.expect(200)), "Ada L.");
    assert_eq!(named(&service.get(&format!("{client}?include=private")).await.expect(200)), "Bob");
    let opened =
        service.get("/api/v1/audit/events?type=audit.private_parts_opened&order=asc").await.expect(200);
    let opened = opened.body["items"].as_array().expect("items").clone();
    assert_eq!(opened.len(), 3, "{opened:?}");
    let data = &opened[0]["entry"]["data"];
    assert_eq!(
        (&data["what"], &data["positions"][0]),
        (&json!("client.contacts"), &created.body["position"])
    );

    let (_, reader) = service.create_member("Mild Manager", &["integration_manager"]).await;
    let refused = answer(service.request_as(&reader, Method::GET, &first)).await;
    refused.expect_problem(403, "permission_denied");
    let ada = created.text_of("/contacts/0/id");
    let erase = json!({ "ticket": "GDPR-1", "reason": "asked for it" });
    service.post(&format!("/api/v1/persons/{ada}/erase"), &erase).await.expect(200);
    let erased = service.get(&first).await.expect(200);
    assert_eq!(erased.body["contacts"], json!([{ "id": ada, "erased": true }]));
    service.finish().await;
}
