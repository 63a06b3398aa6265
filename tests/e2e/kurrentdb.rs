//! A log on a server of events, by a binary with the client: `--include-ignored` with `MUNIMENT_TEST_LOG=kurrentdb`.

use std::fs::rename;

use serde_json::{Value, json};
use store::testing::{PostgresServer, Proxy};
use tests::{
    Service, backend, client_body,
    http::{CLIENTS, answer, at_last},
    muniment, muniment_with,
};

use crate::migrate_log::{Known, moved_by};

#[tokio::test]
#[ignore = "needs a binary with the client of KurrentDB"]
async fn o1_a_log_is_moved_to_a_server_of_events_to_postgres_and_back_and_is_the_same() {
    let mut service = Service::start_with_environment(Vec::new()).await;
    let known = Known::make(&service).await;
    service.stop().await;
    let place = backend::on_a_new_stream();
    let (url, stream) = (backend::value(&place, backend::LOG_URL), backend::value(&place, backend::STREAM));
    let there =
        ["--from", "embedded:data", "--to", url, "--to-stream", stream, "--to-companion", "embedded:moved"];
    let report = moved_by(service.folder(), &there);
    let again = moved_by(service.folder(), &there);
    assert_eq!((&again["parts"], &again["rows_written"]), (&report["parts"], &json!(0)));

    rename(service.data(), service.folder().join("old")).expect("the old place");
    rename(service.folder().join("moved"), service.data()).expect("the new place");
    service.keep_log_in(place.clone());
    service.launch().await;
    known.is_here(&service).await;
    let (_, created) = service.create_client("Made on the server of events").await;
    let position = created.body["position"].as_u64();
    assert!(position > report["position"].as_u64(), "positions go on: {report}");
    // Killed, not stopped: what it left unsettled is settled before anything is copied.
    service.kill().await;
    service.verify();

    let database = PostgresServer::shared().database().await;
    let owner = database.owner_url();
    let from = ["--from", url, "--from-stream", stream, "--from-companion", "embedded:data"];
    let report = moved_by(service.folder(), &[&from[..], &["--to", &owner]].concat());
    assert!(report["position"].as_u64() >= position, "{report}");
    rename(service.data(), service.folder().join("node")).expect("the old place");
    service.keep_log_in(backend::in_database(&database.url()));
    service.launch().await;
    known.is_here(&service).await;
    let taken = service.post(CLIENTS, &client_body("Made on the server of events")).await;
    taken.expect_problem(409, "taken");
    service.finish().await;
}

#[tokio::test]
#[ignore = "needs a binary with the client of KurrentDB"]
async fn o1_a_log_is_moved_to_several_nodes_on_a_server_of_events_and_back_and_is_the_same() {
    let mut service = Service::start_with_environment(Vec::new()).await;
    let known = Known::make(&service).await;
    service.stop().await;
    let database = PostgresServer::shared().database().await;
    // With the database's companion: what one node of several finds in its environment.
    let place = backend::on(&database);
    let (url, stream) = (backend::value(&place, backend::LOG_URL), backend::value(&place, backend::STREAM));
    let owner = database.owner_url();
    let there = ["--to", url, "--to-stream", stream, "--to-companion", &owner, "--to-node", "moved"];
    let report = moved_by(service.folder(), &[&["--from", "embedded:data"], &there[..]].concat());

    rename(service.data(), service.folder().join("old")).expect("the old place");
    rename(service.folder().join("moved"), service.data()).expect("the new place");
    service.keep_log_in(place.clone());
    service.launch().await;
    known.is_here(&service).await;
    let second = service.join().await;
    known.is_here(&second).await;
    let (_, created) = second.create_client("Made on the second node").await;
    let position = created.body["position"].as_u64();
    assert!(position > report["position"].as_u64(), "positions go on: {report}");
    second.finish().await;
    service.stop().await;
    service.verify();

    let companion = database.url();
    let from =
        ["--from", url, "--from-stream", stream, "--from-companion", &companion, "--from-node", "data"];
    moved_by(service.folder(), &[&from[..], &["--to", "embedded:back"]].concat());
    rename(service.data(), service.folder().join("node")).expect("the node's own files");
    rename(service.folder().join("back"), service.data()).expect("the new place");
    service.keep_log_in(Vec::new());
    service.launch().await;
    known.is_here(&service).await;
    let taken = service.post(CLIENTS, &client_body("Made on the second node")).await;
    taken.expect_problem(409, "taken");
    service.finish().await;
}

