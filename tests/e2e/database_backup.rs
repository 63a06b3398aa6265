//! Copies of a log in Postgres, by the commands that the documentation gives.

use std::{
    ffi::OsString,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::json;
use store::testing::{PostgresServer, postgres_programs};
use tests::{
    Service, backend, binary, client_body,
    http::{CLIENTS, at_last},
    load::{Load, feed},
};

const OWNER: &str = "postgres://muniment_owner@db.internal/muniment";
const KEPT: &str = "/var/backups/muniment";

/// The block of the section that has this text in it.
fn documented(with: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/deployment.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, section) = page.split_once("### Back-up and restore on Postgres").expect("the section");
    let mut blocks = section.split("\n```").skip(1).step_by(2).filter(|block| block.contains(with));
    let block = blocks.next().expect(with);
    assert!(blocks.next().is_none(), "`{with}` stands in one block");
    block.split_once('\n').expect("a language").1.to_owned()
}

/// Runs a block with the programs of Postgres and of this tree.
fn run(mut shell: Command, script: &str) {
    let mut path = OsString::from(postgres_programs());
    path.push(":");
    path.push(binary().parent().expect("a directory"));
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let done = shell.args(["-euc", script]).env("PATH", path).output().expect("a shell");
    let said = [done.stdout, done.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(done.status.success(), "{script}\n{}", said.concat());
    // What psql starts fails without its knowledge.
    assert!(!said[1].contains("error"), "{}", said[1]);
}

fn shell(folder: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.current_dir(folder);
    shell
}

/// What is to be done after each restore, before the first node starts.
fn look(node: &Service, owner: &str, service: &str) {
    let settings = format!(
        "[data]\ndirectory = \"data\"\n[keys]\nmaster_key_file = \"data.key\"\n[log]\nurl = \"{service}\"\n"
    );
    std::fs::write(node.folder().join("node.toml"), settings).expect("a file");
    let script = documented("muniment doctor").replace(OWNER, owner);
    run(shell(node.folder()), &script.replace("/etc/muniment/muniment.toml", "node.toml"));
}

fn export(node: &Service) -> Vec<String> {
    let exported = node.muniment(["export"]);
    assert!(exported.status.success(), "{exported:?}");
    let text = String::from_utf8(exported.stdout).expect("text");
    text.lines().filter(|line| !line.starts_with("{\"export\"")).map(ToOwned::to_owned).collect()
}

/// Creates clients and erases their contacts, until told to stop. Answers who was erased.
async fn erase(node: &Service, stop: &AtomicBool) -> Vec<String> {
    let mut erased = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let mut body = client_body(&format!("Erased {}", erased.len()));
        body["contacts"] =
            json!([{ "name": "Canary", "email": format!("canary{}@example.com", erased.len()) }]);
        let created = node.post(CLIENTS, &body).await.expect(201);
        let person = created.text_of("/contacts/0/id").to_owned();
        let path = format!("/api/v1/persons/{person}/erase");
        at_last(async || node.post(&path, &json!({ "ticket": "GDPR-1" })).await).await.expect(200);
        erased.push(person);
    }
    erased
}

