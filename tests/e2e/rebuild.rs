//! Rebuilding the views of a running service: nobody who reads or writes notices, whatever becomes of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use rusqlite::Connection;
use serde_json::{Value, json};
use tests::{
    Service,
    http::{Answer, CLIENTS, answer, try_answer},
};
use tokio::task::JoinSet;

const REBUILD: &str = "/api/v1/projections/rebuild";

/// The views files, without what SQLite keeps beside them.
fn views_files(service: &Service) -> Vec<String> {
    let names = std::fs::read_dir(service.data().join("views")).expect("the views");
    let names = names.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".db")).collect()
}

fn position(answer: &Answer) -> u64 {
    answer.header("muniment-position").parse().expect("a position")
}

/// Reads until told to stop: every read succeeds, and none shows less than the one before.
async fn read_on(requests: [reqwest::RequestBuilder; 2], stopped: Arc<AtomicBool>) -> usize {
    let (mut seen, mut named, mut reads) = (0, 0, 0);
    while !stopped.load(Ordering::Relaxed) {
        let [list, status] = &requests;
        let listed = answer(list.try_clone().expect("a request without a body")).await.expect(200);
        assert!(position(&listed) >= seen, "{} after {seen}", position(&listed));
        seen = position(&listed);
        let here = listed.body["items"].as_array().map_or(0, Vec::len);
        assert!(here >= named, "{here} clients after {named}");
        named = here;
        let status = answer(status.try_clone().expect("a request without a body")).await.expect(200);
        for view in status.body["items"].as_array().expect("views") {
            assert!(
                view["position"].as_u64() >= Some(seen) || view["name"] != "clients",
                "{view} after {seen}"
            );
        }
        reads += 1;
    }
    reads
}

#[tokio::test]
async fn a8_a_rebuild_under_load_fails_no_read_and_none_goes_back() {
    let service = Arc::new(Service::start().await);
    let (id, _) = service.create_client("Matter sync").await;
    let before = views_files(&service);
    let stopped = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..3 {
        let list = service.request(Method::GET, &format!("{CLIENTS}?limit=500"));
        let status = service.request(Method::GET, "/api/v1/projections");
        readers.spawn(read_on([list, status], Arc::clone(&stopped)));
    }
    let mut writers = JoinSet::new();
    for number in 0..2 {
        let (service, stopped, id) = (Arc::clone(&service), Arc::clone(&stopped), id.clone());
        writers.spawn(async move {
            let mut written = 0;
            while !stopped.load(Ordering::Relaxed) {
                let created = service.create_client(&format!("Client {number}.{written}")).await.1;
                // What was answered can be read at once: the file that is read has it.
                let read = service.get(created.header("location")).await.expect(200);
                assert!(position(&read) >= position(&created));
                let label = json!({ "label": format!("{number}.{written}"), "overlap_seconds": 0 });
                service.post(&format!("{CLIENTS}/{id}/secrets"), &label).await.expect(201);
                written += 1;
            }
            written
        });
    }
    for _ in 0..8 {
        let rebuilt = service.post(REBUILD, &json!({ "reason": "rehearsal" })).await.expect(200);
        let views = rebuilt.body["views"].as_array().expect("views");
        assert!(
            views.iter().all(|view| view["from"].is_string() && view["from"] == view["to"]),
            "{rebuilt:?}"
        );
        assert_eq!(rebuilt.body["differences"], json!([]));
    }
    stopped.store(true, Ordering::Relaxed);
    assert!(readers.join_all().await.into_iter().all(|reads| reads > 0));
    assert!(writers.join_all().await.into_iter().all(|written| written > 0));
    let after = views_files(&service);
    assert!(after.len() == 1 && after != before, "{after:?}");
    let events = service.get("/api/v1/audit/events?type=views.rebuilt").await.expect(200);
    assert_eq!(events.body["items"].as_array().map(Vec::len), Some(8));
    Arc::into_inner(service).expect("nobody else uses it any more").finish().await;
}

#[tokio::test]
async fn a8_a_difference_is_named_counted_and_recorded_and_the_log_wins() {
    let service = Service::start().await;
    let (id, created) = service.create_client("Matter sync").await;
    let live = service.data().join("views").join(views_files(&service).remove(0));
    let forged = Connection::open(live).expect("the views");
    forged
        .execute("UPDATE clients SET status = 'inactive' WHERE client_id = ?1", [&id])
        .expect("a forged row");
    drop(forged);
    let ask = || service.request(Method::POST, REBUILD).header("idempotency-key", "k").json(&json!({}));
    let rebuilt = answer(ask()).await.expect(200);
    assert_eq!(rebuilt.body["differences"], json!([{ "view": "clients", "table": "clients", "key": id }]));
    let clients = &rebuilt.body["views"][0];
    assert_eq!((&clients["name"], &clients["differing_rows"]), (&json!("clients"), &json!(1)));
    assert_ne!(clients["from"], clients["to"]);
    assert!(service.stderr().contains("a view was not what its log says"), "{}", service.stderr());
    let metrics = service.get("/metrics").await.expect(200).text;
    assert!(metrics.contains("views_rebuilds_total{result=\"differed\"} 1"), "{metrics}");
    let listed = service.get(&format!("{CLIENTS}?status=active")).await.expect(200);
    assert_eq!(listed.body["items"][0]["client_id"], id);
    assert!(position(&listed) > position(&created));

    let event = service.get(&format!("/api/v1/audit/events/{}", position(&rebuilt))).await.expect(200);
    assert_eq!(event.body["entry"]["type"], "views.rebuilt", "{}", event.text);
    assert_eq!(event.body["entry"]["data"]["views"], rebuilt.body["views"]);
    let again = answer(ask()).await.expect(200);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!((&again.body["views"], position(&again)), (&rebuilt.body["views"], position(&rebuilt)));

    let (_, manager) = service.create_member("Mary Manager", &["integration_manager"]).await;
    let refused = service.request_as(&manager, Method::POST, REBUILD).json(&json!({}));
    answer(refused).await.expect_problem(403, "permission_denied");
    service.finish().await;
}

#[tokio::test]
async fn a8_killed_in_the_middle_of_a_rebuild_the_old_views_serve_and_nothing_is_left_over() {
    let mut service = Service::start().await;
    for number in 0..5 {
        service.create_client(&format!("Client {number}")).await;
    }
    let before = service.get(CLIENTS).await.expect(200);
    for round in 0..6 {
        let mut rebuild = JoinSet::new();
        rebuild.spawn(try_answer(service.request(Method::POST, REBUILD).json(&json!({}))));
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        service.kill().await;
        rebuild.join_all().await;
        service.launch().await;
        let files = views_files(&service);
        assert_eq!(files.len(), 1, "{files:?}");
        let after: Value = service.get(CLIENTS).await.expect(200).body;
        assert_eq!(after, before.body);
        service.verify();
    }
    service.finish().await;
}
