//! A back-up of a running service becomes the instance that it was, or nothing at all.

use serde_json::Value;
use tests::{Service, http::CLIENTS};

fn back_up(service: &Service, to: &str, keys_to: &str) -> Value {
    let made = service.muniment(["backup", "--to", to, "--keys-to", keys_to, "--json"]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    serde_json::from_slice(&made.stdout).expect("JSON")
}

fn refused(service: &Service, arguments: &[&str]) -> String {
    let refused = service.muniment(arguments.iter().copied());
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    String::from_utf8_lossy(&refused.stderr).into_owned()
}

#[tokio::test]
async fn a_backup_of_a_running_service_is_restored_as_it_was() {
    let mut service = Service::start().await;
    let (id, created) = service.create_client("Before").await;
    let report = back_up(&service, "backup", "keys");
    assert_eq!(report["manifest"]["position"].to_string(), created.header("muniment-position"), "{report}");
    service.create_client("After").await;
    assert!(refused(&service, &["backup", "--to", "backup", "--keys-to", "other"]).contains("not empty"));
    assert!(
        refused(&service, &["restore", "--from", "backup", "--keys-from", "keys"]).contains("not empty"),
        "a running instance is not written over"
    );
    service.stop().await;
    std::fs::rename(service.data(), service.folder().join("lost")).expect("a lost instance");

    let restored = service.muniment(["restore", "--from", "backup", "--keys-from", "keys"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    service.launch().await;
    let head = created.header("muniment-position");
    let request = service.request(reqwest::Method::GET, CLIENTS).header("muniment-position", head);
    let clients = tests::http::answer(request).await.expect(200);
    assert_eq!(clients.body["items"].as_array().map(Vec::len), Some(1), "{}", clients.text);
    let contacts = service.get(&format!("{CLIENTS}/{id}?include=private")).await.expect(200);
    assert_eq!(contacts.body["contacts"][0]["email"], "ops@example.com", "the keys open what was sealed");
    service.create_client("After").await;
    service.finish().await;
}

#[tokio::test]
async fn a_backup_that_is_not_what_was_written_is_not_restored() {
    let mut service = Service::start().await;
    service.create_client("Matter sync").await;
    back_up(&service, "first", "first-keys");
    service.create_client("Another").await;
    back_up(&service, "second", "second-keys");
    service.stop().await;
    std::fs::rename(service.data(), service.folder().join("kept")).expect("the instance is put aside");
    let restore = |from, keys_from| refused(&service, &["restore", "--from", from, "--keys-from", keys_from]);

    let older_keys = restore("second", "first-keys");
    assert!(older_keys.contains("never older"), "{older_keys}");
    let log = service.folder().join("first/log.db");
    let mut bytes = std::fs::read(&log).expect("the log");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&log, bytes).expect("a damaged log");
    let damaged = restore("first", "first-keys");
    assert!(damaged.contains("first/log.db") && damaged.contains("SHA-256"), "{damaged}");
    std::fs::remove_file(service.folder().join("first/manifest.json")).expect("a cut off back-up");
    let cut_off = restore("first", "first-keys");
    assert!(cut_off.contains("manifest.json"), "{cut_off}");
    assert!(!service.data().exists(), "nothing was made");

    std::fs::rename(service.folder().join("kept"), service.data()).expect("the instance is back");
    service.finish().await;
}
