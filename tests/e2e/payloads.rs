//! Payloads that a client's signing secret signs and encrypts, held against what others make of the description.

use std::{process::Command, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    Service,
    http::{Answer, CLIENTS, answer},
    python,
};

/// The version of jwcrypto that the tests were last looked at with.
const VERSION: &str = "1.6.1";
const PAYLOAD: &str = "{\"matter\":42,\"title\":\"Größe\"}";

/// What `payloads.py` makes of it: the standard library and jwcrypto.
fn foreign(arguments: &[&str]) -> String {
    let program = python::program("jwcrypto", VERSION, "python");
    let output = Command::new(program)
        .args(["-c", include_str!("payloads.py")])
        .args(arguments)
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A client, its secret and its signing secret.
struct Known {
    id: String,
    secret: String,
    signing_secret: String,
}

async fn known(service: &Service, payload_encryption: bool) -> Known {
    let mut body = tests::client_body("Matter sync");
    body["payload_encryption"] = json!(payload_encryption);
    let created = service.post(CLIENTS, &body).await.expect(201);
    assert_eq!(created.body["payload_encryption"], payload_encryption);
    let text = |pointer| created.text_of(pointer).to_owned();
    Known { id: text("/client_id"), secret: text("/client_secret"), signing_secret: text("/signing_secret") }
}

/// Asked by the client itself.
async fn own(service: &Service, client: &Known, operation: &str, body: &Value) -> Answer {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let url = format!("{}/sandbox/client/payloads/{operation}", service.base);
    answer(http.post(url).basic_auth(&client.id, Some(&client.secret)).json(body)).await
}

/// Asked by who acts for the registry.
async fn acting(service: &Service, client: &Known, operation: &str, body: &Value) -> Answer {
    service.post(&format!("{CLIENTS}/{}/payloads/{operation}", client.id), body).await
}

async fn rotated(service: &Service, client: &Known, overlap_seconds: u32) -> String {
    let path = format!("{CLIENTS}/{}/signing_secret", client.id);
    let rotated = service.post(&path, &json!({ "overlap_seconds": overlap_seconds })).await.expect(201);
    rotated.text_of("/signing_secret").to_owned()
}

/// The events of a type, oldest first.
async fn events(service: &Service, event_type: &str) -> Vec<Value> {
    let found = service.get(&format!("/api/v1/audit/events?type={event_type}&order=asc")).await.expect(200);
    let items = found.body["items"].as_array().cloned().unwrap_or_default();
    items.into_iter().map(|item| item["entry"].clone()).collect()
}

#[tokio::test]
async fn o4_what_is_signed_and_encrypted_here_others_verify_and_decrypt_and_the_other_way_round() {
    let service = Service::start().await;
    let client = known(&service, true).await;
    let signed = own(&service, &client, "sign", &json!({ "payload": PAYLOAD })).await.expect(200);
    let signature = foreign(&["sign", &client.signing_secret, PAYLOAD]);
    assert_eq!(signed.text_of("/signature"), signature);
    let check = json!({ "payload": PAYLOAD, "signature": signature });
    let valid = own(&service, &client, "verify", &check).await.expect(200);
    assert_eq!(valid.body, json!({ "valid": true, "signing_secret_id": signed.body["signing_secret_id"] }));
    let other = json!({ "payload": "{\"matter\":43}", "signature": signature });
    let invalid = own(&service, &client, "verify", &other).await.expect(200);
    assert_eq!(invalid.body, json!({ "valid": false, "signing_secret_id": null }));

    let encrypted = own(&service, &client, "encrypt", &json!({ "payload": PAYLOAD })).await.expect(200);
    assert_eq!(foreign(&["decrypt", &client.signing_secret, encrypted.text_of("/jwe")]), PAYLOAD);
    let kid = signed.text_of("/signing_secret_id");
    assert_eq!(encrypted.text_of("/signing_secret_id"), kid);
    for kid in [kid, ""] {
        let jwe = foreign(&["encrypt", &client.signing_secret, kid, PAYLOAD]);
        let decrypted = own(&service, &client, "decrypt", &json!({ "jwe": jwe })).await.expect(200);
        assert_eq!(decrypted.text_of("/payload"), PAYLOAD);
    }
    service.finish().await;
}

#[tokio::test]
async fn o4_in_an_overlap_both_secrets_verify_and_decrypt_and_after_it_the_newest_alone() {
    let service = Service::start().await;
    let client = known(&service, true).await;
    let old = &client.signing_secret;
    let check = json!({ "payload": PAYLOAD, "signature": foreign(&["sign", old, PAYLOAD]) });
    let jwe = json!({ "jwe": foreign(&["encrypt", old, "", PAYLOAD]) });
    let before = own(&service, &client, "encrypt", &json!({ "payload": PAYLOAD })).await.expect(200);
    let with_kid = json!({ "jwe": before.text_of("/jwe") });
    let new = rotated(&service, &client, 3_600).await;

    let signed = own(&service, &client, "sign", &json!({ "payload": PAYLOAD })).await.expect(200);
    assert_eq!(signed.text_of("/signature"), foreign(&["sign", &new, PAYLOAD]), "the newest signs");
    let old_one = own(&service, &client, "verify", &check).await.expect(200);
    assert_eq!(old_one.body["valid"], true);
    assert_ne!(old_one.body["signing_secret_id"], signed.body["signing_secret_id"], "it says which");
    for jwe in [&jwe, &with_kid] {
        own(&service, &client, "decrypt", jwe).await.expect(200);
    }
    let encrypted = own(&service, &client, "encrypt", &json!({ "payload": PAYLOAD })).await.expect(200);
    assert_eq!(foreign(&["decrypt", &new, encrypted.text_of("/jwe")]), PAYLOAD, "the newest encrypts");

    let completed = format!("{CLIENTS}/{}/signing_secret/complete", client.id);
    service.post(&completed, &json!({})).await.expect(200);
    let refused = async || {
        let ended = own(&service, &client, "verify", &check).await.expect(200);
        assert_eq!(ended.body["valid"], false);
        for jwe in [&jwe, &with_kid] {
            let ended = own(&service, &client, "decrypt", jwe).await.expect_problem(422, "invalid_request");
            assert_eq!(ended.broken_rules(), [("/jwe".to_owned(), "not_authentic".to_owned())]);
        }
    };
    refused().await;

    // The same when the time of the overlap is over, and nobody has completed it.
    let check = json!({ "payload": PAYLOAD, "signature": foreign(&["sign", &new, PAYLOAD]) });
    rotated(&service, &client, 1).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let over = own(&service, &client, "verify", &check).await.expect(200);
    assert_eq!(over.body["valid"], false);
    own(&service, &client, "decrypt", &json!({ "jwe": encrypted.text_of("/jwe") })).await.expect(422);
    service.finish().await;
}

#[tokio::test]
async fn o4_each_use_by_a_client_is_in_its_activity_without_the_payload() {
    let service = Service::start().await;
    let client = known(&service, true).await;
    let signed = own(&service, &client, "sign", &json!({ "payload": PAYLOAD })).await.expect(200);
    let encrypted = own(&service, &client, "encrypt", &json!({ "payload": PAYLOAD })).await.expect(200);
    own(&service, &client, "decrypt", &json!({ "jwe": encrypted.text_of("/jwe") })).await.expect(200);
    let check = |payload: &str| json!({ "payload": payload, "signature": signed.text_of("/signature") });
    own(&service, &client, "verify", &check(PAYLOAD)).await.expect(200);
    own(&service, &client, "verify", &check("other")).await.expect(200);

    let path = format!("{CLIENTS}/{}/activity?order=asc", client.id);
    let found = service.get(&path).await.expect(200);
    assert!(!found.text.contains("matter"), "{}", found.text);
    let items = found.body["items"].as_array().expect("items").iter();
    let uses: Vec<_> = items.filter(|item| item["kind"] != "authentication").collect();
    let kinds: Vec<_> = uses.iter().map(|item| (&item["kind"], &item["outcome"], &item["reason"])).collect();
    let (done, none) = (json!("done"), json!(null));
    let kind = |name: &str| json!(format!("payload_{name}"));
    assert_eq!(
        kinds,
        [
            (&kind("signing"), &done, &none),
            (&kind("encryption"), &done, &none),
            (&kind("decryption"), &done, &none),
            (&kind("verification"), &done, &none),
            (&kind("verification"), &json!("refused"), &json!("not_authentic")),
        ]
    );
    assert_eq!(uses[0]["secret_id"], signed.body["signing_secret_id"]);
    assert!(uses.iter().all(|item| item["client_id"] == client.id.as_str()), "{}", found.text);

    let wrong = Known { secret: "wrong".to_owned(), ..client };
    let refused = own(&service, &wrong, "sign", &json!({ "payload": PAYLOAD })).await.expect(401);
    assert_eq!(refused.body, json!({ "error": "invalid_client" }));
    service.finish().await;
}

#[tokio::test]
async fn o4_who_may_reveal_the_secret_uses_it_and_many_uses_leave_one_trace() {
    let service = Service::start().await;
    let client = known(&service, true).await;
    let body = json!({ "payload": PAYLOAD, "ticket": "INC-42", "reason": "a partner asks" });
    for _ in 0..20 {
        let signed = acting(&service, &client, "sign", &body).await.expect(200);
        assert_eq!(signed.text_of("/signature"), foreign(&["sign", &client.signing_secret, PAYLOAD]));
    }
    let encrypted = acting(&service, &client, "encrypt", &json!({ "payload": PAYLOAD })).await.expect(200);
    let jwe = json!({ "jwe": encrypted.text_of("/jwe") });
    let decrypted = acting(&service, &client, "decrypt", &jwe).await.expect(200);
    assert_eq!(decrypted.text_of("/payload"), PAYLOAD);
    acting(&service, &client, "sign", &json!({ "payload": PAYLOAD, "ticket": "INC-43" })).await.expect(200);

    let used = events(&service, "signing_secret.used").await;
    let of: Vec<_> = used.iter().map(|event| (&event["data"]["operation"], &event["ticket"])).collect();
    let (none, ticket) = (json!(null), |text: &str| json!(text));
    assert_eq!(
        of,
        [
            (&json!("sign"), &ticket("INC-42")),
            (&json!("encrypt"), &none),
            (&json!("decrypt"), &none),
            (&json!("sign"), &ticket("INC-43")),
        ]
    );
    assert_eq!(used[0]["data"]["subject"], format!("client-{}", client.id));
    assert_eq!(used[0]["environment"], "sandbox");
    assert!(!json!(used).to_string().contains("matter"), "{used:?}");
    let history = service.get(&format!("/api/v1/audit/events?client={}", client.id)).await.expect(200);
    assert!(history.text.contains("signing_secret.used"), "{}", history.text);
    // The client is what it was: an edit of what was seen before is taken.
    let path = format!("{CLIENTS}/{}", client.id);
    service.patch(&path, "\"2\"", &json!({ "client_name": "Matter export" })).await.expect(200);

    let (_, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
    for operation in ["sign", "verify", "encrypt", "decrypt"] {
        let path = format!("{path}/payloads/{operation}");
        let refused = answer(service.request_as(&auditor, Method::POST, &path).json(&json!({}))).await;
        assert_eq!(refused.expect_problem(403, "permission_denied").body["permission"], "secrets:reveal");
    }
    let elsewhere = format!("/api/v1/environments/production/clients/{}/payloads/sign", client.id);
    service.post(&elsewhere, &json!({ "payload": PAYLOAD })).await.expect_problem(404, "not_found");
    service.finish().await;
}

#[tokio::test]
async fn o4_encryption_is_refused_until_a_client_asks_for_it() {
    let service = Service::start().await;
    let client = known(&service, false).await;
    let jwe = json!({ "jwe": foreign(&["encrypt", &client.signing_secret, "", PAYLOAD]) });
    let plain = json!({ "payload": PAYLOAD });
    for (operation, body) in [("encrypt", &plain), ("decrypt", &jwe)] {
        for refused in
            [own(&service, &client, operation, body).await, acting(&service, &client, operation, body).await]
        {
            let refused = refused.expect_problem(409, "payload_encryption_off");
            assert!(refused.text_of("/detail").contains("`payload_encryption`"), "{}", refused.text);
        }
    }
    let path = format!("{CLIENTS}/{}", client.id);
    let changed = service.patch(&path, "\"1\"", &json!({ "payload_encryption": true })).await.expect(200);
    assert_eq!(changed.body["payload_encryption"], true);
    assert_eq!(service.get(&path).await.expect(200).body["payload_encryption"], true);
    let event = &events(&service, "client.payload_encryption_changed").await[0];
    assert_eq!(event["data"], json!({ "payload_encryption": { "old": false, "new": true } }));
    let decrypted = own(&service, &client, "decrypt", &jwe).await.expect(200);
    assert_eq!(decrypted.text_of("/payload"), PAYLOAD);
    service.patch(&path, "*", &json!({ "payload_encryption": false })).await.expect(200);
    own(&service, &client, "decrypt", &jwe).await.expect_problem(409, "payload_encryption_off");
    own(&service, &client, "sign", &plain).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn o4_a_client_that_is_deactivated_or_deleted_uses_no_signing_secret() {
    let service = Service::start().await;
    let client = known(&service, true).await;
    let path = format!("{CLIENTS}/{}", client.id);
    let body = json!({ "payload": PAYLOAD });
    service.post(&format!("{path}/deactivate"), &json!({})).await.expect(200);
    own(&service, &client, "sign", &body).await.expect(401);
    acting(&service, &client, "sign", &body).await.expect_problem(409, "client_not_active");
    service.post(&format!("{path}/enable"), &json!({})).await.expect(200);
    own(&service, &client, "sign", &body).await.expect(200);
    service.delete(&path).await.expect(204);
    own(&service, &client, "sign", &body).await.expect(401);
    acting(&service, &client, "sign", &body).await.expect_problem(410, "gone");
    service.finish().await;
}

#[tokio::test]
async fn o4_a_payload_has_one_form_and_its_errors_name_both() {
    let service = Service::start().await;
    let client = known(&service, true).await;
    let wrong = async |operation: &str, body: Value| {
        let refused = own(&service, &client, operation, &body).await.expect_problem(422, "invalid_request");
        assert!(!refused.text.contains("Z9"), "no value comes back: {}", refused.text);
        let again = acting(&service, &client, operation, &body).await.expect(422);
        assert_eq!(again.broken_rules(), refused.broken_rules());
        let [(pointer, rule)] = &refused.broken_rules()[..] else { panic!("{}", refused.text) };
        (pointer.clone(), rule.clone(), refused.text_of("/errors/0/detail").to_owned())
    };
    let is = |pointer: &str, rule: &str, found: (String, String, String)| {
        assert_eq!((found.0.as_str(), found.1.as_str()), (pointer, rule), "{}", found.2);
        found.2
    };
    for (rule, body) in
        [("required", json!({})), ("contradiction", json!({ "payload": "Z9", "payload_base64url": "Z9" }))]
    {
        let pointer = if rule == "required" { "/payload" } else { "/payload_base64url" };
        let detail = is(pointer, rule, wrong("sign", body).await);
        assert!(detail.contains("`payload`") && detail.contains("`payload_base64url`"), "{detail}");
    }
    is("/payload_base64url", "malformed", wrong("sign", json!({ "payload_base64url": "Z9=" })).await);
    is("/payload", "too_long", wrong("encrypt", json!({ "payload": "x".repeat(32_769) })).await);
    let unsigned = json!({ "payload": "x", "signature": "Z9" });
    is("/signature", "malformed", wrong("verify", unsigned).await);
    is("/jwe", "malformed", wrong("decrypt", json!({ "jwe": "Z9" })).await);
    is("/key", "unknown_field", wrong("sign", json!({ "payload": "x", "key": "Z9" })).await);
    let reason = own(&service, &client, "sign", &json!({ "payload": "x", "reason": "why" })).await;
    assert_eq!(reason.expect(422).broken_rules(), [("/reason".to_owned(), "unknown_field".to_owned())]);

    // Any bytes, and the most of them that fit.
    for bytes in ["", "_w", &format!("{}AAA", "_".repeat(43_688))] {
        let body = json!({ "payload_base64url": bytes });
        let encrypted = own(&service, &client, "encrypt", &body).await.expect(200);
        let jwe = json!({ "jwe": encrypted.text_of("/jwe") });
        let decrypted = own(&service, &client, "decrypt", &jwe).await.expect(200);
        assert_eq!(decrypted.text_of("/payload_base64url"), bytes);
        assert_eq!(decrypted.body["payload"].is_string(), bytes.is_empty());
    }
    service.finish().await;
}
