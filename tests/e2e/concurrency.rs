//! Races: one wins, and the others hear what happened.

use reqwest::Method;
use serde_json::json;
use tests::{
    Service, client_body,
    http::{CLIENTS, answer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

#[tokio::test]
async fn l5_two_admins_edit_one_client_and_one_hears_what_changed() {
    let service = Service::start().await;
    let (other_id, other) = service.create_member("Other Admin", &["integration_manager"]).await;
    let (id, _) = service.create_client("Matter sync").await;
    let client = format!("{CLIENTS}/{id}");
    let edit = |token: String, name: &str| {
        let request = service.request_as(&token, Method::PATCH, &client).header("if-match", "\"1\"");
        answer(request.json(&json!({ "client_name": name })))
    };
    let (mine, theirs) = tokio::join!(edit(service.token.clone(), "Mine"), edit(other.clone(), "Theirs"));
    let (winner, loser) = if mine.status == 200 { (mine, theirs) } else { (theirs, mine) };
    winner.clone().expect(200);
    let lost = loser.expect_problem(412, "precondition_failed");
    assert_eq!(lost.body["current_revision"], 2);
    let changed = &lost.body["changed"][0];
    assert_eq!(changed["revision"], 2);
    assert_eq!(changed["type"], "client.name_changed");
    assert_eq!(changed["data"]["client_name"]["new"], winner.body["client_name"]);
    let me = service.get("/api/v1/me").await.text_of("/member_id").to_owned();
    let actor = changed["actor"].as_str().or(changed["actor"]["id"].as_str()).expect("who changed it");
    assert!(actor == me || actor == other_id);
    service.finish().await;
}

#[tokio::test]
async fn o3_64_concurrent_creates_of_one_name_make_one_client() {
    let service = Service::start().await;
    let mut requests = JoinSet::new();
    for number in 0..64 {
        let name = if number % 2 == 0 { "Matter Sync" } else { "matter  sync" };
        requests.spawn(answer(service.request(Method::POST, CLIENTS).json(&client_body(name))));
    }
    let answers = requests.join_all().await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let taken = answers.iter().filter(|answer| answer.status == 409).count();
    assert_eq!(
        (created, taken),
        (1, 63),
        "{:?}",
        answers.iter().map(|answer| answer.status).collect::<Vec<_>>()
    );
    let listed = service.get(CLIENTS).await.expect(200);
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));
    service.finish().await;
}

#[tokio::test]
async fn a1_a_client_that_hangs_up_loses_and_doubles_nothing() {
    let service = Service::start().await;
    let address = service.base.trim_start_matches("http://").to_owned();
    const SENT: usize = 20;
    for number in 0..SENT {
        let body = client_body(&format!("Hang-up {number}")).to_string();
        let request = format!(
            "POST {CLIENTS} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nIdempotency-Key: hang-up-{number}\r\nContent-Length: {}\r\n\r\n{body}",
            service.token,
            body.len()
        );
        let mut socket = TcpStream::connect(&address).await.expect("a connection");
        socket.write_all(request.as_bytes()).await.expect("a request");
        // A zero linger time turns the close into a reset; some are sent while the command runs, some before it is read.
        if number % 3 == 0 {
            let mut first = [0; 1];
            let _ = tokio::time::timeout(
                std::time::Duration::from_millis(number as u64),
                socket.read(&mut first),
            )
            .await;
        }
        socket.set_zero_linger().expect("a reset on close");
        drop(socket);
    }
    // Each one again under its key: whether it had happened or not, there is exactly one of it.
    for number in 0..SENT {
        let request =
            service.request(Method::POST, CLIENTS).header("idempotency-key", format!("hang-up-{number}"));
        answer(request.json(&client_body(&format!("Hang-up {number}")))).await.expect(201);
    }
    let listed = service.get(&format!("{CLIENTS}?limit=500")).await.expect(200);
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(SENT));
    service.finish().await;
}
