//! Secrets: issue, rotate with and without overlap, revoke, reveal.

use std::time::Duration;

use serde_json::{Value, json};
use store::{
    Actor, ActorKind, CanonicalJson, Clock, Commit, ExpectedRevision, Outcome, ProposedEvent, Revision,
    StreamCommit, StreamName, SystemClock,
};
use tests::{Service, client_body, http::CLIENTS};
use uuid::Uuid;

#[tokio::test]
async fn o5_a_rotation_stops_the_old_secret_at_once_or_after_an_overlap() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let secrets = format!("{CLIENTS}/{id}/secrets");
    let overlapping = service.post(&secrets, &json!({ "overlap_seconds": 3_600 })).await.expect(201);
    let states = |answer: &tests::Answer| -> Vec<String> {
        let secrets = answer.body["client"]["secrets"].as_array().expect("secrets").clone();
        secrets.iter().map(|secret| secret["state"].as_str().expect("a state").to_owned()).collect()
    };
    assert_eq!(states(&overlapping), ["active", "active"]);
    let at_once = service.post(&secrets, &json!({ "overlap_seconds": 0 })).await.expect(201);
    assert_eq!(states(&at_once), ["revoked", "revoked", "active"]);
    let beside = service.post(&secrets, &json!({ "label": "blue" })).await.expect(201);
    assert_eq!(states(&beside), ["revoked", "revoked", "active", "active"]);
    assert_eq!(beside.body["secret"]["label"], "blue");
    assert_ne!(at_once.text_of("/client_secret"), beside.text_of("/client_secret"));
    let too_long = service.post(&secrets, &json!({ "overlap_seconds": 4_000_000_000_u64 })).await.expect(422);
    assert_eq!(too_long.broken_rules()[0].0, "/overlap_seconds");
    let too_long = service.post(&secrets, &json!({ "expires_in_seconds": 0 })).await.expect(422);
    assert_eq!(too_long.broken_rules()[0].0, "/expires_in_seconds");
    service.finish().await;
}

#[tokio::test]
async fn l5_the_last_secret_is_not_revoked_by_accident() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret_id = created.text_of("/secrets/0/id").to_owned();
    let secret = format!("{CLIENTS}/{id}/secrets/{secret_id}");
    service.delete(&secret).await.expect_problem(409, "last_secret");
    let revoked = service.delete(&format!("{secret}?allow_lockout=true")).await.expect(200);
    assert_eq!(revoked.body["secrets"][0]["state"], "revoked");
    service.delete(&secret).await.expect_problem(409, "secret_not_usable");
    service
        .delete(&format!("{CLIENTS}/{id}/secrets/0000000000000000"))
        .await
        .expect_problem(404, "no_such_secret");
    service.finish().await;
}

#[tokio::test]
async fn o4_the_signing_secret_can_be_revealed_which_is_recorded_and_rotated_by_itself() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let revealed =
        service.post(&format!("{client}/reveal"), &json!({ "reason": "lost it" })).await.expect(200);
    assert_eq!(revealed.text_of("/signing_secret"), created.text_of("/signing_secret"));
    let rotated = service.post(&format!("{client}/signing_secret"), &json!({})).await.expect(201);
    assert_ne!(rotated.text_of("/signing_secret"), created.text_of("/signing_secret"));
    let again = service.post(&format!("{client}/reveal"), &json!({})).await.expect(200);
    assert_eq!(again.text_of("/signing_secret"), rotated.text_of("/signing_secret"));
    let reveals =
        service.get(&format!("/api/v1/audit/events?client={id}&type=client.signing_secret_revealed")).await;
    assert_eq!(
        reveals.expect(200).body["items"].as_array().map(Vec::len),
        Some(2),
        "each reveal is an event"
    );

    // Who may read clients may not reveal.
    let (_, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    let reveal =
        service.request_as(&auditor, reqwest::Method::POST, &format!("{client}/reveal")).json(&json!({}));
    tests::http::answer(reveal).await.expect_problem(403, "permission_denied");
    service.finish().await;
}

