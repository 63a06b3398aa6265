//! What is wrong with the configuration is told all at once, each with where it was set, and never with a secret.

use std::{path::Path, process::Output};

use serde_json::Value;
use tests::muniment_with;

const FILE: &str = r#"
top = 1
server = { listen = "nowhere", workers = 0, public_url = "ftp://x", max_body_bytes = 3, bogus = 1 }
nosuch = { x = 1 }
empty = {}
tls = { certificate_file = "no-certificate.pem", private_key_file = "no-key.pem" }
limits = { reads_per_minute = -1 }
telemetry = { filter = "a=b=c", format = "xml" }
proxy = { trusted = ["10.0.0.0/33", "127.0.0.1", "everywhere"], header = "y" }
commands = { threads = 100000, argon2_workers = "four" }
keys = { master_kee = "hush", master_key = "hush" }
"#;

fn check(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let arguments = ["config", "check"].into_iter().chain(arguments.iter().copied());
    muniment_with(folder, arguments, variables)
}

#[test]
fn every_fault_of_a_configuration_is_named_at_once_with_its_origin_and_its_rule() {
    let folder = tempfile::tempdir().expect("a directory");
    std::fs::write(folder.path().join("muniment.toml"), FILE).expect("a file");
    let variables = [
        ("MUNIMENT_UNSECTIONED", "hush"),
        ("MUNIMENT_ANOTHER", "hush"),
        ("MUNIMENT_KEYS__MASTERKEY", "hush"),
        ("MUNIMENT_SERVER__KEEP_ALIVE_SECONDS", "long"),
    ];
    let checked = check(folder.path(), &["--log", "mysql://u:hush@h"], &variables);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let said = String::from_utf8(checked.stderr).expect("text");
    for (fault, rule) in [
        ("log.url (--log)", "`mysql` is no place of a log"),
        ("MUNIMENT_UNSECTIONED (environment)", "MUNIMENT_SECTION__KEY"),
        ("MUNIMENT_ANOTHER (environment)", "MUNIMENT_SECTION__KEY"),
        ("top (muniment.toml)", "`server`"),
        ("empty (muniment.toml)", "`server`"),
        ("nosuch.x (muniment.toml)", "there is no section `nosuch`"),
        ("server.bogus (muniment.toml)", "`listen`"),
        ("server.listen (muniment.toml)", "like 127.0.0.1:8080"),
        ("server.workers (muniment.toml)", "a whole number from 1"),
        ("server.keep_alive_seconds (MUNIMENT_SERVER__KEEP_ALIVE_SECONDS)", "a whole number from 0"),
        ("server.public_url (muniment.toml)", "http or https"),
        ("server.max_body_bytes (muniment.toml)", "at least 1024"),
        ("limits.reads_per_minute (muniment.toml)", "0 to 4294967295"),
        ("telemetry.format (muniment.toml)", "`text`, `json`"),
        ("telemetry.filter (muniment.toml)", "expected one of"),
        ("proxy.header (muniment.toml)", "`x_forwarded_for`, `forwarded`"),
        ("proxy.trusted (muniment.toml)", "`10.0.0.0/33` is no network"),
        ("proxy.trusted (muniment.toml)", "`everywhere` is no network"),
        ("commands.threads (muniment.toml)", "1 to 512"),
        ("commands.argon2_workers (muniment.toml)", "a whole number from 1"),
        ("keys.master_kee (muniment.toml)", "`master_key_file`"),
        ("keys.masterkey (MUNIMENT_KEYS__MASTERKEY)", "`master_key_file`"),
        ("keys.master_key (muniment.toml)", "not a line of format, id and key"),
        ("tls.certificate_file (muniment.toml)", "`no-certificate.pem`"),
        ("tls.private_key_file (muniment.toml)", "`no-key.pem`"),
    ] {
        let told = said.lines().any(|line| line.trim().starts_with(fault) && line.contains(rule));
        assert!(told, "{fault}: {rule}\n{said}");
    }
    assert_eq!(said.lines().count(), 26, "nothing else: {said}");
    assert!(!said.contains("hush"), "{said}");
}

