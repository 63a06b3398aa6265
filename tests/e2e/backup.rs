//! A back-up of a running service becomes the instance that it was, or nothing at all.

use reqwest::Method;
use serde_json::Value;
use tests::{
    Service,
    http::{CLIENTS, answer},
};

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
async fn a_backup_into_the_instance_or_with_keys_beside_their_log_is_wrong_usage() {
    let service = Service::start().await;
    std::os::unix::fs::symlink(service.data(), service.folder().join("link")).expect("a link");
    for (to, keys_to, said) in [
        ("data", "keys", "--to `data` is the data directory"),
        ("data/backup", "keys", "--to `data/backup` lies in the data directory"),
        ("link/backup", "keys", "--to `link/backup` lies in the data directory"),
        ("backup", "data/deep/keys", "--keys-to `data/deep/keys` lies in the data directory"),
        ("backup", "./backup", "--keys-to `./backup` is the log's copy"),
        ("backup", "backup/keys", "--keys-to `backup/keys` lies in the log's copy"),
        ("keys/backup", "keys", "--to `keys/backup` lies in the keys' copy"),
    ] {
        let refused = service.muniment(["backup", "--to", to, "--keys-to", keys_to]);
        let stderr = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
    let there = |name: &str| service.folder().join(name).exists();
    assert!(!there("backup") && !there("keys") && !there("data/backup") && !there("data/deep"));
    service.finish().await;
}

#[tokio::test]
async fn a_backup_of_another_format_says_who_wrote_it_and_what_to_do() {
    let service = Service::start().await;
    back_up(&service, "backup", "keys");
    let manifest = service.folder().join("backup/manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("a manifest");
    let mut written: Value = serde_json::from_str(&text).expect("JSON");
    written["program"] = "0.0.7".into();
    written["of_another_shape"] = true.into();
    for (format, what_to_do) in [(1, "make a new back-up"), (3, "or a newer one")] {
        written["format"] = format.into();
        std::fs::write(&manifest, written.to_string()).expect("a manifest");
        let arguments = ["restore", "--from", "backup", "--keys-from", "keys", "--data-dir", "elsewhere"];
        let refused = tests::muniment(service.folder(), arguments);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        for part in [&format!("back-up of format {format}"), "muniment 0.0.7 wrote", "format 2", what_to_do] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    assert!(!service.folder().join("elsewhere").exists());
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

#[tokio::test]
async fn a2_what_clients_did_and_when_they_last_did_it_outlives_a_restore() {
    let mut service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    let used = |service: &Service| {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        http.get(format!("{}/sandbox/client", service.base)).basic_auth(&id, Some(&secret))
    };
    answer(used(&service)).await.expect(200);
    let activity = format!("/api/v1/activity?client={id}");
    let secrets = format!("{CLIENTS}/{id}/secrets");
    let recorded = service.get(&activity).await.expect(200).body;
    assert_eq!(recorded["items"].as_array().map(Vec::len), Some(1), "{recorded}");
    let last_used = service.get(&secrets).await.expect(200).body["items"][0]["last_used_at"].clone();
    assert!(last_used.is_string(), "{last_used}");

    let report = back_up(&service, "backup", "keys");
    let names: Vec<_> =
        report["manifest"]["files"].as_array().expect("files").iter().map(|file| &file["name"]).collect();
    assert_eq!(names, ["log.db", "activity.db"]);
    // What the back-up does not have.
    answer(used(&service)).await.expect(200);
    service.stop().await;
    std::fs::rename(service.data(), service.folder().join("lost")).expect("a lost instance");

    let copy = service.folder().join("backup/activity.db");
    let whole = std::fs::read(&copy).expect("the activity");
    std::fs::write(&copy, &whole[..whole.len() / 2]).expect("a torn file");
    let torn = refused(&service, &["restore", "--from", "backup", "--keys-from", "keys"]);
    assert!(torn.contains("activity.db") && torn.contains("SHA-256"), "{torn}");
    std::fs::write(&copy, whole).expect("the whole file");

    let restored = service.muniment(["restore", "--from", "backup", "--keys-from", "keys"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    service.launch().await;
    let head = created.header("muniment-position");
    let request = service.request(Method::GET, &secrets).header("muniment-position", head);
    assert_eq!(answer(request).await.expect(200).body["items"][0]["last_used_at"], last_used);
    assert_eq!(service.get(&activity).await.expect(200).body, recorded);
    answer(used(&service)).await.expect(200);
    service.finish().await;
}
