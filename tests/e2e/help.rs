//! What every command says of itself: how it can end, and its answer as JSON.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;
use tests::{Service, http::CLIENTS, muniment};

/// Commands whose output is no answer: the service's own, and what a package installs.
const WITHOUT_JSON: [&str; 3] = ["completions", "man", "serve"];

/// The help of every command, by its name: `replay verify`.
fn helps() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut names = vec![Vec::new()];
    while let Some(name) = names.pop() {
        let help = muniment(Path::new("."), name.iter().cloned().chain(["--help".to_owned()]));
        assert_eq!(help.status.code(), Some(0), "{name:?}: {help:?}");
        let help = String::from_utf8(help.stdout).expect("text");
        let commands = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        for line in commands.unwrap_or_default().lines() {
            let command = line.split_whitespace().next().expect("a name").to_owned();
            if command != "help" {
                names.push(name.iter().cloned().chain([command]).collect());
            }
        }
        found.insert(name.join(" "), help);
    }
    assert!(found.len() > 20, "{:?}", found.keys());
    found
}

/// The codes that a help names.
fn exit_codes(help: &str) -> Vec<&str> {
    let (_, codes) = help.split_once("\nExit codes:\n").unwrap_or_default();
    codes.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[test]
fn every_command_names_its_exit_codes_as_the_documentation_does() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md"));
    let page = page.expect("the page");
    let (_, section) = page.split_once("\n## Exit codes\n").expect("a section");
    let section = section.split("\n## ").next().expect("a section");
    let mut documented = BTreeMap::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (names, codes) = row.trim_end_matches(" |").split_once("` | ").expect("a row");
        for name in names.split("`, `") {
            documented.insert(name.to_owned(), codes.split(", ").collect::<Vec<_>>());
        }
    }
    let mut helps = helps();
    assert_eq!(
        exit_codes(&helps.remove("").expect("the help")),
        ["0", "1", "2", "10", "11", "12", "13", "141"]
    );
    let said: BTreeMap<_, _> = helps.iter().map(|(name, help)| (name.clone(), exit_codes(help))).collect();
    assert_eq!(said, documented);
}

fn json(service: &Service, arguments: &[&str]) -> Vec<Value> {
    let done = service.muniment(arguments.iter().copied());
    assert_eq!(done.status.code(), Some(0), "{arguments:?}: {done:?}");
    let text = String::from_utf8(done.stdout).expect("text");
    let lines: Vec<_> = text.lines().map(|line| serde_json::from_str(line).expect(&text)).collect();
    assert!(!lines.is_empty(), "{arguments:?}");
    lines
}

