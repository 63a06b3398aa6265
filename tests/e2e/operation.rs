//! Running it: health that tells the truth, clear messages, a graceful end.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use tests::{Service, binary, client_body, http::CLIENTS, muniment};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_second_instance_on_the_same_directory_is_refused() {
    let service = Service::start().await;
    let second = service.muniment(["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("uses it"), "{}", stderr(&second));
    service.get("/healthz").await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn d6_a_wrong_or_missing_master_key_opens_nothing_and_changes_nothing() {
    let mut service = Service::start().await;
    service.create_client("Matter sync").await;
    service.stop().await;
    let key = service.folder().join("data.key");
    let right = std::fs::read(&key).expect("the key");
    std::fs::remove_file(&key).expect("the key can be taken away");
    let missing = service.muniment(["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("data.key"), "{}", stderr(&missing));
    assert!(!key.exists(), "no new key is made for a log that has events");

    let other = tempfile::tempdir().expect("a directory");
    muniment(other.path(), ["init", "--data-dir", "data", "--bootstrap-token-file", "token"]);
    std::fs::copy(other.path().join("data.key"), &key).expect("another key");
    let wrong = service.muniment(["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("master key"), "{}", stderr(&wrong));

    std::fs::write(&key, &right).expect("the right key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let exposed = service.muniment(["serve", "--listen", "127.0.0.1:0"]);
    assert!(stderr(&exposed).contains("chmod"), "{}", stderr(&exposed));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    service.launch().await;
    assert_eq!(service.get(CLIENTS).await.expect(200).body["items"].as_array().map(Vec::len), Some(1));
    service.finish().await;
}

#[tokio::test]
async fn a_damaged_log_and_an_unknown_setting_are_named() {
    let folder = tempfile::tempdir().expect("a directory");
    let made = muniment(folder.path(), ["init", "--data-dir", "data", "--bootstrap-token-file", "token"]);
    assert!(made.status.success(), "{}", stderr(&made));
    std::fs::write(folder.path().join("data/log.db"), b"not a database at all, not a database at all")
        .expect("a file");
    let damaged = muniment(folder.path(), ["serve", "--data-dir", "data", "--listen", "127.0.0.1:0"]);
    assert_eq!(damaged.status.code(), Some(1));
    assert!(stderr(&damaged).contains("no database"), "{}", stderr(&damaged));

    std::fs::write(folder.path().join("muniment.toml"), "[server]\nlisen = \"127.0.0.1:0\"\n")
        .expect("a file");
    let unknown = muniment(folder.path(), ["serve"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(stderr(&unknown).contains("lisen"), "{}", stderr(&unknown));
    let usage = muniment(folder.path(), ["serve", "--no-such-flag"]);
    assert_eq!(usage.status.code(), Some(2));
}

#[tokio::test]
async fn health_metrics_and_the_api_description_are_there() {
    let service = Service::start().await;
    service.create_client("Matter sync").await;
    service.get("/healthz").await.expect(200);
    let ready = service.get("/readyz").await.expect(200);
    assert_eq!(ready.body["status"], "ready", "{}", ready.text);
    let metrics = service.get("/metrics").await.expect(200).text;
    assert!(metrics.contains("commands_total{command=\"CreateClient\""), "{metrics}");
    let openapi = service.get("/openapi.json").await.expect(200);
    assert!(openapi.body["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    assert!(openapi.body["paths"]["/api/v1/environments/{environment}/clients"]["post"].is_object());
    service.get("/api/v1/nothing").await.expect_problem(404, "not_found");
    let put = service.request(reqwest::Method::PUT, CLIENTS).json(&json!({}));
    tests::http::answer(put).await.expect(405);
    service.finish().await;
}

#[tokio::test]
async fn a_request_in_flight_is_finished_before_the_service_stops() {
    let mut service = Service::start().await;
    let request = service.request(reqwest::Method::POST, CLIENTS).json(&client_body("In flight"));
    let stopped_meanwhile = async {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        service.stop().await;
    };
    let (answered, ()) = tokio::join!(tests::http::try_answer(request), stopped_meanwhile);
    service.launch().await;
    let listed = service.get(CLIENTS).await.expect(200).body["items"].as_array().map_or(0, Vec::len);
    // Either it came in time and was answered, or it was never taken in: never done without an answer.
    match answered {
        Ok(answer) => assert_eq!((answer.expect(201).status, listed), (201, 1)),
        Err(_) => assert_eq!(listed, 0),
    }
    service.finish().await;
}

#[tokio::test]
async fn the_help_names_every_command() {
    let help = std::process::Command::new(binary()).arg("--help").output().expect("the binary runs");
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for command in ["serve", "init", "recover", "replay", "projections", "doctor"] {
        assert!(text.contains(command), "{text}");
    }
}