#[test]
fn what_only_a_server_of_events_has_is_refused_of_any_other_log() {
    let folder = tempfile::tempdir().expect("a directory");
    let said = |variables: &[(&str, &str)]| {
        let checked = check(folder.path(), &[], variables);
        (checked.status.code(), String::from_utf8(checked.stderr).expect("text"))
    };
    let (code, told) = said(&[("MUNIMENT_LOG__STREAM", "log"), ("MUNIMENT_LOG__COMPANION", "embedded")]);
    assert_eq!(code, Some(1), "{told}");
    for key in ["log.stream (MUNIMENT_LOG__STREAM)", "log.companion (MUNIMENT_LOG__COMPANION)"] {
        assert!(told.lines().any(|line| line.trim().starts_with(key)), "{key}: {told}");
    }
    let server = ("MUNIMENT_LOG__URL", "esdb://ada:hush@127.0.0.1:2113?tls=false");
    let (code, told) = said(&[server, ("MUNIMENT_LOG__COMPANION", "mysql://u:hush@h")]);
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("log.companion") && told.contains("postgres://") && !told.contains("hush"),
        "{told}"
    );
    let (_, told) = said(&[server, ("MUNIMENT_LOG__COMPANION", "postgres://ada:hush@h/m")]);
    assert!(!told.contains("log.companion") && !told.contains("hush"), "{told}");
    let files = [("MUNIMENT_LOG__URL_FILE", "no-url"), ("MUNIMENT_LOG__COMPANION_FILE", "no-companion")];
    let (code, told) = said(&files);
    assert!(code == Some(1) && told.contains("`no-url`") && told.contains("`no-companion`"), "{told}");
    let (code, told) = said(&[server, ("MUNIMENT_LOG__STREAM", "$all")]);
    assert!(code == Some(1) && told.contains("log.stream"), "{told}");
}

#[test]
fn a_fault_is_told_alike_to_a_script_and_by_every_command_that_needs_the_setting() {
    let folder = tempfile::tempdir().expect("a directory");
    let write = |text: &str| std::fs::write(folder.path().join("other.toml"), text).expect("a file");
    write("[tls]\nprivate_key_file = \"key.pem\"\n[commands]\nthreads = 9999\nargon2_workers = \"x\"\n");
    let checked = check(folder.path(), &["--config", "other.toml", "--json"], &[]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let report: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    let problems = report["problems"].as_array().expect("problems");
    let keys: Vec<_> = problems.iter().map(|problem| problem["key"].as_str().expect("a key")).collect();
    assert_eq!(keys, ["commands.argon2_workers", "commands.threads", "tls.private_key_file"]);
    assert!(problems.iter().all(|problem| problem["from"] == "other.toml"), "{report}");
    let serve = muniment_with(folder.path(), ["serve", "--config", "other.toml"], &[]);
    let said = String::from_utf8_lossy(&serve.stderr).into_owned();
    assert_eq!(serve.status.code(), Some(1), "{said}");
    for fault in ["commands.argon2_workers (other.toml)", "commands.threads (other.toml)"] {
        assert!(said.contains(fault), "{said}");
    }
    let flag = ["export", "--public-url", "ftp://files.example"];
    let said = muniment_with(folder.path(), flag, &[]).stderr;
    assert!(String::from_utf8_lossy(&said).contains("server.public_url (--public-url): "), "{said:?}");

    // What stands in a line that cannot be read may be the key itself.
    write("[keys]\nmaster_key = hush\n");
    let said = check(folder.path(), &["--config", "other.toml"], &[]).stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("(other.toml): it cannot be read") && said.contains("line 2"), "{said}");
    assert!(!said.contains("hush"), "{said}");
    let said = check(folder.path(), &["--config", "nowhere.toml"], &[]).stderr;
    assert!(String::from_utf8_lossy(&said).contains("(--config): there is no file `nowhere.toml`"));
    let sound = check(folder.path(), &["--data-dir", "here"], &[]);
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");
    assert!(String::from_utf8_lossy(&sound.stdout).contains("--data-dir"), "{sound:?}");
}
