//! Libraries that nobody here wrote, by which applications use the protocol: each through every flow and every refusal, with
//! nothing to go by but the address of the issuer.

use std::process::Command;

use serde_json::{Value, json};
use tests::{
    Service,
    keys::ClientKey,
    npm::{self, Packages},
    oauth::{CALLBACK, PASSWORD},
    python,
};

/// Libraries in JavaScript, by version and digest.
const JAVASCRIPT: Packages = Packages {
    name: "oauth-clients",
    wanted: include_str!("../oauth_clients/package.json"),
    locked: include_str!("../oauth_clients/package-lock.json"),
};

/// Libraries in Python, by version.
const PYTHON: &str = include_str!("../oauth_clients/requirements.txt");

/// Drives a script: it plays the application, and the member too.
async fn every_flow(program: &mut Command) {
    let service = Service::start_without_a_proxy().await;
    let output = program.arg(given(&service).await.to_string()).output().expect("./tests/run installs it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    service.finish().await;
}

/// What there is for a script: a member, and an application for each way to authenticate.
async fn given(service: &Service) -> Value {
    let mut applications = json!({});
    for method in ["client_secret_basic", "client_secret_post", "none"] {
        let mut metadata = json!({ "token_endpoint_auth_method": method });
        if method == "none" {
            metadata["grant_types"] = json!(["authorization_code", "refresh_token"]);
        }
        let application = service.application_with(method, metadata).await;
        applications[method] = json!({ "id": application.id, "secret": application.secret });
    }
    let (key, another) = (ClientKey::new(), ClientKey::new());
    let metadata = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.set() });
    let application = service.application_with("private_key_jwt", metadata).await;
    applications["private_key_jwt"] =
        json!({ "id": application.id, "secret": key.private, "another_key": another.private });
    let name = "Ines Duarte";
    let visitor = service.visitor(name).await;
    json!({
        "issuer": format!("{}/sandbox", service.base),
        "redirect_uri": CALLBACK,
        "member": { "name": name, "email": visitor.email, "password": PASSWORD },
        "applications": applications,
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

#[tokio::test]
async fn d5_authlib_goes_through_every_flow() {
    let python = python::environment("oauth-clients-python", PYTHON).join("bin/python");
    every_flow(Command::new(python).arg(script("authlib_flask.py"))).await;
}
