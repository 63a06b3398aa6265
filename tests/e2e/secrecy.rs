//! Nothing like a secret or a personal value where it does not belong: every file, every answer, every log line.

use std::path::{Path, PathBuf};

use serde_json::json;
use tests::{Service, client_body, http::CLIENTS};

/// What must stand nowhere in the clear.
const PERSONAL: [&str; 4] =
    ["canary.contact@secrecy.example", "Canary Contact", "canary reason nobody may read", "Canary-Agent/7.7"];

#[tokio::test]
async fn a3_no_secret_and_no_personal_value_is_in_log_views_output_or_metrics() {
    let mut service = Service::start().await;
    let mut body = client_body("Matter sync");
    body["contacts"] = json!([{ "name": PERSONAL[1], "email": PERSONAL[0] }]);
    body["reason"] = json!(PERSONAL[2]);
    let request = service.request(reqwest::Method::POST, CLIENTS).header("user-agent", PERSONAL[3]);
    let created = tests::http::answer(request.json(&body)).await.expect(201);
    let id = created.text_of("/client_id").to_owned();
    let client = format!("{CLIENTS}/{id}");
    let rotated =
        service.post(&format!("{client}/secrets"), &json!({ "overlap_seconds": 60 })).await.expect(201);
    let signing = service.post(&format!("{client}/signing_secret"), &json!({})).await.expect(201);
    let (_, member_token) = service.create_member("Canary Member", &["auditor"]).await;
    // Refusals repeat nothing either.
    body["contacts"] = json!([{ "name": PERSONAL[1], "email": "canary.contact.secrecy.example" }]);
    service.post(CLIENTS, &body).await.expect(422);
    service.get("/api/v1/audit/events?include=private").await.expect(200);

    let mut needles: Vec<String> = PERSONAL.iter().map(|text| (*text).to_owned()).collect();
    needles.push("canary.member@members.example".to_owned());
    needles.push("canary.contact.secrecy.example".to_owned());
    for secret in [
        created.text_of("/client_secret"),
        created.text_of("/signing_secret"),
        rotated.text_of("/client_secret"),
        signing.text_of("/signing_secret"),
        &member_token,
        &service.token,
    ] {
        needles.push(secret.to_owned());
        // The secret part alone, too.
        needles.push(secret.split('_').nth(2).unwrap_or(&secret["whsec_".len()..]).to_owned());
    }
    let public = [
        service.get("/metrics").await.expect(200).text,
        service.get("/readyz").await.expect(200).text,
        service.get("/openapi.json").await.expect(200).text,
        service.get("/api/v1/audit/events?limit=500").await.expect(200).text,
        service.get(&client).await.expect(200).text,
        service.get(CLIENTS).await.expect(200).text,
    ];
    for text in &public {
        assert_clean("an answer", text.as_bytes(), &needles);
    }
    // Once while the write-ahead logs are full, once after the close.
    grep(&service.data(), &needles);
    service.stop().await;
    grep(&service.data(), &needles);
    assert_clean("standard error", service.stderr().as_bytes(), &needles);
    let replayed = service.muniment(["replay", "--json"]);
    assert_clean("replay", &replayed.stdout, &needles);
    service.finish().await;
}

pub(crate) fn grep(folder: &Path, needles: &[String]) {
    let mut folders = vec![folder.to_owned()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            // The control socket can neither be read nor hold anything.
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    assert!(files.len() >= 3, "log, keys and views are looked at: {files:?}");
    for file in files {
        assert_clean(&file.display().to_string(), &std::fs::read(&file).expect("a file"), needles);
    }
}

pub(crate) fn assert_clean(place: &str, bytes: &[u8], needles: &[String]) {
    for needle in needles {
        let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(!found, "{place} holds `{needle}` in the clear");
    }
}