#[tokio::test]
async fn l4_a_public_client_has_no_secret() {
    let service = Service::start().await;
    let mut body = client_body("Phone");
    body["token_endpoint_auth_method"] = json!("none");
    let created = service.post(CLIENTS, &body).await.expect(201);
    assert!(created.body.get("client_secret").is_none());
    assert_eq!(created.body["secrets"], json!([]));
    let id = created.text_of("/client_id");
    service.post(&format!("{CLIENTS}/{id}/secrets"), &json!({})).await.expect_problem(409, "public_client");
    service.finish().await;
}

fn states(client: &Value) -> Vec<String> {
    let secrets = client["secrets"].as_array().expect("secrets");
    secrets.iter().map(|secret| secret["state"].as_str().expect("a state").to_owned()).collect()
}

#[tokio::test]
async fn o5_a_rotation_is_completed_before_its_end_or_cancelled() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    assert_eq!(created.body["rotation"], json!(null));
    let (first, end) = (created.text_of("/secrets/0/id"), created.text_of("/secrets/0/expires_at"));
    let secrets = format!("{CLIENTS}/{id}/secrets");
    let overlap = json!({ "overlap_seconds": 3_600 });
    let started = service.post(&secrets, &overlap).await.expect(201);
    let second = started.text_of("/secret/id").to_owned();
    let rotation = &started.body["client"]["rotation"];
    assert_eq!((&rotation["secret_id"], &rotation["replaces"]), (&json!(second), &json!([first])));
    assert_eq!(rotation["ends_at"], started.body["client"]["secrets"][0]["expires_at"]);
    assert_eq!(service.get(&format!("{CLIENTS}/{id}")).await.body["rotation"], *rotation);

    let again = service.post(&secrets, &json!({ "overlap_seconds": 60 })).await;
    let again = again.expect_problem(409, "rotation_under_way");
    let named = (&again.body["secret_id"], &again.body["ends_at"]);
    assert_eq!(named, (&rotation["secret_id"], &rotation["ends_at"]));
    assert_eq!(service.get(&format!("{CLIENTS}/{id}")).await.body["rotation"], *rotation, "it goes on");

    let nothing = json!({});
    service.post(&format!("{secrets}/{first}/cancel"), &nothing).await.expect_problem(409, "no_rotation");
    let cancelled = service.post(&format!("{secrets}/{second}/cancel"), &nothing).await.expect(200);
    assert_eq!(states(&cancelled.body), ["active", "revoked"]);
    assert_eq!(cancelled.text_of("/secrets/0/expires_at"), end, "its time is its own again");
    assert_eq!(cancelled.body["rotation"], json!(null));

    let started = service.post(&secrets, &overlap).await.expect(201);
    let third = started.text_of("/secret/id").to_owned();
    let completed = service.post(&format!("{secrets}/{third}/complete"), &nothing).await.expect(200);
    assert_eq!(states(&completed.body), ["revoked", "revoked", "active"]);
    service.post(&format!("{secrets}/{third}/complete"), &nothing).await.expect_problem(409, "no_rotation");
    let none = service.post(&format!("{secrets}/0000/complete"), &nothing).await;
    none.expect_problem(404, "no_such_secret");

    let start = SystemClock.now() + Duration::from_secs(1_800);
    let late = json!({ "overlap_seconds": 3_600, "not_before": start.to_string() });
    let started = service.post(&secrets, &late).await.expect(201);
    let complete = format!("{secrets}/{}/complete", started.text_of("/secret/id"));
    service.post(&complete, &nothing).await.expect_problem(409, "last_secret");
    service.post(&format!("{complete}?allow_lockout=true"), &nothing).await.expect(200);
    let history = service.get(&format!("{CLIENTS}/{id}/history?order=asc")).await.expect(200);
    let types: Vec<_> = history.body["items"]
        .as_array()
        .expect("events")
        .iter()
        .map(|it| it["entry"]["type"].clone())
        .collect();
    assert_eq!(
        types[..5],
        [
            "client.created",
            "client.secret_rotated",
            "client.rotation_cancelled",
            "client.secret_rotated",
            "client.rotation_completed"
        ]
    );
    service.finish().await;
}

