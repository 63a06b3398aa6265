//! Libraries that nobody here wrote, by which applications use the protocol: each through every flow and every refusal, with
//! nothing to go by but the address of the issuer.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tests::{
    Service,
    keys::ClientKey,
    npm::{self, Packages},
    oauth::{CALLBACK, PASSWORD, Visitor},
    python,
};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// Libraries in JavaScript, by version and digest.
const JAVASCRIPT: Packages = Packages {
    name: "oauth-clients",
    wanted: include_str!("../oauth_clients/package.json"),
    locked: include_str!("../oauth_clients/package-lock.json"),
};

/// Libraries in Python, by version.
const PYTHON: &str = include_str!("../oauth_clients/requirements.txt");

/// Where a member goes who has signed out.
const BYE: &str = "https://app.example.com/bye";

/// Drives a script: it plays the application, and the member too.
async fn every_flow(program: &mut Command) {
    let service = Service::start_without_a_proxy().await;
    let output = program.arg(given(&service).await.to_string()).output().expect("./tests/run installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    service.finish().await;
}

/// What there is for a script: a member, an application for each way to authenticate, and what registers further ones.
async fn given(service: &Service) -> Value {
    let mut applications = json!({});
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let mut metadata =
            json!({ "token_endpoint_auth_method": method, "post_logout_redirect_uris": [BYE] });
        if method == "none" {
            metadata["grant_types"] = json!(["authorization_code", "refresh_token"]);
        }
        let application = service.application_with(method, metadata).await;
        applications[method] = json!({ "id": application.id, "secret": application.secret });
    }
    let (key, another) = (ClientKey::new(), ClientKey::new());
    let metadata = json!({
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": key.set(),
        "post_logout_redirect_uris": [BYE],
    });
    let application = service.application_with("private_key_jwt", metadata).await;
    applications["private_key_jwt"] =
        json!({ "id": application.id, "secret": key.private, "another_key": another.private });
    let policy = json!({ "policy": { "registration": "initial_access_token", "registration_defaults": {
        "client_type": "standard", "scope": "openid profile email offline_access matters:read",
        "contacts_required": false, "terms_required": false,
    }}});
    service.patch("/api/v1/environments/sandbox", "*", &policy).await.expect(200);
    let tokens = "/api/v1/environments/sandbox/initial_access_tokens";
    let token = json!({ "label": "Libraries", "max_uses": 10, "expires_in_seconds": 600 });
    let initial = service.post(tokens, &token).await.expect(201);
    let name = "Ines Duarte";
    let visitor = service.visitor(name).await;
    json!({
        "issuer": format!("{}/sandbox", service.base),
        "redirect_uri": CALLBACK,
        "post_logout_redirect_uri": BYE,
        "member": { "name": name, "email": visitor.email, "password": PASSWORD },
        "applications": applications,
        "initial_access_token": initial.text_of("/token"),
    })
}

fn script(name: &str) -> String {
    format!("{}/e2e/oauth_clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn node(name: &str) -> Command {
    let mut node = Command::new("node");
    node.arg(script(name)).arg(npm::installed(&JAVASCRIPT));
    node
}

#[tokio::test]
async fn d5_openid_client_goes_through_every_flow() {
    every_flow(&mut node("openid_client.mjs")).await;
}

#[tokio::test]
async fn d5_oauth4webapi_goes_through_every_flow() {
    every_flow(&mut node("oauth4webapi.mjs")).await;
}

/// The program around the `openidconnect` crate, built beside the service if it is not yet.
fn openidconnect() -> PathBuf {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/oauth_clients/openidconnect/Cargo.toml");
    let target = tests::target().join("openidconnect-client");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir"]).arg(&target);
    let status = cargo.status().expect("cargo");
    assert!(status.success(), "{cargo:?} ended with {status}");
    target.join("debug/openidconnect-client")
}

/// Where a member comes back who was sent to this address, and allows or denies what is asked.
async fn visited(visitor: &Visitor<'_>, address: &str, decision: &str) -> String {
    let mut page = visitor.get(address).await;
    if page.text.contains("name=\"password\"") {
        page = visitor.sign_in(&page).await;
    }
    if page.status == 200 {
        page = visitor.decide(&page, decision, false).await;
    }
    page.expect(303).header("location").to_owned()
}

#[tokio::test]
async fn d5_openidconnect_goes_through_every_flow() {
    let service = Service::start_without_a_proxy().await;
    let given = given(&service).await;
    let visitor = Visitor::new(&service, given["member"]["email"].as_str().expect("an address").to_owned());
    let mut program = tokio::process::Command::new(openidconnect());
    let program =
        program.arg(given.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = program.kill_on_drop(true).spawn().expect("the program");
    let mut told = running.stdin.take().expect("its input");
    let mut sent = BufReader::new(running.stdout.take().expect("its output")).lines();
    while let Some(line) = sent.next_line().await.expect("a line") {
        let (decision, address) = line.split_once(' ').expect("a decision and an address");
        let back = visited(&visitor, address, decision).await;
        told.write_all(format!("{back}\n").as_bytes()).await.expect("it listens");
    }
    let output = running.wait_with_output().await.expect("its end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    service.finish().await;
}

#[tokio::test]
async fn d5_authlib_goes_through_every_flow() {
    let python = python::environment("oauth-clients-python", PYTHON).join("bin/python");
    every_flow(Command::new(python).arg(script("authlib_flask.py"))).await;
}
