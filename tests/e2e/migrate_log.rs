//! A log that is moved is the same log, wherever it is served from.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use store::testing::PostgresServer;
use tests::{
    Service, backend, client_body,
    http::{CLIENTS, answer},
    muniment,
    service::binary,
};

fn migrate(folder: &Path, from: &str, to: &str) -> Output {
    muniment(folder, ["migrate-log", "--from", from, "--to", to, "--json"])
}

pub fn moved(folder: &Path, from: &str, to: &str) -> Value {
    moved_by(folder, &["--from", from, "--to", to])
}

/// The same with options of its own.
pub fn moved_by(folder: &Path, ends: &[&str]) -> Value {
    let moved = muniment(folder, ["migrate-log", "--json"].iter().chain(ends));
    assert_eq!(moved.status.code(), Some(0), "{moved:?}");
    serde_json::from_slice(&moved.stdout).expect("JSON")
}

fn refused(folder: &Path, from: &str, to: &str) -> String {
    let refused = migrate(folder, from, to);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    String::from_utf8_lossy(&refused.stderr).into_owned()
}

/// What is to be the same wherever it is served from.
pub struct Known {
    client: String,
    secret: String,
    audit: String,
    person: String,
}

impl Known {
    /// A service with a history: a client that authenticates, one that was rotated and deleted, somebody erased, a reason redacted.
    pub async fn make(service: &Service) -> Self {
        let (client, created) = service.create_client("Matter sync").await;
        let secret = created.text_of("/client_secret").to_owned();
        let mut body = client_body("Deleted");
        body["contacts"] = json!([{ "name": "Canary", "email": "canary@moving.example" }]);
        let deleted = service.post(CLIENTS, &body).await.expect(201);
        let person = deleted.text_of("/contacts/0/id").to_owned();
        let path = format!("{CLIENTS}/{}", deleted.text_of("/client_id"));
        service.post(&format!("{path}/secrets"), &json!({ "overlap_seconds": 60 })).await.expect(201);
        service
            .post(&format!("/api/v1/persons/{person}/erase"), &json!({ "ticket": "GDPR-1" }))
            .await
            .expect(200);
        let position = deleted.body["position"].as_u64().expect("a position");
        service.post(&format!("/api/v1/audit/events/{position}/redact_reason"), &json!({})).await.expect(200);
        service.delete(&path).await.expect(204);
        let known = Self { client, secret, audit: String::new(), person };
        known.authenticates(service).await;
        Self { audit: export(service), ..known }
    }

    async fn authenticates(&self, service: &Service) {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let own = http.get(format!("{}/sandbox/client", service.base));
        answer(own.basic_auth(&self.client, Some(&self.secret))).await.expect(200);
    }

    /// Everything is there, and goes on.
    pub async fn is_here(&self, service: &Service) {
        assert!(export(service).starts_with(&self.audit), "the audit is the same to the byte");
        self.authenticates(service).await;
        let used = service.get(&format!("/api/v1/activity?client={}", self.client)).await.expect(200);
        assert!(used.body["items"].as_array().is_some_and(|items| items.len() > 1), "{}", used.text);
        let person = service.get(&format!("/api/v1/persons/{}", self.person)).await.expect(200);
        assert_eq!(person.body["erased"], true);
        let private = service.get("/api/v1/audit/events?include=private&limit=500").await.expect(200);
        assert!(private.text.contains("ops@example.com") && !private.text.contains("canary@moving.example"));
        let taken = service.post(CLIENTS, &client_body("Matter sync")).await;
        taken.expect_problem(409, "taken");
    }
}

fn export(service: &Service) -> String {
    let exported = service.muniment(["export"]);
    assert!(exported.status.success(), "{exported:?}");
    entries(exported)
}

