//! The operator's tools: replay, verify, rebuild, doctor, recover; their exit codes.

use rusqlite::Connection;
use serde_json::{Value, json};
use tests::{Service, http::CLIENTS};

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn live_views(service: &Service) -> std::path::PathBuf {
    let folder = service.data().join("views");
    let name = std::fs::read_to_string(folder.join("live")).expect("a pointer");
    folder.join(name.trim_end())
}

#[tokio::test]
async fn a8_views_can_be_deleted_and_are_folded_again() {
    let mut service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    service.post(&format!("{CLIENTS}/{id}/deactivate"), &json!({})).await.expect(200);
    let before = service.get(CLIENTS).await.expect(200);
    service.stop().await;
    // Damage that a look at the first pages does not find: another file's write-ahead log beside it.
    let live = live_views(&service);
    std::fs::write(&live, b"not a database at all").expect("a damaged file");
    std::fs::write(live.with_extension("db-wal"), [7; 4_096]).expect("a stray write-ahead log");
    service.launch().await;
    let request = service.request(reqwest::Method::GET, CLIENTS).header("muniment-position", "1");
    assert_eq!(tests::http::answer(request).await.expect(200).body, before.body);
    service.stop().await;

    std::fs::remove_dir_all(service.data().join("views")).expect("views can be deleted");
    let missing = service.muniment(["replay", "verify"]);
    assert_eq!(missing.status.code(), Some(12), "{}", stdout(&missing));
    service.launch().await;
    let request = service.request(reqwest::Method::GET, CLIENTS).header("muniment-position", "1");
    let after = tests::http::answer(request).await.expect(200);
    assert_eq!(before.body, after.body);
    service.finish().await;
}

#[tokio::test]
async fn a_good_stop_leaves_no_write_ahead_log_and_a_start_no_comparison_that_was_killed() {
    let mut service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let used = service.request(reqwest::Method::GET, "/api/v1/me");
    tests::http::answer(used).await.expect(200);
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let client = http.get(format!("{}/sandbox/client", service.base));
    tests::http::answer(client.basic_auth(&id, Some(created.text_of("/client_secret")))).await.expect(200);
    service.stop().await;
    let names = |folder: std::path::PathBuf| {
        let entries = std::fs::read_dir(folder).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.collect::<Vec<_>>()
    };
    let beside = |names: &[String]| names.iter().any(|name| name.ends_with("-wal") || name.ends_with("-shm"));
    let left = names(service.data());
    assert!(!beside(&left), "{left:?}");
    // Neither does a command that opens the instance itself.
    assert_eq!(service.muniment(["member", "list"]).status.code(), Some(0));
    let left = names(service.data());
    assert!(!beside(&left), "{left:?}");

    let views = service.data().join("views");
    let abandoned = |name: &str| std::fs::write(views.join(name), [0; 4_096]).expect("a file");
    let kept = |names: Vec<String>| names.iter().filter(|name| name.starts_with("verify-")).count();
    abandoned("verify-1.db");
    abandoned("verify-999999.db");
    service.launch().await;
    assert_eq!(kept(names(views.clone())), 0);
    service.stop().await;
    for command in [["projections", "rebuild"], ["replay", "verify"]] {
        abandoned("verify-1.db");
        assert_eq!(service.muniment(command).status.code(), Some(0));
        assert_eq!(kept(names(views.clone())), 0, "{command:?}");
    }
    service.finish().await;
}

#[tokio::test]
async fn a8_a_rebuild_gives_the_same_digest_with_and_without_a_service() {
    let mut service = Service::start().await;
    service.create_client("Matter sync").await;
    let serving = service.muniment(["projections", "rebuild"]);
    assert_eq!(serving.status.code(), Some(0), "{serving:?}");
    assert!(stdout(&serving).contains("clients: at"), "{serving:?}");
    service.stop().await;
    let old = live_views(&service);
    let rebuilt = service.muniment(["projections", "rebuild", "--json"]);
    assert_eq!(rebuilt.status.code(), Some(0), "{rebuilt:?}");
    let report: Value = serde_json::from_str(&stdout(&rebuilt)).expect("JSON");
    let views = report["views"].as_array().expect("views");
    assert!(views.len() >= 2 && views.iter().all(|view| view["equal"] == true), "{report}");
    assert_ne!(live_views(&service), old, "a new file took its place");
    let status = service.muniment(["projections", "status"]);
    assert!(status.status.success() && stdout(&status).contains("up to date"), "{status:?}");
    service.finish().await;
}

