//! Several nodes on one database: what one does every other knows, and none of them can lose what any has answered.

use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use store::testing::{PostgresServer, Proxy, TestDatabase};
use tests::{
    Service, backend,
    http::{Answer, CLIENTS, answer, at_last},
    load::{Load, feed},
    muniment,
};

/// Nodes of a test.
const NODES: usize = 3;

pub(crate) async fn nodes(database: &TestDatabase<'_>) -> Vec<Service> {
    let mut nodes = vec![Service::start_with_environment(backend::on(database)).await];
    while nodes.len() < NODES {
        nodes.push(nodes[0].join().await);
    }
    nodes
}

/// The first one has the master key of all.
pub(crate) async fn finish(nodes: Vec<Service>) {
    for node in nodes.into_iter().rev() {
        node.finish().await;
    }
}

/// What a client asks for itself.
pub(crate) async fn own(node: &Service, id: &str, secret: &str) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    answer(client.get(format!("{}/sandbox/client", node.base)).basic_auth(id, Some(secret))).await
}

#[tokio::test]
async fn o5_a_secret_that_one_node_revokes_is_refused_by_the_next_request_on_every_other() {
    let database = PostgresServer::shared().database().await;
    let nodes = nodes(&database).await;
    for round in 0..10 {
        let (one, others) =
            (&nodes[round % NODES], [&nodes[(round + 1) % NODES], &nodes[(round + 2) % NODES]]);
        let (id, created) = one.create_client(&format!("Client {round}")).await;
        let secret = created.text_of("/client_secret").to_owned();
        for node in others {
            // The second time from memory.
            own(node, &id, &secret).await.expect(200);
            own(node, &id, &secret).await.expect(200);
        }
        one.post(&format!("{CLIENTS}/{id}/deactivate"), &json!({ "reason": "leaked" })).await.expect(200);
        for node in others {
            own(node, &id, &secret).await.expect(401);
        }
        one.post(&format!("{CLIENTS}/{id}/enable"), &json!({})).await.expect(200);
        own(others[0], &id, &secret).await.expect(200);
        let rotated =
            others[0].post(&format!("{CLIENTS}/{id}/secrets"), &json!({ "overlap_seconds": 0 })).await;
        let new = rotated.expect(201).text_of("/client_secret").to_owned();
        for node in [one, others[1]] {
            own(node, &id, &secret).await.expect(401);
            own(node, &id, &new).await.expect(200);
        }
    }
    finish(nodes).await;
}

#[tokio::test]
async fn a_token_a_role_and_a_member_that_one_node_takes_away_are_gone_on_every_other() {
    let database = PostgresServer::shared().database().await;
    let nodes = nodes(&database).await;
    let (member, token) = nodes[0].create_member("Ada Lovelace", &["integration_manager"]).await;
    for node in &nodes {
        answer(node.request_as(&token, Method::GET, CLIENTS)).await.expect(200);
    }
    let roles = json!({ "roles": ["auditor"] });
    let path = format!("/api/v1/members/{member}/roles");
    let change = nodes[1].request(Method::PUT, &path).header("if-match", "*").json(&roles);
    answer(change).await.expect(200);
    for node in &nodes {
        answer(node.request_as(&token, Method::GET, CLIENTS)).await.expect_problem(403, "permission_denied");
    }
    nodes[2].post(&format!("/api/v1/members/{member}/deactivate"), &json!({})).await.expect(200);
    for node in &nodes {
        answer(node.request_as(&token, Method::GET, CLIENTS)).await.expect(401);
    }
    finish(nodes).await;
}

#[tokio::test]
async fn who_names_a_position_sees_what_was_written_on_another_node() {
    let database = PostgresServer::shared().database().await;
    let nodes = nodes(&database).await;
    for round in 0..30 {
        let (id, created) = nodes[round % NODES].create_client(&format!("Client {round}")).await;
        let position = created.header("muniment-position").to_owned();
        for node in &nodes {
            let list = node.request(Method::GET, &format!("{CLIENTS}?limit=1"));
            let listed = answer(list.header("muniment-position", &position)).await.expect(200);
            assert_eq!(listed.body["items"][0]["client_id"], id, "the newest is the one");
            assert_eq!(node.get(&format!("{CLIENTS}/{id}")).await.status, 200);
        }
    }
    // Of one command that is sent to every node at once under one key, one answer is the doing, the others tell of it.
    let body = tests::client_body("Once");
    let send = |node: &Service| {
        answer(node.request(Method::POST, CLIENTS).header("idempotency-key", "once").json(&body))
    };
    let (one, two, three) = tokio::join!(send(&nodes[0]), send(&nodes[1]), send(&nodes[2]));
    let answers = [one, two, three].map(|answer| answer.expect(201));
    assert!(answers.iter().all(|answer| answer.body["client_id"] == answers[0].body["client_id"]));
    let told = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!(told, NODES - 1);
    finish(nodes).await;
}