#[tokio::test]
async fn l4_a_secret_has_a_start_a_label_and_an_end_that_only_comes_nearer() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secrets = format!("{CLIENTS}/{id}/secrets");
    let start = SystemClock.now() + Duration::from_hours(1);
    let later = json!({ "not_before": start.to_string(), "label": "later", "expires_in_seconds": 86_400 });
    let issued = service.post(&secrets, &later).await.expect(201);
    assert_eq!(issued.text_of("/secret/state"), "pending");
    let second = issued.text_of("/secret/id").to_owned();
    // A pending one is no substitute for the one that works.
    let first = format!("{secrets}/{}", created.text_of("/secrets/0/id"));
    service.delete(&first).await.expect_problem(409, "last_secret");

    let secret = format!("{secrets}/{second}");
    let relabelled = json!({ "label": "green", "reason": "colours" });
    let request = service.request(reqwest::Method::PATCH, &secret).json(&relabelled);
    tests::http::answer(request).await.expect_problem(428, "precondition_required");
    let changed = service.patch(&secret, "\"2\"", &relabelled).await.expect(200);
    assert_eq!(changed.text_of("/secrets/1/label"), "green");
    let sooner = (start + Duration::from_hours(2)).to_string();
    let changed =
        service.patch(&secret, "*", &json!({ "expires_at": sooner, "label": null })).await.expect(200);
    assert_eq!(changed.body["secrets"][1]["label"], json!(null));
    assert_eq!(changed.text_of("/secrets/1/expires_at")[..19], sooner[..19]);
    let as_late = service.patch(&secret, "*", &json!({ "expires_at": "2099-01-01T00:00:00Z" })).await;
    assert_eq!(as_late.expect(422).broken_rules(), [("/expires_at".to_owned(), "out_of_range".to_owned())]);
    let unchanged = service.patch(&secret, "*", &json!({})).await.expect(200);
    assert_eq!(unchanged.header("etag"), changed.header("etag"));
    service.finish().await;
}

#[tokio::test]
async fn l4_many_ended_secrets_are_listed_page_by_page() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let secrets = format!("{CLIENTS}/{id}/secrets");
    let mut made = Vec::new();
    for _ in 0..23 {
        let rotated = service.post(&secrets, &json!({ "overlap_seconds": 0 })).await.expect(201);
        made.push(rotated.text_of("/secret/id").to_owned());
    }
    let client = service.get(&format!("{CLIENTS}/{id}")).await.expect(200);
    let shown = client.body["secrets"].as_array().expect("secrets");
    assert_eq!(shown.len(), 21, "the one that works, and the newest 20 that ended");
    assert_eq!((&shown[20]["id"], &shown[20]["state"]), (&json!(made[22]), &json!("active")));
    let mut listed = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.get(&format!("{secrets}?limit=10{cursor}")).await.expect(200);
        listed.extend(page.body["items"].as_array().expect("secrets").clone());
        let Some(next) = page.body["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed.len(), 24);
    let newest_first: Vec<_> = made.iter().rev().map(|id| json!(id)).collect();
    assert_eq!(listed[..23].iter().map(|secret| secret["id"].clone()).collect::<Vec<_>>(), newest_first);
    service.get(&format!("{secrets}?cursor=x")).await.expect_problem(400, "invalid_parameter");
    service.finish().await;
}

#[tokio::test]
async fn o4_a_signing_secret_is_rotated_with_an_overlap() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let signing = format!("{CLIENTS}/{id}/signing_secret");
    let rotated = service.post(&signing, &json!({ "overlap_seconds": 3_600 })).await.expect(201);
    let reveal = format!("{CLIENTS}/{id}/reveal");
    let revealed = service.post(&reveal, &json!({})).await.expect(200);
    assert_eq!(revealed.text_of("/signing_secret"), rotated.text_of("/signing_secret"));
    assert_eq!(revealed.text_of("/previous/signing_secret"), created.text_of("/signing_secret"));
    assert!(revealed.body["previous"]["expires_at"].is_string());
    let again = service.post(&signing, &json!({ "overlap_seconds": 60 })).await;
    let again = again.expect_problem(409, "rotation_under_way");
    assert_eq!(again.body["ends_at"], revealed.body["previous"]["expires_at"]);
    service.post(&format!("{signing}/complete"), &json!({})).await.expect(200);
    service.post(&format!("{signing}/complete"), &json!({})).await.expect_problem(409, "no_rotation");
    let revealed = service.post(&reveal, &json!({})).await.expect(200);
    assert!(revealed.body.get("previous").is_none());
    let too_long = service.post(&signing, &json!({ "overlap_seconds": 4_000_000_000_u64 })).await.expect(422);
    assert_eq!(too_long.broken_rules()[0].0, "/overlap_seconds");
    service.finish().await;
}

