//! Requests that nobody here thought of, drawn from the API's own description by Schemathesis: whatever is sent, no answer
//! is a failure of the service, and none is outside the schema.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::json;
use uuid::Uuid;

use crate::{Service, http::CLIENTS, python};

/// The version under which the tests were last looked at.
const VERSION: &str = "4.32.5";

/// How often an id is one of those that are there.
const KNOWN: f64 = 0.8;

/// What is checked of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,unsupported_method,\
    allow_header_conformance";

/// Sends drawn requests for so many seconds, to things that are there and to things that are not.
///
/// # Panics
/// If the service fails or answers what its description does not say; then with the requests to repeat it.
pub async fn draw(service: &Service, seconds: u32) {
    let program = python::program("schemathesis", VERSION, "schemathesis");
    let config = service.folder().join("schemathesis.toml");
    fs::write(&config, known_things(service).await).expect("a file");
    let output = run(&program, service, &config, seconds);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}", String::from_utf8_lossy(&output.stderr));
}

fn run(program: &Path, service: &Service, config: &Path, seconds: u32) -> Output {
    Command::new(program)
        .arg("--config-file")
        .arg(config)
        .args(["run", &format!("{}/openapi.json", service.base)])
        .args(["--header", &format!("Authorization: Bearer {}", service.token)])
        .args([
            "--max-time",
            &seconds.to_string(),
            "--checks",
            CHECKS,
            "--continue-on-failure",
            "--no-shrink",
        ])
        .args(["--warnings", "off"])
        .current_dir(service.folder())
        .stdin(Stdio::null())
        .output()
        .expect("Schemathesis runs")
}

/// Ids of things that are there, so that most requests get past the door.
async fn known_things(service: &Service) -> String {
    let (mut clients, mut secrets) = (Vec::new(), Vec::new());
    for place in 0..4 {
        let (id, created) = service.create_client(&format!("Known {place}")).await;
        secrets.push(created.text_of("/secrets/0/id").to_owned());
        clients.push(id);
    }
    service.post(&format!("{CLIENTS}/{}/deactivate", clients[1]), &json!({})).await.expect(200);
    service.delete(&format!("{CLIENTS}/{}", clients[2])).await.expect(204);
    let (member, _) = service.create_member("Known Member", &["integration_manager"]).await;
    let positions = ["1", "20", "30"].map(str::to_owned);
    let known = [
        ("environment", vec!["sandbox".to_owned()]),
        ("client_id", clients),
        ("secret_id", secrets),
        ("member_id", vec![member, Uuid::nil().to_string()]),
        ("position", positions.to_vec()),
    ];
    let described = known.map(|(name, values)| {
        format!(
            "[dictionaries.{name}]\nvalues = {values:?}\n\n\
             [parameters.\"path.{name}\"]\ndictionary = \"{name}\"\nprobability = {KNOWN}\n"
        )
    });
    // What was deleted is gone, and what is too long is not read, whatever else is wrong with it.
    let refusals = "[checks.negative_data_rejection]\nexpected-statuses = \
        [400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 428, 429, \"5xx\"]\n\n";
    format!("{refusals}{}", described.join("\n"))
}
