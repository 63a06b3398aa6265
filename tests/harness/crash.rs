//! Killing the service at random moments under mixed commands, and proving that nothing answered is lost and nothing
//! is half there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::Mutex, task::JoinSet};
use uuid::Uuid;

use crate::{
    Service, client_body,
    http::{Answer, CLIENTS, try_answer},
};

/// REST clients at a time.
const WORKERS: usize = 8;
/// Events that are read from the audit feed at a time.
const PAGE: usize = 500;

/// What a run did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// How often the service was killed.
    pub kills: usize,
    /// Commands that were answered as done.
    pub answered: usize,
    /// Commands that the kill left without an answer.
    pub unanswered: usize,
    /// Of those, how many were in the log all the same.
    pub recorded_unanswered: usize,
    /// Commands that a rule refused.
    pub refused: usize,
    /// The log's head at the end.
    pub head: u64,
}

/// One command as its sender knows it.
#[derive(Clone, Debug)]
struct Sent {
    key: String,
    method: Method,
    path: String,
    if_match: bool,
    body: Value,
}

/// A command that was answered as done.
#[derive(Clone, Debug)]
struct Done {
    key: String,
    position: u64,
    client_id: String,
}

#[derive(Default)]
struct Ledger {
    clients: Mutex<Vec<String>>,
    done: Mutex<Vec<Done>>,
    unanswered: Mutex<Vec<Sent>>,
    refused: AtomicUsize,
}

/// Kills the service `kills` times and checks everything after each of them.
pub async fn run(service: &mut Service, kills: usize, seed: u64) -> Tally {
    let mut random = fastrand::Rng::with_seed(seed);
    let ledger = Arc::new(Ledger::default());
    let mut tally = Tally::default();
    for _ in 0..kills {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let (http, base, token) = (service.http.clone(), service.base.clone(), service.token.clone());
            workers.spawn(work(http, base, token, Arc::clone(&ledger), random.fork()));
        }
        tokio::time::sleep(Duration::from_millis(random.u64(5..400))).await;
        service.kill().await;
        while let Some(worker) = workers.join_next().await {
            worker.expect("a worker ends when the service is gone");
        }
        tally.kills += 1;
        service.launch().await;
        check_answered(service, &ledger).await;
        tally.recorded_unanswered += repeat_unanswered(service, &ledger, &mut tally).await;
        service.verify();
    }
    tally.answered = ledger.done.lock().await.len();
    tally.refused = ledger.refused.load(Ordering::Relaxed);
    tally.head = feed(service, 0).await.len() as u64;
    tally
}

/// Sends random commands until the service does not answer any more.
async fn work(
    http: reqwest::Client,
    base: String,
    token: String,
    ledger: Arc<Ledger>,
    mut random: fastrand::Rng,
) {
    loop {
        let sent = next_command(&ledger, &mut random).await;
        match try_answer(request(&http, &base, &token, &sent)).await {
            Ok(answer) => note(&ledger, sent, &answer).await,
            Err(_) => {
                ledger.unanswered.lock().await.push(sent);
                return;
            }
        }
    }
}

fn request(http: &reqwest::Client, base: &str, token: &str, sent: &Sent) -> reqwest::RequestBuilder {
    let mut request = http.request(sent.method.clone(), format!("{base}{}", sent.path)).bearer_auth(token);
    request = request.header("idempotency-key", &sent.key).json(&sent.body);
    if sent.if_match { request.header("if-match", "*") } else { request }
}