/// The lines of an export without the last, which is about itself.
fn entries(exported: Output) -> String {
    let text = String::from_utf8(exported.stdout).expect("text");
    text.lines().filter(|line| !line.starts_with("{\"export\"")).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn o1_a_log_is_moved_to_another_directory_and_is_the_same() {
    let mut service = Service::start().await;
    let known = Known::make(&service).await;
    assert!(refused(service.folder(), "embedded:data", "embedded:moved").contains("uses it"));
    service.stop().await;
    let report = moved(service.folder(), "embedded:data", "embedded:moved");
    assert_eq!(report["parts"].as_array().map(Vec::len), Some(15), "{report}");
    let again = moved(service.folder(), "embedded:data", "embedded:moved");
    assert_eq!((&again["parts"], &again["rows_written"]), (&report["parts"], &json!(0)));

    std::fs::rename(service.data(), service.folder().join("old")).expect("the old place");
    std::fs::rename(service.folder().join("moved"), service.data()).expect("the new place");
    service.launch().await;
    known.is_here(&service).await;
    service.stop().await;
    assert!(refused(service.folder(), "embedded:old", "embedded:data").contains("the two places differ"));
    service.finish().await;
}

#[tokio::test]
async fn o1_a_log_is_moved_to_postgres_and_back_and_is_the_same() {
    let database = PostgresServer::shared().database().await;
    let mut service = Service::start_with_environment(Vec::new()).await;
    let known = Known::make(&service).await;
    service.stop().await;
    let there = moved(service.folder(), "embedded:data", &database.owner_url());

    std::fs::rename(service.data(), service.folder().join("old")).expect("the old place");
    service.keep_log_in(backend::in_database(&database.url()));
    service.launch().await;
    known.is_here(&service).await;
    let (_, created) = service.create_client("Made in the database").await;
    let position = created.body["position"].as_u64().expect("a position");
    assert!(Some(position) > there["position"].as_u64(), "positions go on: {there}");
    let second = service.join().await;
    known.is_here(&second).await;
    second.finish().await;
    assert!(refused(service.folder(), &database.owner_url(), "embedded:back").contains("in use"));
    let audit = export(&service);
    service.stop().await;
    service.verify();
    let back = moved(service.folder(), &database.url(), "embedded:back");
    assert!(back["position"].as_u64() >= Some(position), "{back}");

    std::fs::rename(service.data(), service.folder().join("node")).expect("the node's own files");
    std::fs::rename(service.folder().join("back"), service.data()).expect("the new place");
    service.keep_log_in(Vec::new());
    service.launch().await;
    known.is_here(&service).await;
    assert!(export(&service).starts_with(&audit), "the audit is the same to the byte");
    let taken = service.post(CLIENTS, &client_body("Made in the database")).await;
    taken.expect_problem(409, "taken");
    service.finish().await;
}

#[tokio::test]
async fn o1_a_transfer_that_is_killed_goes_on_and_nobody_serves_meanwhile() {
    let mut service = Service::start().await;
    let known = Known::make(&service).await;
    service.stop().await;
    for milliseconds in [5, 10, 15, 20, 30, 40, 60, 80] {
        let mut transfer = Command::new(binary())
            .args(["migrate-log", "--from", "embedded:data", "--to", "embedded:moved"])
            .current_dir(service.folder())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary runs");
        std::thread::sleep(Duration::from_millis(milliseconds));
        transfer.kill().expect("it can be killed");
        transfer.wait().expect("it ends");
        let read = muniment(service.folder(), ["export", "--data-dir", "moved"]);
        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        if read.status.success() {
            // Before the mark there is nothing, behind it there is everything.
            let read = entries(read);
            assert!(read.is_empty() || read == known.audit, "{read}");
        } else {
            assert!(said.contains("no data directory") || said.contains("migrate-log"), "{said}");
        }
    }
    moved(service.folder(), "embedded:data", "embedded:moved");
    std::fs::remove_dir_all(service.data()).expect("the old place");
    std::fs::rename(service.folder().join("moved"), service.data()).expect("the new place");
    service.launch().await;
    known.is_here(&service).await;
    service.finish().await;
}

#[tokio::test]
async fn a_place_that_is_none_is_wrong_usage_and_no_password_is_shown() {
    let folder = tempfile::tempdir().expect("a directory");
    for (from, named) in [
        ("data", "no place"),
        ("mysql://ada:hunter2@db/x", "`mysql`"),
        ("user=ada password=hunter2:", "no place"),
    ] {
        let refused = migrate(folder.path(), from, "embedded:moved");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(named) && !said.contains("hunter2"), "{said}");
    }
    assert!(refused(folder.path(), "embedded:none", "embedded:moved").contains("no data directory"));
    assert!(std::fs::read_dir(folder.path()).expect("a directory").next().is_none(), "nothing was made");
}
