//! Commands of the host reach a running service, and the files themselves if none runs.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tests::{Service, http::CLIENTS, muniment};

fn stdout(output: &std::process::Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn enrol(service: &Service, name: &str) -> std::process::Output {
    let email = format!("{}@members.example", name.to_lowercase());
    service.muniment(["member", "create", "--name", name, "--email", &email, "--role", "auditor", "--json"])
}

#[tokio::test]
async fn a1_commands_of_the_host_are_recorded_with_its_user() {
    let mut service = Service::start().await;
    let socket = service.data().join("control.sock");
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");

    let running = stdout(&enrol(&service, "Ada"));
    let id = running["member_id"].as_str().expect("an id");
    let path = format!("/api/v1/members/{id}");
    let found = stdout(&service.muniment(["api", "GET", &path]));
    assert_eq!(found["roles"], json!([{ "role": "auditor" }]));
    let events = service.get("/api/v1/audit/events?type=member.created").await.expect(200);
    let actor = &events.body["items"][0]["entry"]["actor"];
    assert_eq!(actor["kind"], "host", "{}", events.text);
    assert_eq!(actor["id"], format!("uid:{}", rustix::process::getuid().as_raw()), "{}", events.text);

    // A refusal says what is wrong, and is recorded like any other.
    let refused = enrol(&service, "Ada");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("/email"), "{refused:?}");
    let problem = service.muniment(["api", "POST", "/api/v1/members", "--data", "{}"]);
    assert_eq!(problem.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&problem.stdout).contains("invalid_request"), "{problem:?}");

    // What a killed service leaves behind is in nobody's way.
    service.kill().await;
    assert!(socket.exists());
    let stopped = stdout(&enrol(&service, "Grace"));
    assert_eq!(stopped["roles"], json!([{ "role": "auditor" }]));
    assert!(!socket.exists(), "whoever listened last has tidied up");
    service.launch().await;
    let id = stopped["member_id"].as_str().expect("an id");
    service.get(&format!("/api/v1/members/{id}")).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn a_lost_token_is_recovered_while_the_service_runs() {
    let service = Service::start().await;
    let recovered = service.muniment(["recover", "--bootstrap-token-file", "recovered"]);
    assert_eq!(recovered.status.code(), Some(0), "{recovered:?}");
    let file = service.folder().join("recovered");
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let token = std::fs::read_to_string(file).expect("a token");
    tests::http::answer(service.request_as(token.trim(), reqwest::Method::GET, CLIENTS)).await.expect(200);
    let unwritable = service.muniment(["recover", "--bootstrap-token-file", "no/such/folder/token"]);
    assert_eq!(unwritable.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unwritable.stderr).contains("no/such/folder/token"), "{unwritable:?}");
    service.finish().await;
}

#[tokio::test]
async fn whoever_holds_a_role_that_was_deleted_is_recovered_while_the_service_runs() {
    let service = Service::start().await;
    let role = json!({ "name": "helper", "description": "helps", "permissions": ["clients:read"] });
    service.post("/api/v1/roles", &role).await.expect(201);
    let (member, _) = service.create_member("Ada", &["helper", "auditor"]).await;
    service.delete("/api/v1/roles/helper").await.expect(204);
    let recovered = service.muniment(["recover", "--member", &member, "--bootstrap-token-file", "recovered"]);
    assert_eq!(recovered.status.code(), Some(0), "{recovered:?}");
    let found = service.get(&format!("/api/v1/members/{member}")).await.expect(200);
    let roles = found.body["roles"].as_array().expect("roles").iter().map(|grant| &grant["role"]);
    assert_eq!(roles.collect::<Vec<_>>(), ["administrator", "auditor"], "{}", found.text);
    service.finish().await;
}

#[test]
fn a_path_too_long_for_a_socket_is_named() {
    let folder = tempfile::tempdir().expect("a directory");
    let data = "d".repeat(120);
    let refused = muniment(folder.path(), ["serve", "--data-dir", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("data.control_socket") && text.contains("107"), "{text}");
}