async fn next_command(ledger: &Ledger, random: &mut fastrand::Rng) -> Sent {
    let key = Uuid::from_u128(random.u128(..)).to_string();
    let known = ledger.clients.lock().await.clone();
    let client = if known.is_empty() { None } else { random.choice(&known) };
    let reason = json!({ "reason": "crash test" });
    let post = |path: String, body: Value| Sent {
        key: key.clone(),
        method: Method::POST,
        path,
        if_match: false,
        body,
    };
    let Some(client) = client.filter(|_| random.u8(..) > 40) else {
        return post(CLIENTS.to_owned(), client_body(&format!("Crash {key}")));
    };
    let path = format!("{CLIENTS}/{client}");
    match random.u8(0..8) {
        0 => post(format!("{path}/deactivate"), reason),
        1 => post(format!("{path}/enable"), reason),
        2 => post(format!("{path}/secrets"), json!({ "overlap_seconds": 0 })),
        3 => post(format!("{path}/secrets"), json!({ "overlap_seconds": 3_600, "reason": "rotation" })),
        4 if random.u8(..) < 50 => Sent { key, method: Method::DELETE, path, if_match: false, body: reason },
        5 => post(format!("{path}/signing_secret"), reason),
        _ => {
            let body = json!({ "client_name": format!("Renamed {key}"), "reason": "crash test" });
            Sent { key, method: Method::PATCH, path, if_match: true, body }
        }
    }
}

async fn note(ledger: &Ledger, sent: Sent, answer: &Answer) {
    match answer.status {
        200 | 201 | 204 => {
            let client_id =
                match answer.body.pointer("/client_id").or(answer.body.pointer("/client/client_id")) {
                    Some(id) => id.as_str().unwrap_or_default().to_owned(),
                    None => sent.path.rsplit('/').next().unwrap_or_default().to_owned(),
                };
            if sent.path == CLIENTS {
                ledger.clients.lock().await.push(client_id.clone());
            }
            let position = answer.header("muniment-position").parse().expect("a position on every command");
            ledger.done.lock().await.push(Done { key: sent.key, position, client_id });
        }
        404 | 409 | 410 | 412 => {
            ledger.refused.fetch_add(1, Ordering::Relaxed);
        }
        // The kill can also show as an answer that the service could not do it.
        503 => ledger.unanswered.lock().await.push(sent),
        status => panic!("{} {} was answered with {status}: {}", sent.method, sent.path, answer.text),
    }
}

/// Every command that was answered is in the log, at the position that the answer named.
async fn check_answered(service: &Service, ledger: &Ledger) {
    let events = feed(service, 0).await;
    for done in ledger.done.lock().await.iter() {
        let event = &events[done.position as usize - 1];
        assert_eq!(event["position"], done.position, "positions are dense");
        let stream = event["entry"]["stream"].as_str().expect("a stream");
        assert_eq!(stream, format!("client-{}", done.client_id), "command {} is at its position", done.key);
    }
}

/// A command without an answer is sent again under its key: it happens once, whether or not it had happened.
async fn repeat_unanswered(service: &Service, ledger: &Ledger, tally: &mut Tally) -> usize {
    let unanswered = std::mem::take(&mut *ledger.unanswered.lock().await);
    let mut recorded = 0;
    tally.unanswered += unanswered.len();
    for sent in unanswered {
        let repeated = try_answer(request(&service.http, &service.base, &service.token, &sent)).await;
        let repeated = repeated.expect("a started service answers");
        if repeated.header("idempotent-replayed") == "true" {
            recorded += 1;
            assert!(
                repeated.body.get("client_secret").is_none(),
                "a replay shows no secret: {}",
                repeated.text
            );
        }
        note(ledger, sent.clone(), &repeated).await;
        if matches!(repeated.status, 200 | 201 | 204) {
            let again = try_answer(request(&service.http, &service.base, &service.token, &sent)).await;
            let again = again.expect("a started service answers");
            assert_eq!(
                again.header("muniment-position"),
                repeated.header("muniment-position"),
                "it happened once"
            );
        }
    }
    recorded
}

/// The whole audit feed, forward, from a position on.
pub async fn feed(service: &Service, after: u64) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    let mut position = after;
    loop {
        let path = format!("/api/v1/audit/events?order=asc&after={position}&limit={PAGE}");
        let page = service.get(&path).await.expect(200);
        let items = page.body["items"].as_array().expect("items").clone();
        let full = items.len() == PAGE;
        for item in items {
            position += 1;
            assert_eq!(item["position"], position, "positions are dense");
            events.push(item);
        }
        if !full {
            return events;
        }
    }
}
