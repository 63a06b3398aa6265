//! What goes wrong around the program: each has a clear message and an exit code, and nothing is lost.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::{Service, binary, client_body, http::CLIENTS, muniment};

/// Somebody who is not root, whom no mode keeps from writing.
const NOBODY: u32 = 65_534;

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn init(folder: &Path) {
    let made = muniment(folder, ["init", "--data-dir", "data", "--bootstrap-token-file", "token"]);
    assert!(made.status.success(), "{made:?}");
}

/// Gives everything in a folder a mode, for files and for directories, and an owner who is bound by it.
fn close_to_writers(path: &Path, owner: Option<u32>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            close_to_writers(&entry.expect("an entry").path(), owner);
        }
    }
    std::os::unix::fs::chown(path, owner, owner).expect("an owner");
    let mode = if path.is_dir() { 0o500 } else { 0o400 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn open_to_writers(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("a mode");
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            open_to_writers(&path);
        }
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_can_be_read() {
    let mut service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    service.stop().await;
    let root = rustix::process::getuid().is_root();
    let owner = root.then_some(NOBODY);
    fs::set_permissions(service.folder(), fs::Permissions::from_mode(0o755)).expect("a mode");
    // Where the one who is nobody can run it, wherever the tests were built.
    let program = service.folder().join("muniment");
    fs::copy(binary(), &program).expect("a copy");
    close_to_writers(&service.data(), owner);
    std::os::unix::fs::chown(service.folder().join("data.key"), owner, owner).expect("an owner");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .args(["--data-dir", "data"])
            .current_dir(service.folder())
            .stdin(Stdio::null());
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().expect("the binary runs")
    };
    let replayed = run(&["replay", "--client", &id, "--json"]);
    assert_eq!(replayed.status.code(), Some(0), "{replayed:?}");
    let status = run(&["projections", "status"]);
    assert_eq!(status.status.code(), Some(0), "{status:?}");
    let doctor = run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{doctor:?}");
    let serve = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(serve.status.code(), Some(1), "{serve:?}");
    assert!(stderr(&serve).contains("cannot be written"), "{serve:?}");
    open_to_writers(&service.data());
    give_back(&service, root);
    service.finish().await;
}

/// To whom it belonged.
fn give_back(service: &Service, root: bool) {
    let own = root.then_some(0);
    for path in [service.data(), service.data().join("views"), service.folder().join("data.key")] {
        std::os::unix::fs::chown(&path, own, own).expect("an owner");
    }
    for folder in [service.data(), service.data().join("views")] {
        for entry in fs::read_dir(folder).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_file() {
                std::os::unix::fs::chown(&path, own, own).expect("an owner");
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
            }
        }
    }
}

#[test]
fn a_port_in_use_and_a_token_that_cannot_be_kept_change_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let unwritable = muniment(
        folder.path(),
        ["init", "--data-dir", "data", "--bootstrap-token-file", "no/such/folder/token"],
    );
    assert_eq!(unwritable.status.code(), Some(1));
    assert!(stderr(&unwritable).contains("token"), "{unwritable:?}");
    init(folder.path());
    assert!(folder.path().join("token").exists(), "the log was as empty as before");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = muniment(folder.path(), ["serve", "--data-dir", "data", "--listen", &address]);
    assert_eq!(refused.status.code(), Some(1));
    let text = stderr(&refused);
    assert!(text.contains(&address) && text.contains("in use"), "{text}");
    assert!(!folder.path().join("data/control.sock").exists(), "nobody listens any more");
}

