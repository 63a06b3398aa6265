//! What the doctor cannot look at it does not judge, and says who can.

use std::{
    fs::Permissions,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Command, Output},
};

use rustix::process::geteuid;
use serde_json::Value;
use tests::Service;

const NOBODY: u32 = 65_534;

/// Runs a command as somebody whom the files do not belong to. Only the superuser can be somebody else; others close
/// the files to themselves.
fn as_another(service: &Service, closed: &str, arguments: &[&str]) -> Output {
    let file = service.folder().join(closed);
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
    };
    let was = file.metadata().expect("the file").permissions().mode();
    let program = service.folder().join("muniment");
    if !program.exists() {
        std::fs::copy(tests::binary(), &program).expect("the binary");
    }
    mode(service.folder(), 0o755);
    let mut command = Command::new(&program);
    command.args(arguments).args(["--data-dir", "data"]).current_dir(service.folder());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    } else {
        mode(&file, 0);
    }
    let output = command.output().expect("the binary runs");
    mode(&file, was);
    output
}

fn verdicts(output: &Output) -> Vec<(String, String)> {
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let findings = report["findings"].as_array().expect("findings").iter();
    findings.map(|finding| (text(&finding["what"]), text(&finding["verdict"]))).collect()
}

#[tokio::test]
async fn a_doctor_who_may_not_read_the_files_calls_nothing_missing_or_bad() {
    let mut service = Service::start().await;
    service.create_client("Matter sync").await;
    service.stop().await;
    let seen = as_another(&service, "data", &["doctor", "--json"]);
    assert_eq!(seen.status.code(), Some(1), "{seen:?}");
    let all = ["data directory", "log", "activity", "keys", "credentials", "views"];
    let unknown = all.map(|what| (what.to_owned(), "unknown".to_owned()));
    assert_eq!(verdicts(&seen), unknown);
    let report = String::from_utf8_lossy(&seen.stdout);
    assert!(report.contains("may not read `data/log.db`; `data` belongs to user "), "{report}");
    let said = String::from_utf8_lossy(&seen.stderr);
    assert!(said.contains("run this as the user whom the files belong to"), "{said}");
    for command in [&["replay"][..], &["replay", "verify"], &["projections", "status"], &["export"]] {
        let refused = as_another(&service, "data", command);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {said}");
        assert!(said.contains("`data/log.db`: this user may not read it"), "{command:?}: {said}");
    }
    assert_eq!(service.muniment(["doctor"]).status.code(), Some(0));
    service.finish().await;
}

#[tokio::test]
async fn a_doctor_sees_keys_that_are_an_older_copy_than_the_log() {
    let mut service = Service::start_with_environment(Vec::new()).await;
    service.stop().await;
    let (keys, older, newer) =
        (service.data().join("keys.db"), service.folder().join("older"), service.folder().join("newer"));
    std::fs::copy(&keys, &older).expect("a copy");
    service.launch().await;
    service.create_client("Matter sync").await;
    service.stop().await;
    std::fs::copy(&keys, &newer).expect("a copy");
    std::fs::copy(&older, &keys).expect("the older one");
    let looked = service.muniment(["doctor", "--json"]);
    assert_eq!(looked.status.code(), Some(10), "{looked:?}");
    assert!(verdicts(&looked).contains(&("keys".to_owned(), "BAD".to_owned())), "{looked:?}");
    assert!(String::from_utf8_lossy(&looked.stdout).contains("older copy"), "{looked:?}");
    std::fs::copy(&newer, &keys).expect("the newer one");
    service.finish().await;
}