#[tokio::test]
#[ignore = "needs a binary with the client of KurrentDB"]
async fn o5_without_the_server_nobody_is_let_in_and_with_it_everybody_is_again() {
    let mut place = backend::on_a_new_stream();
    let url = reqwest::Url::parse(backend::value(&place, backend::LOG_URL)).expect("a URL");
    let network = Proxy::start(url.port().expect("a port"));
    let through = format!("esdb://127.0.0.1:{}?tls=false", network.port());
    place.push((backend::LOG_URL, through.into()));
    let service = Service::start_with_environment(place).await;
    let (id, created) = service.create_client("Matter sync").await;
    let secret = created.text_of("/client_secret").to_owned();
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let own = async || {
        answer(http.get(format!("{}/sandbox/client", service.base)).basic_auth(&id, Some(&secret))).await
    };
    own().await.expect(200);
    for cut in [false, true] {
        network.pause();
        own().await.expect(503);
        let refused = service.post(CLIENTS, &client_body("Nobody")).await;
        refused.expect_problem(503, "unavailable");
        if cut {
            network.cut();
        }
        network.resume();
        at_last(async || own().await).await.expect(200);
        let name = format!("After it came back, {cut}");
        at_last(async || service.post(CLIENTS, &client_body(&name)).await).await.expect(201);
    }
    service.finish().await;
}

#[tokio::test]
#[ignore = "needs a binary with the client of KurrentDB"]
async fn the_check_list_for_a_server_is_run_by_the_doctor() {
    let place = backend::on_a_new_stream();
    let folder = tempfile::tempdir().expect("a directory");
    let url = backend::value(&place, backend::LOG_URL);
    let checked = muniment(folder.path(), ["doctor", "--check-server", "--json", "--log", url]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let checked: Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    let findings = checked["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 11, "{checked}");
    assert!(findings.iter().all(|finding| finding["verdict"] == "good"), "{checked}");
    let gone = ["doctor", "--check-server", "--log", "esdb://ada:hunter2@127.0.0.1:1?tls=false"];
    let refused = muniment(folder.path(), gone);
    let said = format!("{refused:?}");
    assert!(refused.status.code() == Some(10) && !said.contains("hunter2"), "{said}");
    assert!(std::fs::read_dir(folder.path()).expect("a directory").next().is_none(), "nothing was made");
}

/// One stream is one log: neither another directory nor another way of keeping it takes it over.
#[tokio::test]
#[ignore = "needs a binary with the client of KurrentDB"]
async fn a_stream_belongs_to_one_companion_and_a_directory_to_one_kind_of_log() {
    let place = backend::on_a_new_stream();
    let mut service = Service::start_with_environment(place.clone()).await;
    service.create_client("Matter sync").await;
    assert_eq!(service.muniment(["doctor"]).status.code(), Some(0));
    service.stop().await;
    let (url, stream) = (backend::value(&place, backend::LOG_URL), backend::value(&place, backend::STREAM));
    let said = |arguments: &[&str], variables: &[(&str, &str)]| {
        let refused = muniment_with(service.folder(), arguments, variables);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        String::from_utf8_lossy(&refused.stderr).into_owned()
    };
    let listen = ["--listen", "127.0.0.1:0"];
    let serve = |directory| [&["serve", "--data-dir", directory], &listen[..]].concat();
    let on_server = [(backend::LOG_URL, url), (backend::STREAM, stream)];
    let other = said(&serve("other"), &on_server);
    assert!(other.contains("older than the log"), "{other}");
    let embedded = said(&serve("data"), &[]);
    assert!(embedded.contains("companion.db") && embedded.contains("log.url"), "{embedded}");
    let backup = said(&["backup", "--data-dir", "data", "--to", "to", "--keys-to", "keys"], &on_server);
    assert!(backup.contains("docs/kurrentdb.md"), "{backup}");
    let (_, created) = {
        service.launch().await;
        service.create_client("After all that").await
    };
    created.expect(201);
    service.finish().await;
}

#[test]
fn a_build_without_the_client_says_how_to_get_one() {
    let folder = tempfile::tempdir().expect("a directory");
    let url = "esdb://ada:hunter2@127.0.0.1:1?tls=false";
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["doctor", "--check-server"]] {
        let refused = muniment(folder.path(), [command, &["--log", url]].concat());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(said.contains("--features eventstore") && !said.contains("hunter2"), "{said}");
    }
    assert!(std::fs::read_dir(folder.path()).expect("a directory").next().is_none(), "nothing was made");
}
