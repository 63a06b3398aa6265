//! Nodes of two programs on one database: what the older one bears, and what it does not.

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use store::{ExpectedRevision, Revision, testing::PostgresServer};
use tests::{
    Service, backend, client_body,
    http::{CLIENTS, answer, at_last},
    muniment_with,
};

use crate::{
    nodes::{finish, nodes, own},
    old_shapes::record,
};

/// What a newer program might add: a step that no node that runs knows.
const NEWER_STEP: &str = "
    ALTER TABLE log_events ADD COLUMN note text;
    ALTER TABLE log_head ADD COLUMN note text;
    ALTER TABLE streams ADD COLUMN note text;
    CREATE TABLE notes (number bigint PRIMARY KEY);
    INSERT INTO migrations (number, name, checksum)
    SELECT max(number) + 1, '9999_of_a_newer_program', sha256('it') FROM migrations";

#[tokio::test]
async fn nodes_that_run_bear_what_a_newer_program_migrates_and_none_that_starts_does() {
    let server = PostgresServer::start();
    let database = server.database().await;
    let nodes = nodes(&database).await;
    let (id, created) = nodes[0].create_client("Before").await;
    let secret = created.text_of("/client_secret").to_owned();
    for node in &nodes {
        own(node, &id, &secret).await.expect(200);
        assert_eq!(node.get(&format!("{CLIENTS}/{id}")).await.status, 200);
    }
    database.try_psql("muniment_owner", NEWER_STEP).expect("a step that was taken");

    let cut =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'muniment'";
    for round in ["as they are", "anew"] {
        for (number, node) in nodes.iter().enumerate() {
            at_last(async || own(node, &id, &secret).await).await.expect(200);
            let name = format!("{round} {number}");
            let create = async || node.post(CLIENTS, &client_body(&name)).await;
            let created = at_last(create).await.expect(201);
            let (id, secret) = (created.text_of("/client_id"), created.text_of("/client_secret"));
            for node in &nodes {
                at_last(async || own(node, id, secret).await).await.expect(200);
                let shown = node.request(Method::GET, &format!("{CLIENTS}/{id}"));
                let shown = shown.header("muniment-position", created.header("muniment-position"));
                answer(shown).await.expect(200);
            }
            let path = format!("{CLIENTS}/{id}/secrets");
            node.post(&path, &json!({ "overlap_seconds": 0 })).await.expect(201);
        }
        assert_ne!(database.psql(cut), "0");
    }
    for node in &nodes {
        at_last(async || node.get("/readyz").await).await.expect(200);
    }

    let folder = tempfile::tempdir().expect("a directory");
    let url = database.url();
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["doctor"]] {
        let arguments = command.iter().copied().chain(["--data-dir", "data"]);
        let refused = muniment_with(folder.path(), arguments, &[(backend::LOG_URL, &url)]);
        let said = [refused.stdout, refused.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        assert_eq!(refused.status.code(), Some(1), "{said:?}");
        assert!(said.concat().contains("a newer program has migrated the database"), "{said:?}");
    }
    let owner = [(backend::LOG_URL, database.owner_url())];
    let owner = owner.each_ref().map(|(name, url)| (*name, url.as_str()));
    let refused = muniment_with(folder.path(), ["migrate"], &owner);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    // For the end of each test, which needs a program that knows the schema.
    database.psql("DELETE FROM migrations WHERE name = '9999_of_a_newer_program'");
    finish(nodes).await;
}

async fn views(node: &Service) -> Vec<Value> {
    let status = node.get("/api/v1/projections").await.expect(200);
    status.body["items"].as_array().expect("views").clone()
}