#[tokio::test]
async fn a8_verify_names_each_row_that_differs() {
    let mut service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    service.stop().await;
    let views = Connection::open(live_views(&service)).expect("the views");
    views
        .execute("UPDATE clients SET status = 'inactive' WHERE client_id = ?1", [&id])
        .expect("a forged row");
    drop(views);
    let verdict = service.muniment(["replay", "verify"]);
    assert_eq!(verdict.status.code(), Some(11), "{verdict:?}");
    assert!(stdout(&verdict).contains(&id), "the row is named: {}", stdout(&verdict));
    assert!(service.muniment(["projections", "rebuild"]).status.code() == Some(11), "the old one differed");
    service.finish().await;
}

#[tokio::test]
async fn a9_an_event_that_a_view_cannot_apply_halts_it_loudly() {
    let mut service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    service.stop().await;
    // What a newer release might have written: nothing this one knows.
    let log = Connection::open(service.data().join("log.db")).expect("the log");
    let (position, entry): (i64, Vec<u8>) = log
        .query_row("SELECT position, entry FROM events ORDER BY position DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("an event");
    let entry = String::from_utf8(entry).expect("text");
    let unknown = entry
        .replace("\"type\":\"client.created\"", "\"type\":\"client.teleported\"")
        .replace("\"revision\":1", "\"revision\":2");
    assert_ne!(entry, unknown);
    log.execute(
        "INSERT INTO events (position, stream, revision, entry) SELECT ?1, stream, 2, ?2 FROM events WHERE position = ?3",
        rusqlite::params![position + 1, unknown.as_bytes(), position],
    )
    .expect("an appended event");
    drop(log);
    service.launch().await;
    let halted = wait_until_halted(&service).await;
    assert_eq!(halted["state"], "halted", "{halted}");
    assert_eq!(halted["halt"]["position"], position + 1, "{halted}");
    assert!(
        halted["halt"]["cause"].as_str().is_some_and(|cause| cause.contains("client.teleported")),
        "{halted}"
    );
    let ready = service.get("/readyz").await.expect(200);
    assert_eq!(ready.body["status"], "degraded", "{}", ready.text);
    let metrics = service.get("/metrics").await.expect(200);
    assert!(metrics.text.contains("projection_halted{projection=\"clients\"} 1"), "{}", metrics.text);
    // What was folded before is still served.
    let client = service.get(&format!("{CLIENTS}/{id}")).await.expect(200);
    assert_eq!(client.body["revision"], 1);
    service.stop().await;
    let verdict = service.muniment(["replay", "verify"]);
    assert_ne!(verdict.status.code(), Some(0), "{verdict:?}");
    // The forged event goes again, so that the end of every test holds for this one.
    let log = Connection::open(service.data().join("log.db")).expect("the log");
    drop_triggers(&log);
    log.execute("DELETE FROM events WHERE position = ?1", [position + 1]).expect("the forged event");
    drop(log);
    std::fs::remove_dir_all(service.data().join("views")).expect("views can be deleted");
    assert_eq!(service.muniment(["projections", "rebuild"]).status.code(), Some(0));
    service.finish().await;
}

fn drop_triggers(log: &Connection) {
    let triggers: Vec<String> = log
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'events'")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .expect("the triggers");
    for trigger in triggers {
        log.execute_batch(&format!("DROP TRIGGER \"{trigger}\"")).expect("a trigger");
    }
}

async fn wait_until_halted(service: &Service) -> Value {
    for _ in 0..200 {
        let status = service.get("/api/v1/projections").await.expect(200);
        let views = status.body["items"].as_array().expect("views").clone();
        if let Some(view) = views.iter().find(|view| view["name"] == "clients" && view["state"] == "halted") {
            return view.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    Value::Null
}

#[tokio::test]
async fn a6_replay_shows_the_clients_of_a_past_moment() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    service.delete(&format!("{CLIENTS}/{id}")).await.expect(204);
    let position = created.header("muniment-position");
    let then = service.muniment(["replay", "--at", position, "--client", &id, "--json"]);
    let then: Value = serde_json::from_str(&stdout(&then)).expect("JSON");
    assert_eq!(then["client"]["status"], "active");
    let now = service.muniment(["replay", "--client", &id, "--json"]);
    let now: Value = serde_json::from_str(&stdout(&now)).expect("JSON");
    assert_eq!(now["client"]["status"], "deleted");
    let at = created.text_of("/created_at");
    let by_time = service.muniment(["replay", "--at", at]);
    assert!(stdout(&by_time).contains("Matter sync"), "{by_time:?}");
    let head = service.get("/api/v1/projections").await.expect(200).body["items"][0]["head"].clone();
    let beyond = (head.as_u64().expect("a position") + 1_000).to_string();
    for (moment, code, rule) in [
        ("yesterday", 2, "a position or an RFC 3339 time"),
        ("0", 1, "the log begins at 1"),
        (beyond.as_str(), 1, "the log ends at"),
        ("2999-01-01T00:00:00Z", 1, "in the future"),
        ("1999-01-01T00:00:00Z", 1, "the log begins at 2"),
    ] {
        let refused = service.muniment(["replay", "--at", moment]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!((refused.status.code(), stdout(&refused).as_str()), (Some(code), ""), "{moment}: {said}");
        assert!(said.contains("--at") && said.contains(rule), "{moment}: {said}");
    }
    service.finish().await;
}

#[tokio::test]
async fn a7_verify_finds_an_altered_event() {
    let mut service = Service::start().await;
    service.create_client("Matter sync").await;
    service.stop().await;
    let log = Connection::open(service.data().join("log.db")).expect("the log");
    let altered =
        "UPDATE events SET entry = CAST(replace(entry, 'sandbox', 'sandbax') AS BLOB) WHERE position = 3";
    let refused = log.execute(altered, []).expect_err("append-only is enforced");
    assert!(refused.to_string().contains("never changed"), "{refused}");
    // Who owns the file can drop the triggers; what they then alter is found, and named.
    drop_triggers(&log);
    let before: Vec<u8> =
        log.query_row("SELECT entry FROM events WHERE position = 3", [], |row| row.get(0)).expect("an entry");
    assert_eq!(log.execute(altered, []).expect("an alteration"), 1);
    drop(log);
    let verdict = service.muniment(["replay", "verify"]);
    assert_eq!(verdict.status.code(), Some(10), "{verdict:?}");
    assert!(stdout(&verdict).contains("position 3"), "{}", stdout(&verdict));
    let log = Connection::open(service.data().join("log.db")).expect("the log");
    log.execute("UPDATE events SET entry = ?1 WHERE position = 3", [before]).expect("as it was");
    drop(log);
    service.finish().await;
}

#[tokio::test]
async fn o3_verify_names_each_claim_that_differs_and_a_name_is_free_again_whatever_its_key_was() {
    let mut service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    let (other, _) = service.create_client("Another").await;
    service.stop().await;
    // As if a Unicode table of an older release had folded both names to something else.
    let log = Connection::open(service.data().join("log.db")).expect("the log");
    let changed =
        log.execute("UPDATE claims SET key = 'of old ' || key WHERE namespace = 'client_name:sandbox'", []);
    assert_eq!(changed.expect("a change"), 2);
    drop(log);
    let verdict = service.muniment(["replay", "verify"]);
    assert_eq!(verdict.status.code(), Some(10), "{verdict:?}");
    for (claim, held, told) in [
        ("client_name:sandbox/of old matter sync", format!("`client-{id}`"), "nobody".to_owned()),
        ("client_name:sandbox/matter sync", "nobody".to_owned(), format!("`client-{id}`")),
    ] {
        let difference = format!("claim `{claim}`: {held} holds it, by the log {told} does");
        assert!(stdout(&verdict).contains(&difference), "{}", stdout(&verdict));
    }
    service.launch().await;
    let client = format!("{CLIENTS}/{id}");
    service.patch(&client, "*", &json!({ "client_name": "MATTER SYNC" })).await.expect(200);
    service.delete(&format!("{CLIENTS}/{other}")).await.expect(204);
    // Both claims are as the log says again.
    service.finish().await;
}

#[tokio::test]
async fn a7_verify_finds_a_missing_event_and_says_which_views_it_cannot_compare() {
    let mut service = Service::start().await;
    service.create_client("Matter sync").await;
    service.create_client("Another").await;
    service.stop().await;
    let log = Connection::open(service.data().join("log.db")).expect("the log");
    drop_triggers(&log);
    let last: i64 = log.query_row("SELECT max(position) FROM events", [], |row| row.get(0)).expect("a head");
    let missing = last - 1;
    log.execute_batch(&format!("CREATE TABLE kept AS SELECT * FROM events WHERE position = {missing}"))
        .expect("a copy");
    assert_eq!(log.execute("DELETE FROM events WHERE position = ?1", [missing]).expect("a loss"), 1);
    drop(log);
    let named = format!("position {missing} is missing");
    let verdict = service.muniment(["replay", "verify"]);
    assert_eq!(verdict.status.code(), Some(10), "{verdict:?}");
    assert!(stdout(&verdict).contains(&named), "{verdict:?}");
    assert!(stdout(&verdict).contains("cannot be compared"), "{verdict:?}");
    let verdict = service.muniment(["replay", "verify", "--json"]);
    assert_eq!(verdict.status.code(), Some(10), "{verdict:?}");
    let report: Value = serde_json::from_str(&stdout(&verdict)).expect("JSON");
    assert!(report["log"]["defects"].to_string().contains(&named), "{report}");
    assert!(report["views"][0]["incomparable"].is_string(), "{report}");

    // Folded again they stand right before the hole, which is as far as they can be compared.
    std::fs::remove_dir_all(service.data().join("views")).expect("views can be deleted");
    service.launch().await;
    let halted = wait_until_halted(&service).await;
    assert_eq!(halted["position"], missing - 1, "{halted}");
    assert_eq!(halted["halt"]["position"], missing, "{halted}");
    service.stop().await;
    let verdict = service.muniment(["replay", "verify", "--json"]);
    assert_eq!(verdict.status.code(), Some(10), "{verdict:?}");
    let report: Value = serde_json::from_str(&stdout(&verdict)).expect("JSON");
    assert!(report["views"][0]["incomparable"].is_null(), "{report}");
    assert_eq!(report["differences"], json!([]), "{report}");

    let log = Connection::open(service.data().join("log.db")).expect("the log");
    log.execute_batch("INSERT INTO events SELECT * FROM kept; DROP TABLE kept").expect("as it was");
    drop(log);
    assert_eq!(service.muniment(["projections", "rebuild"]).status.code(), Some(0));
    service.finish().await;
}

#[tokio::test]
async fn a8_views_deleted_under_a_running_service_are_folded_again() {
    let service = Service::start().await;
    let (id, _) = service.create_client("Matter sync").await;
    // In one step, so that nothing of the new ones goes with the old.
    let away = service.folder().join("away");
    std::fs::rename(service.data().join("views"), &away).expect("views can be moved");
    std::fs::remove_dir_all(away).expect("views can be deleted");
    // Every request at once needs a connection of its own.
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let request = service.request(reqwest::Method::GET, &format!("{CLIENTS}/{id}"));
        reads.spawn(tests::http::answer(request));
    }
    for read in reads.join_all().await {
        assert!(matches!(read.status, 200 | 503), "{}", read.text);
    }
    let (another, created) = service.create_client("Another").await;
    for path in [format!("{CLIENTS}/{id}"), format!("{CLIENTS}/{another}")] {
        let request = service.request(reqwest::Method::GET, &path);
        let request = request.header("muniment-position", created.header("muniment-position"));
        tests::http::answer(request).await.expect(200);
    }
    assert!(live_views(&service).is_file());
    service.finish().await;
}

#[tokio::test]
async fn a_doctor_says_what_is_wrong_and_a_lost_token_can_be_recovered() {
    let mut service = Service::start().await;
    service.create_client("Matter sync").await;
    service.stop().await;
    let healthy = service.muniment(["doctor"]);
    assert_eq!(healthy.status.code(), Some(0), "{}", stdout(&healthy));
    let recovered = service.muniment(["recover", "--bootstrap-token-file", "recovered"]);
    assert_eq!(recovered.status.code(), Some(0), "{recovered:?}");
    let token = std::fs::read_to_string(service.folder().join("recovered")).expect("a token");
    service.launch().await;
    tests::http::answer(service.request_as(token.trim(), reqwest::Method::GET, CLIENTS)).await.expect(200);
    // The service has just started: wait for its views to have seen everything.
    let head = tests::load::feed(&service, 0).await.len().to_string();
    let request = service.request(reqwest::Method::GET, "/api/v1/audit/events?type=member.token_issued");
    let events = tests::http::answer(request.header("muniment-position", head)).await.expect(200);
    assert_eq!(events.body["items"][0]["entry"]["actor"]["kind"], "host", "{}", events.text);
    // The last administrator cannot give up the role by mistake; and who was deactivated as one can be let in again.
    let me = service.get("/api/v1/me").await.text_of("/member_id").to_owned();
    let roles =
        service.request(reqwest::Method::PUT, &format!("/api/v1/members/{me}/roles")).header("if-match", "*");
    let kept = tests::http::answer(roles.json(&json!({ "roles": ["auditor"] }))).await;
    kept.expect_problem(409, "last_administrator");
    let (auditor, _) = service.create_member("Quiet Auditor", &["auditor"]).await;
    service.post(&format!("/api/v1/members/{auditor}/deactivate"), &json!({})).await.expect(200);
    service.stop().await;
    let again = service.muniment(["recover", "--member", &auditor, "--bootstrap-token-file", "again"]);
    assert_eq!(again.status.code(), Some(0), "{again:?}");
    let token = std::fs::read_to_string(service.folder().join("again")).expect("a token");
    service.launch().await;
    tests::http::answer(service.request_as(token.trim(), reqwest::Method::GET, CLIENTS)).await.expect(200);
    service.stop().await;

    let key = service.folder().join("data.key");
    std::fs::rename(&key, service.folder().join("elsewhere")).expect("a moved key");
    let sick = service.muniment(["doctor"]);
    assert_eq!(sick.status.code(), Some(10), "{}", stdout(&sick));
    assert!(stdout(&sick).contains("data.key"), "{}", stdout(&sick));
    std::fs::rename(service.folder().join("elsewhere"), &key).expect("the key is back");
    service.finish().await;
}