async fn email_of(node: &Service, client: &str) -> String {
    let shown = node.get(&format!("{CLIENTS}/{client}?include=private")).await.expect(200);
    shown.text_of("/contacts/0/email").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_a_served_database_is_restored_as_it_was_at_one_moment() {
    let server = PostgresServer::shared();
    let (database, restored) = (server.database().await, server.empty_database());
    let mut node = Service::start_with_environment(backend::on(&database)).await;
    let (kept, created) = node.create_client("Kept").await;
    let mut load = Load::new(fastrand::u64(..));
    let workers = load.begin(&[&node]);
    tokio::time::sleep(Duration::from_millis(500)).await;

    let (folder, stop) = (node.folder().to_owned(), AtomicBool::new(false));
    let script = documented("pg_dump").replace(OWNER, &database.owner_url());
    let dumping = async {
        tokio::task::spawn_blocking(move || run(shell(&folder), &script)).await.expect("a dump");
        stop.store(true, Ordering::Relaxed);
    };
    let ((), erased) = tokio::join!(dumping, erase(&node, &stop));
    workers.end().await;
    load.repeat_unanswered(&node).await;
    let (_, late) = node.create_client("Late").await;
    let late = late.header("muniment-position").to_owned();
    assert!(load.answered().await > 10 && !erased.is_empty(), "nothing came meanwhile");
    let at =
        |position: &str| node.request(reqwest::Method::GET, CLIENTS).header("muniment-position", position);
    tests::http::answer(at(&late)).await.expect(200);
    let whole = export(&node);

    node.stop().await;
    let script = documented("pg_restore").replace(OWNER, &restored.owner_url());
    run(shell(node.folder()), &script);
    look(&node, &restored.owner_url(), &restored.url());
    node.keep_log_in(backend::in_database(&restored.url()));
    // With views that have seen more.
    node.launch().await;
    let copied = export(&node);
    let created: usize = created.header("muniment-position").parse().expect("a position");
    assert!(copied.len() > created && copied.len() < whole.len(), "{} of {}", copied.len(), whole.len());
    assert!(whole.starts_with(&copied), "what is there is the same to the byte");
    assert_eq!(email_of(&node, &kept).await, "ops@example.com", "the keys open what was sealed");
    let head = feed(&node, 0).await.len();
    let mut private = String::new();
    for page in 0..=copied.len() / 500 {
        let path = format!("/api/v1/audit/events?include=private&order=asc&after={}&limit=500", page * 500);
        private.push_str(&node.get(&path).await.expect(200).text);
    }
    for (number, person) in erased.iter().enumerate() {
        let shown = node.get(&format!("/api/v1/persons/{person}")).await;
        let readable = shown.status == 200 && shown.body["erased"] == false;
        assert_eq!(private.contains(&format!("canary{number}@example.com")), readable, "{}", shown.text);
    }
    let (after, created) = node.create_client("After").await;
    assert!(created.body["position"].as_u64() > Some(head as u64), "positions go on");
    assert_eq!(email_of(&node, &after).await, "ops@example.com", "new keys can be made");
    let joined = node.join().await;
    assert_eq!(email_of(&joined, &after).await, "ops@example.com");
    joined.finish().await;
    node.finish().await;
}

#[tokio::test]
async fn an_archived_database_is_restored_to_a_moment() {
    let server = PostgresServer::start();
    let place = |text: &str| text.replace(KEPT, &server.directory().display().to_string());
    let archive = place(&documented("archive_command"));
    server.write("postgresql.auto.conf", &format!("archive_mode = on\narchive_timeout = 60\n{archive}\n"));
    run(server.program("/bin/sh"), "mkdir wal");
    server.stop();
    server.resume();
    let database = server.database().await;
    let mut node = Service::start_with_environment(backend::on(&database)).await;
    node.create_client("Before the copy").await;
    let mut base = server.program("/bin/sh");
    base.env("PGUSER", "postgres");
    run(base, &place(&documented("pg_basebackup")));
    let (kept, created) = node.create_client("Kept").await;
    let moment = database.psql("SELECT clock_timestamp()");
    let (lost, _) = node.create_client("Lost").await;
    let whole = export(&node);
    database.psql("SELECT pg_switch_wal()");
    for _ in 0..200 {
        let waiting = "SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'";
        if database.psql(waiting) == "0" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.kill();
    node.kill().await;

    let back = PostgresServer::beside(|back| {
        let mut restore = server.program("/bin/sh");
        restore.env("PGDATA", back.directory().join("data"));
        let script = place(&documented("recovery.signal")).replace("2026-11-21 12:00:00+00", &moment);
        run(restore, &script.replace("cp -a", "mkdir -m 700 \"$PGDATA\"; cp -a"));
    });
    for _ in 0..200 {
        if back.try_psql("postgres", "postgres", "SELECT pg_is_in_recovery()") == Ok("f".to_owned()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let url = database.url_through(back.port());
    look(&node, &url.replace("muniment_app", "muniment_owner"), &url);
    node.keep_log_in(backend::in_database(&url));
    node.launch().await;
    let copied = export(&node);
    assert_eq!(
        copied.len().to_string(),
        created.header("muniment-position"),
        "all before the moment, and no more"
    );
    assert!(whole.starts_with(&copied), "what is there is the same to the byte");
    assert_eq!(email_of(&node, &kept).await, "ops@example.com");
    node.get(&format!("{CLIENTS}/{lost}")).await.expect_problem(404, "not_found");
    node.create_client("After").await;
    node.finish().await;
}