#[tokio::test]
async fn every_command_that_answers_does_so_in_json() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    std::fs::write(service.folder().join("password"), "a password of hers").expect("a file");
    let name = ["--name", "Ada", "--email", "ada@members.example", "--role", "auditor"];
    // In this order: the later take what the earlier made.
    let arguments: BTreeMap<&str, Vec<&str>> = BTreeMap::from([
        ("api", vec!["GET", CLIENTS]),
        ("backup", vec!["--to", "backup", "--keys-to", "keys"]),
        ("config check", vec![]),
        ("config show", vec![]),
        ("doctor", vec![]),
        ("export", vec!["--out", "audit.ndjson"]),
        ("init", vec![]),
        ("member create", name.to_vec()),
        ("member list", vec![]),
        ("member set-password", vec!["--email", "ada@members.example", "--password-file", "password"]),
        ("migrate", vec![]),
        ("migrate-log", vec!["--from", "embedded:elsewhere", "--to", "embedded:moved"]),
        ("projections rebuild", vec![]),
        ("projections status", vec![]),
        ("recover", vec!["--bootstrap-token-file", "recovered"]),
        ("replay", vec![]),
        ("replay difference", vec!["--client", &id, "--from", "1"]),
        ("replay verify", vec![]),
        ("restore", vec!["--from", "backup", "--keys-from", "keys"]),
    ]);
    let helps = helps();
    let is_group = |name: &str| helps[name].contains("\nCommands:\n") && !helps[name].contains("--json");
    for (name, help) in helps.iter().filter(|(name, _)| !name.is_empty() && !is_group(name)) {
        let offers = help.contains("--json");
        assert_eq!(offers, !WITHOUT_JSON.contains(&name.as_str()), "{name}");
        assert_eq!(offers, arguments.contains_key(name.as_str()), "{name} has an example here");
    }
    for (name, arguments) in &arguments {
        // Those that must have a directory or a database of their own, or one that nobody uses.
        if ["init", "migrate", "migrate-log", "restore"].contains(name) {
            continue;
        }
        let command: Vec<_> = name.split(' ').chain(arguments.iter().copied()).chain(["--json"]).collect();
        json(&service, &command);
    }
    let elsewhere = |name: &str, more: &[&str]| {
        let arguments = [name, "--data-dir", "elsewhere", "--json"];
        let done = muniment(service.folder(), arguments.iter().chain(more));
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        serde_json::from_slice::<Value>(&done.stdout).expect("JSON")
    };
    let restored = elsewhere("restore", &arguments["restore"]);
    assert!(restored["position"].as_u64() > Some(0), "{restored}");
    let command = ["migrate-log", "--json"].iter().chain(&arguments["migrate-log"]);
    let moved = muniment(service.folder(), command);
    let moved: Value = serde_json::from_slice(&moved.stdout).expect("JSON");
    assert_eq!(moved["position"], restored["position"], "{moved}");
    std::fs::remove_dir_all(service.folder().join("elsewhere")).expect("a directory");
    let filled = elsewhere("init", &[]);
    assert_eq!(filled["token_file"], "elsewhere/bootstrap-token", "{filled}");
    assert_eq!(elsewhere("init", &[]), serde_json::json!({ "data_directory": "elsewhere" }));
    service.finish().await;
}

#[test]
fn a_command_on_a_directory_that_is_not_there_names_it_and_makes_none() {
    let folder = tempfile::tempdir().expect("a directory");
    let member = ["member", "create", "--name", "Ada", "--email", "ada@members.example", "--role", "auditor"];
    for command in [
        &["replay"][..],
        &["replay", "verify"],
        &["projections", "status"],
        &["projections", "rebuild"],
        &["export"],
        &["backup", "--to", "backup", "--keys-to", "keys"],
        &member,
        &["member", "list"],
        &["api", "GET", CLIENTS],
        &["recover"],
    ] {
        let refused = muniment(folder.path(), command.iter().copied().chain(["--data-dir", "mistyped"]));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{command:?}: {said}");
        assert!(
            said.contains("`mistyped`: there is no data directory with a log; `muniment init`"),
            "{said}"
        );
    }
    let left = std::fs::read_dir(folder.path()).expect("a directory").count();
    assert_eq!(left, 0, "neither a directory nor a key was made");
    for wrong in [["api", "G T", "/"], ["api", "GET", "nowhere"]] {
        assert_eq!(muniment(folder.path(), wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn o1_members_are_listed_from_the_host_with_what_they_may_do() {
    let mut service = Service::start().await;
    let (auditor, _) = service.create_member("Quiet Auditor", &["auditor"]).await;
    service.post(&format!("/api/v1/members/{auditor}/deactivate"), &serde_json::json!({})).await.expect(200);
    let listed = json(&service, &["member", "list", "--json"]);
    let members = listed[0]["items"].as_array().expect("members").clone();
    assert_eq!(members.len(), 2);
    assert_eq!(
        (&members[0]["member_id"], &members[0]["status"]),
        (&Value::from(auditor.as_str()), &"inactive".into())
    );
    // Without a service it is the same, at once after a start on views that have to be folded first.
    service.stop().await;
    std::fs::remove_dir_all(service.data().join("views")).expect("views can be deleted");
    assert_eq!(json(&service, &["member", "list", "--json"]), listed);
    let table = service.muniment(["member", "list"]);
    let table = String::from_utf8(table.stdout).expect("text");
    for shown in [auditor.as_str(), "inactive", "administrator"] {
        assert!(table.contains(shown), "{table}");
    }
    assert!(!table.contains("Quiet"), "who it is is sealed: {table}");
    service.finish().await;
}