#[tokio::test]
async fn without_the_database_nobody_is_let_in_and_with_it_everybody_is_again() {
    let server = PostgresServer::start();
    let database = server.database().await;
    let nodes = nodes(&database).await;
    let (id, created) = nodes[0].create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    for node in &nodes {
        own(node, &id, &secret).await.expect(200);
    }
    server.stop();
    for node in &nodes {
        own(node, &id, &secret).await.expect(503);
        let refused = node.post(CLIENTS, &tests::client_body("Nobody")).await;
        refused.expect_problem(503, "unavailable");
    }
    server.resume();
    for node in &nodes {
        let name = format!("Client of {}", node.base);
        // Connections that were lost are still tried once.
        at_last(async || own(node, &id, &secret).await).await.expect(200);
        at_last(async || node.post(CLIENTS, &tests::client_body(&name)).await).await.expect(201);
    }
    finish(nodes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a1_nodes_under_load_lose_nothing_by_kills_pauses_restarts_and_cuts() {
    let server = PostgresServer::start();
    let database = server.database().await;
    let network = Proxy::start(server.port());
    let mut nodes = vec![Service::start_with_environment(backend::on(&database)).await];
    let cuttable = database.url().replace(&format!(":{}/", server.port()), &format!(":{}/", network.port()));
    nodes.push(nodes[0].join_by(&cuttable).await);
    nodes.push(nodes[0].join().await);
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut load = Load::new(seed);
    for round in 0..8 {
        let workers = load.begin(&nodes.iter().collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(load.random().u64(200..600))).await;
        match round % 4 {
            0 => nodes[2].kill().await,
            1 => {
                nodes[0].signal(Signal::STOP);
                tokio::time::sleep(Duration::from_millis(load.random().u64(100..1_500))).await;
                nodes[0].signal(Signal::CONT);
            }
            2 => {
                if load.random().bool() {
                    server.kill();
                } else {
                    server.stop();
                }
                server.resume();
            }
            _ => {
                network.pause();
                tokio::time::sleep(Duration::from_millis(load.random().u64(50..1_000))).await;
                network.cut();
                network.resume();
            }
        }
        tokio::time::sleep(Duration::from_millis(load.random().u64(200..600))).await;
        workers.end().await;
        if round % 4 == 0 {
            nodes[2].launch().await;
        }
        load.repeat_unanswered(&nodes[1]).await;
        let head = feed(&nodes[0], 0).await.len() as u64;
        for node in &nodes {
            let list = || node.request(Method::GET, &format!("{CLIENTS}?limit=1"));
            at_last(async || answer(list().header("muniment-position", head)).await).await.expect(200);
            load.check_answered(node).await;
        }
    }
    assert!(load.answered().await > 50, "the disturbances met no work");
    println!(
        "{} answered, {} not, {} of those recorded",
        load.answered().await,
        load.unanswered,
        load.recorded_unanswered
    );
    finish(nodes).await;
}

#[tokio::test]
async fn a_node_that_joins_folds_the_log_or_goes_on_from_the_views_of_another() {
    let database = PostgresServer::shared().database().await;
    let mut first = Service::start_with_environment(backend::on(&database)).await;
    for number in 0..20 {
        first.create_client(&format!("Client {number}")).await;
    }
    let second = first.join().await;
    first.stop().await;
    let (id, _) = second.create_client("After").await;
    let copied = second.join_with_views_of(&first, |_| ()).await;
    for node in [&second, &copied] {
        assert_eq!(node.get(&format!("{CLIENTS}/{id}")).await.status, 200);
        let listed = node.get(&format!("{CLIENTS}?limit=500")).await.expect(200);
        assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(21));
    }
    // The one that was stopped catches up, too.
    first.launch().await;
    at_last(async || first.get(&format!("{CLIENTS}/{id}")).await).await.expect(200);
    finish(vec![first, second, copied]).await;
}

#[tokio::test]
async fn a_database_is_migrated_by_its_owner_and_served_by_another() {
    let database = PostgresServer::shared().empty_database();
    let folder = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        let done = muniment(folder.path(), arguments);
        let said =
            format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        (done.status.code(), said)
    };
    let (owner, service) = (database.owner_url(), database.url());
    let serve = |url: &str| run(&["serve", "--data-dir", "data", "--listen", "127.0.0.1:0", "--log", url]);
    let (code, said) = serve(&service);
    assert!(code == Some(1) && said.contains("muniment migrate"), "{said}");
    let migrate = ["migrate", "--json", "--log", &owner];
    let (code, said) = run(&migrate);
    assert!(code == Some(0) && said.contains("0001_create_log"), "{said}");
    assert_eq!(run(&migrate), (Some(0), "{\"application_role\":\"muniment_app\",\"steps\":[]}\n".to_owned()));
    let (code, said) = serve(&owner);
    assert!(code == Some(1) && said.contains("serve with the role"), "{said}");
    let (code, said) = run(&["migrate", "--log", &service]);
    assert!(code == Some(1) && said.contains("permission denied"), "{said}");
    let (code, said) = run(&["migrate", "--data-dir", "data"]);
    assert!(code == Some(1) && said.contains("--log"), "{said}");
    let backup = ["backup", "--to", "to", "--keys-to", "keys", "--log", &service];
    let (code, said) = run(&backup);
    assert!(code == Some(1) && said.contains("docs/deployment.md"), "{said}");
    let node = Service::start_with_environment(backend::on(&database)).await;
    node.create_client("Matter sync").await;
    assert_eq!(node.muniment(["doctor"]).status.code(), Some(0));
    node.finish().await;
}