async fn halted(node: &Service) -> Vec<Value> {
    for _ in 0..200 {
        let halted: Vec<_> = views(node).await.into_iter().filter(|view| view["state"] == "halted").collect();
        if !halted.is_empty() {
            return halted;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    Vec::new()
}

#[tokio::test]
async fn an_event_of_a_newer_program_halts_views_and_its_own_stream_until_the_node_is_replaced() {
    let database = PostgresServer::shared().database().await;
    let mut nodes = nodes(&database).await;
    let (other, created) = nodes[0].create_client("Other").await;
    let secret = created.text_of("/client_secret").to_owned();
    let (id, created) = nodes[0].create_client("Teleported").await;
    let teleported = created.text_of("/client_secret").to_owned();
    let position = created.body["position"].as_u64().expect("a position");
    for node in &nodes {
        own(node, &id, &teleported).await.expect(200);
    }
    let stream = format!("client-{id}");
    let status = json!({ "status": { "old": "active", "new": "inactive" } });
    let event = ("client.teleported", status);
    record(&nodes[0], (&stream, ExpectedRevision::Exact(Revision::new(1))), &[event]).await;

    for (number, node) in nodes.iter().enumerate() {
        let halted = halted(node).await;
        assert!(halted.iter().any(|view| view["name"] == "clients"), "{halted:?}");
        for view in &halted {
            assert_eq!(view["halt"]["position"], position + 1, "{view}");
            let cause = view["halt"]["cause"].as_str().expect("a cause");
            assert!(cause.contains("client.teleported"), "{view}");
        }
        let ready = node.get("/readyz").await.expect(200);
        assert_eq!(ready.body["status"], "degraded", "{}", ready.text);
        // Everybody else goes on.
        own(node, &other, &secret).await.expect(200);
        let created = node.post(CLIENTS, &client_body(&format!("New {number}"))).await.expect(201);
        assert_eq!(created.header("muniment-views"), "behind");
        own(node, created.text_of("/client_id"), created.text_of("/client_secret")).await.expect(200);
        let renamed = json!({ "client_name": format!("Renamed {number}") });
        node.patch(&format!("{CLIENTS}/{other}"), "*", &renamed).await.expect(200);
        // Who it is about is not let in by a program that does not know what happened.
        own(node, &id, &teleported).await.expect(503);
        node.post(&format!("{CLIENTS}/{id}/enable"), &json!({})).await.expect_problem(500, "internal");
        // What was folded before is shown, and said to be old.
        let shown = node.get(&format!("{CLIENTS}/{id}")).await.expect(200);
        assert_eq!((shown.header("muniment-views"), &shown.body["revision"]), ("behind", &json!(1)));
        let shown = node.request(Method::GET, &format!("{CLIENTS}/{id}"));
        let wanted = shown.header("muniment-position", created.header("muniment-position"));
        answer(wanted).await.expect_problem(503, "views_behind");
    }

    // To the program that replaces them the event is one that it knows.
    database.psql(
        "SET session_replication_role = replica;
         UPDATE log_events SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'client.teleported',
                                                          'client.deactivated'), 'UTF8')
         WHERE convert_from(entry, 'UTF8') LIKE '%client.teleported%'",
    );
    for node in &mut nodes {
        node.stop().await;
        std::fs::remove_dir_all(node.data().join("views")).expect("the old views");
        node.launch().await;
        own(node, &id, &teleported).await.expect(401);
        own(node, &other, &secret).await.expect(200);
        assert_eq!(node.get("/readyz").await.expect(200).body["status"], "ready");
        assert!(views(node).await.iter().all(|view| view["halt"].is_null()));
        assert_eq!(node.get(&format!("{CLIENTS}/{id}")).await.body["status"], "inactive");
    }
    finish(nodes).await;
}

#[tokio::test]
async fn a_node_with_views_of_another_schema_makes_its_own_and_the_others_keep_theirs() {
    let database = PostgresServer::shared().database().await;
    let mut first = Service::start_with_environment(backend::on(&database)).await;
    for number in 0..5 {
        first.create_client(&format!("Client {number}")).await;
    }
    let second = first.join().await;
    first.stop().await;
    let newer = second
        .join_with_views_of(&first, |views| {
            let live = std::fs::read_to_string(views.join("live")).expect("a pointer");
            let file = Connection::open(views.join(live.trim_end())).expect("the views");
            file.execute("UPDATE meta SET schema_digest = 'of another program'", []).expect("another schema");
            drop(file);
        })
        .await;
    assert!(newer.stderr().contains("it was made with another schema"), "{}", newer.stderr());
    first.launch().await;
    for node in [&first, &newer, &second] {
        let listed = node.get(&format!("{CLIENTS}?limit=500")).await.expect(200);
        assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(5));
    }
    assert!(!first.stderr().contains("folding the log again"), "{}", first.stderr());
    let live = |node: &Service| std::fs::read_to_string(node.data().join("views/live")).expect("a pointer");
    assert_eq!((live(&first).trim_end(), live(&newer).trim_end()), ("views-1.db", "views-2.db"));
    finish(vec![first, second, newer]).await;
}