#[tokio::test]
async fn d6_a_doctor_says_whose_keys_they_are_and_which_credential_does_not_open() {
    let mut service = Service::start().await;
    let (_, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/secrets/0/id").to_owned();
    service.stop().await;
    let log = rusqlite::Connection::open(service.data().join("log.db")).expect("the log");
    let sealed: Vec<u8> = log
        .query_row("SELECT sealed FROM credentials WHERE id = ?1", [&secret], |row| row.get(0))
        .expect("a credential");
    // The triggers let nobody change one, but whoever owns the file can put another in its place.
    let put = |sealed: &[u8]| {
        log.execute("DELETE FROM credentials WHERE id = ?1", [&secret]).expect("one less");
        let insert = "INSERT INTO credentials (id, sealed) VALUES (?1, ?2)";
        log.execute(insert, rusqlite::params![secret, sealed]).expect("another one");
    };
    put(&vec![7; sealed.len()]);
    let sick = service.muniment(["doctor", "--json"]);
    assert_eq!(sick.status.code(), Some(10), "{sick:?}");
    let report: Value = serde_json::from_slice(&sick.stdout).expect("JSON");
    assert!(report.to_string().contains(&secret), "{report}");
    put(&sealed);

    let doctor = |wrong: &str| {
        let sick = service.muniment(["doctor", "--json"]);
        assert_eq!(sick.status.code(), Some(10), "{sick:?}");
        let report: Value = serde_json::from_slice(&sick.stdout).expect("JSON");
        let findings = report["findings"].as_array().expect("findings");
        let found =
            findings.iter().find(|finding| finding["what"] == "credentials").expect("the credentials");
        assert_eq!(found["detail"].as_str(), Some(wrong), "{report}");
    };
    let all: usize =
        log.query_row("SELECT count(*) FROM credentials", [], |row| row.get(0)).expect("a count");
    log.execute("DELETE FROM credentials WHERE id = ?1", [&secret]).expect("one less");
    doctor(&format!("{} are kept; wrong: `{secret}` is missing", all - 1));
    put(&sealed);
    log.execute("INSERT INTO credentials (id, sealed) VALUES ('nobody', ?1)", [&sealed]).expect("one more");
    doctor(&format!("{} are kept; wrong: `nobody` is in no event", all + 1));
    log.execute("DELETE FROM credentials WHERE id = 'nobody'", []).expect("as it was");
    drop(log);
    let healthy = service.muniment(["doctor"]);
    assert_eq!(healthy.status.code(), Some(0), "{healthy:?}");

    let other = tempfile::tempdir().expect("a directory");
    init(other.path());
    let keys = service.data().join("keys.db");
    let own = fs::read(&keys).expect("the keys");
    fs::copy(other.path().join("data/keys.db"), &keys).expect("the keys of another log");
    let mixed = service.muniment(["doctor"]);
    assert_eq!(mixed.status.code(), Some(10), "{mixed:?}");
    assert!(String::from_utf8_lossy(&mixed.stdout).contains("another log"), "{mixed:?}");
    let refused = service.muniment(["serve", "--listen", "127.0.0.1:0"]);
    assert!(stderr(&refused).contains("another log"), "{refused:?}");
    fs::write(&keys, own).expect("as it was");
    service.finish().await;
}

#[test]
fn who_stops_reading_hears_no_complaint() {
    let folder = tempfile::tempdir().expect("a directory");
    init(folder.path());
    let mut replay = Command::new(binary())
        .args(["replay", "--data-dir", "data"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(replay.stdout.take());
    let ended = replay.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(141), "{ended:?}");
    assert_eq!(stderr(&ended), "");
}

#[test]
fn a_configuration_is_checked_as_a_whole_and_shown_without_secrets() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("muniment.toml");
    fs::write(
        &file,
        "[server]\nlisen = \"127.0.0.1:0\"\nworkers = \"many\"\n\n[proxy]\ntrusted = [\"ten\"]\n",
    )
    .expect("a file");
    let checked = Command::new(binary())
        .args(["config", "check"])
        .current_dir(folder.path())
        .env("MUNIMENT_LIMITS__READS_PER_MINUTE", "often")
        .output()
        .expect("the binary runs");
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let text = stderr(&checked);
    for wrong in [
        "server.lisen",
        "server.workers",
        "proxy.trusted",
        "muniment.toml",
        "MUNIMENT_LIMITS__READS_PER_MINUTE",
    ] {
        assert!(text.contains(wrong), "{wrong}: {text}");
    }
    fs::write(&file, "[server]\nworkers = 2\n").expect("a file");
    let shown = Command::new(binary())
        .args(["config", "show", "--json"])
        .current_dir(folder.path())
        .env("MUNIMENT_KEYS__MASTER_KEY", "a line that nobody may see")
        .output()
        .expect("the binary runs");
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(!text.contains("nobody may see"), "{text}");
    let settings: Value = serde_json::from_str(&text).expect("JSON");
    let of = |key: &str| {
        let settings = settings["settings"].as_array().expect("settings");
        settings.iter().find(|setting| setting["key"] == key).cloned().unwrap_or(Value::Null)
    };
    assert_eq!(of("server.workers")["value"], 2, "{text}");
    assert!(
        of("server.workers")["from"].as_str().is_some_and(|from| from.ends_with("muniment.toml")),
        "{text}"
    );
    assert_eq!(
        of("keys.master_key"),
        json!({ "key": "keys.master_key", "value": "(secret)", "from": "MUNIMENT_KEYS__MASTER_KEY" })
    );
    assert_eq!(of("server.keep_alive_seconds")["from"], "default", "{text}");

    let elsewhere = muniment(folder.path(), ["doctor", "--log", "mysql://owner:secret@db/muniment"]);
    assert_eq!(elsewhere.status.code(), Some(1));
    let text = stderr(&elsewhere);
    assert!(text.contains("`mysql`") && text.contains("embedded") && !text.contains("secret"), "{text}");
    fs::create_dir(folder.path().join("muniment-data")).expect("a directory");
    let unreachable = ["doctor", "--json", "--log", "postgres://owner:secret@127.0.0.1:1/muniment"];
    let unreachable = muniment(folder.path(), unreachable);
    let text = format!("{}{}", String::from_utf8_lossy(&unreachable.stdout), stderr(&unreachable));
    assert_eq!(unreachable.status.code(), Some(1), "{text}");
    assert!(text.contains("unknown") && text.contains("refused") && !text.contains("secret"), "{text}");
}

#[test]
fn completions_and_manual_pages_name_the_commands() {
    let folder = tempfile::tempdir().expect("a directory");
    for shell in ["bash", "zsh", "fish"] {
        let printed = muniment(folder.path(), ["completions", shell]);
        assert!(String::from_utf8_lossy(&printed.stdout).contains("projections"), "{shell}: {printed:?}");
    }
    let page = muniment(folder.path(), ["man"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains(".TH"), "{page:?}");
    let written = muniment(folder.path(), ["man", "--to", "pages"]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    assert!(folder.path().join("pages/muniment-replay-verify.1").is_file());
    let help = muniment(folder.path(), ["--help"]);
    assert!(String::from_utf8_lossy(&help.stdout).contains("Exit codes:"), "{help:?}");
}

/// Asks until the answer has this status, and answers what it says.
async fn wait_for_readiness(service: &Service, status: u16) -> Value {
    let told = async {
        loop {
            let ready = service.get("/readyz").await;
            if ready.status == status {
                return ready.body;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("in time")
}

#[tokio::test]
async fn a_full_disk_is_told_before_anybody_meets_it_and_until_it_has_room() {
    let service = Service::start_on_a_disk_that_can_fail().await;
    service.create_client("Matter sync").await;
    assert_eq!(wait_for_readiness(&service, 200).await["log"]["writable"], true);
    let full = service.folder().join("write");
    fs::write(&full, "").expect("a full disk");
    // No command has met it: only the probe can have.
    let unavailable = wait_for_readiness(&service, 503).await;
    assert_eq!(unavailable["status"], "unavailable", "{unavailable}");
    assert_eq!(unavailable["log"], json!({ "readable": true, "writable": false }));
    service.get(CLIENTS).await.expect(200);
    let refused = service.post(CLIENTS, &client_body("Another")).await;
    refused.expect_problem(503, "unavailable");
    for _ in 0..30 {
        service.get("/readyz").await.expect(503);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    fs::remove_file(&full).expect("room again");
    let mended = Instant::now();
    wait_for_readiness(&service, 200).await;
    assert!(
        mended.elapsed() < Duration::from_secs(7),
        "the probe saw it before time alone would have told it"
    );
    service.create_client("Another").await;
    service.finish().await;
}