#[tokio::test]
async fn o4_a_reveal_does_not_disturb_an_edit() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    for _ in 0..25 {
        service.post(&format!("{client}/reveal"), &json!({})).await.expect(200);
    }
    let seen = created.header("etag").to_owned();
    let renamed = service.patch(&client, &seen, &json!({ "client_name": "Matter export" })).await.expect(200);
    service.post(&format!("{client}/reveal"), &json!({})).await.expect(200);
    let late = service.patch(&client, &seen, &json!({ "client_name": "Other" })).await;
    let late = late.expect_problem(412, "precondition_failed");
    assert_eq!(late.body["changed"].as_array().map(Vec::len), Some(1), "{}", late.text);
    assert_eq!(late.text_of("/changed/0/type"), "client.name_changed");
    let ahead = service.patch(&client, "\"999\"", &json!({ "client_name": "Other" })).await;
    ahead.expect_problem(412, "precondition_failed");
    service.patch(&client, renamed.header("etag"), &json!({ "client_name": "Other" })).await.expect(200);
    service.finish().await;
}

/// Records an event as a release wrote it that knew only schema 1: without a running service, in its log.
async fn record_of_old(service: &Service, client_id: &str) {
    let log = service.log();
    let stream = StreamName::new("client", client_id).expect("a stream");
    let created = log.read_stream(&stream, Revision::NONE, 1).await.expect("its first event").remove(0);
    let created = created.envelope().expect("an entry");
    let data: Value = serde_json::from_str(created.data.get()).expect("data");
    // The secret that it has already: whoever wrote this by hand cannot seal another one.
    let data = json!({ "signing_secret": data["signing_secret"], "replaced_id": "0a1b2c" });
    let event = ProposedEvent {
        id: Uuid::from_u128(1),
        event_type: "client.signing_secret_rotated".to_owned(),
        event_version: 1,
        data: CanonicalJson::from_value(&data).expect("canonical json"),
        outcome: Outcome::Done,
        private: Vec::new(),
        salt: [7; 16],
    };
    let commit = Commit {
        command_id: Uuid::from_u128(2),
        correlation_id: Uuid::from_u128(3),
        causation_id: None,
        request_id: "of old".to_owned(),
        request_digest: None,
        actor: Actor { id: "system".to_owned(), kind: ActorKind::System, via: None },
        ticket: None,
        streams: vec![StreamCommit {
            stream,
            expected: ExpectedRevision::Exact(Revision::new(1)),
            environment: Some("sandbox".to_owned()),
            responsible: None,
            events: vec![event],
        }],
        claims: Vec::new(),
        credentials: Vec::new(),
        destroyed_credentials: Vec::new(),
        disclosures: Vec::new(),
        lookup_tokens: Vec::new(),
        forgotten_persons: Vec::new(),
    };
    log.append(commit).await.expect("a commit");
}

#[tokio::test]
async fn a10_an_event_of_an_older_schema_is_served_right() {
    let mut service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    service.stop().await;
    record_of_old(&service, &id).await;
    service.launch().await;

    let client = format!("{CLIENTS}/{id}");
    let revealed = service.post(&format!("{client}/reveal"), &json!({})).await.expect(200);
    assert_eq!(revealed.text_of("/signing_secret"), created.text_of("/signing_secret"));
    assert!(revealed.body.get("previous").is_none(), "there was no overlap then");
    let history = service.get(&format!("{client}/history?order=asc")).await.expect(200);
    let of_old = &history.body["items"][1]["entry"];
    assert_eq!((&of_old["type"], &of_old["v"]), (&json!("client.signing_secret_rotated"), &json!(1)));
    assert_eq!(service.get(&client).await.expect(200).header("etag"), "\"3\"");
    let rotate = format!("{client}/signing_secret");
    service.post(&rotate, &json!({ "overlap_seconds": 60 })).await.expect(201);
    let entry = service.get(&format!("{client}/history?limit=1")).await.expect(200);
    assert_eq!(entry.body["items"][0]["entry"]["v"], 2);
    service.finish().await;
}
