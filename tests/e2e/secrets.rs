//! Secrets: issue, rotate with and without overlap, revoke, reveal.

use serde_json::json;
use tests::{Service, client_body, http::CLIENTS};

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
