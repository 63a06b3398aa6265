//! Mixed commands of several REST clients at a time, and what is demanded of each afterwards: what was answered is in the
//! log at the position that the answer named, and what was not happens once when it is sent again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::Mutex, task::JoinSet};
use uuid::Uuid;

use crate::{
    Service, client_body,
    http::{Answer, CLIENTS, at_last, try_answer},
};

/// REST clients at a time.
const WORKERS: usize = 8;
/// Events that are read from the audit feed at a time.
const PAGE: usize = 500;
/// Before a command is sent again that could not be done.
const PAUSE: Duration = Duration::from_millis(20);
/// Before another command is sent after one that could not be done: each of them is sent again afterwards, one by one.
const LONG_PAUSE: Duration = Duration::from_millis(250);
/// How often a command is sent again to a service that comes back.
const MOST_REPEATS: u32 = 1_500;

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

/// Everything that was sent, and what became of it.
pub struct Load {
    ledger: Arc<Ledger>,
    random: fastrand::Rng,
    /// Commands that were left without an answer.
    pub unanswered: usize,
    /// Of those, how many were in the log all the same.
    pub recorded_unanswered: usize,
}

/// REST clients at work.
pub struct Workers {
    stop: Arc<AtomicBool>,
    workers: JoinSet<()>,
}

impl Load {
    /// Nothing was sent yet; the same commands are drawn for the same seed.
    pub fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { ledger: Arc::default(), random, unanswered: 0, recorded_unanswered: 0 }
    }

    /// A number for whoever disturbs the service.
    pub fn random(&mut self) -> &mut fastrand::Rng {
        &mut self.random
    }

    /// Sends random commands to these nodes until the workers are told to stop.
    pub fn begin(&mut self, nodes: &[&Service]) -> Workers {
        let (stop, mut workers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for number in 0..WORKERS {
            let node = nodes[number % nodes.len()];
            let sender = (node.http.clone(), node.base.clone(), node.token.clone());
            workers.spawn(work(sender, Arc::clone(&self.ledger), self.random.fork(), Arc::clone(&stop)));
        }
        Workers { stop, workers }
    }

    /// How many commands were answered as done.
    pub async fn answered(&self) -> usize {
        self.ledger.done.lock().await.len()
    }

    /// How many commands a rule refused.
    pub fn refused(&self) -> usize {
        self.ledger.refused.load(Ordering::Relaxed)
    }

    /// Every command that was answered is in the log, at the position that the answer named.
    pub async fn check_answered(&self, node: &Service) {
        let events = feed(node, 0).await;
        for done in self.ledger.done.lock().await.iter() {
            let event = &events[done.position as usize - 1];
            assert_eq!(event["position"], done.position, "positions are dense");
            let stream = event["entry"]["stream"].as_str().expect("a stream");
            assert_eq!(
                stream,
                format!("client-{}", done.client_id),
                "command {} is at its position",
                done.key
            );
        }
    }

    /// A command without an answer is sent again under its key: it happens once, whether or not it had happened.
    pub async fn repeat_unanswered(&mut self, node: &Service) {
        let unanswered = std::mem::take(&mut *self.ledger.unanswered.lock().await);
        self.unanswered += unanswered.len();
        for sent in unanswered {
            let repeated = repeat(node, &sent).await;
            if repeated.header("idempotent-replayed") == "true" {
                self.recorded_unanswered += 1;
                assert!(
                    repeated.body.get("client_secret").is_none(),
                    "a replay shows no secret: {}",
                    repeated.text
                );
            }
            note(&self.ledger, sent.clone(), &repeated).await;
            if matches!(repeated.status, 200 | 201 | 204) {
                let again = repeat(node, &sent).await;
                assert_eq!(
                    again.header("muniment-position"),
                    repeated.header("muniment-position"),
                    "it happened once"
                );
            }
        }
    }
}

impl Workers {
    /// Tells them to stop, and waits until the last request has ended.
    pub async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(worker) = self.workers.join_next().await {
            worker.expect("a worker fails at nothing but an answer that should not be");
        }
    }
}

async fn work(
    (http, base, token): (reqwest::Client, String, String),
    ledger: Arc<Ledger>,
    mut random: fastrand::Rng,
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::Relaxed) {
        let sent = next_command(&ledger, &mut random).await;
        match try_answer(request(&http, &base, &token, &sent)).await {
            Ok(answer) if answer.status != 503 => note(&ledger, sent, &answer).await,
            Ok(_) | Err(_) => {
                ledger.unanswered.lock().await.push(sent);
                tokio::time::sleep(LONG_PAUSE).await;
            }
        }
    }
}

/// Sends a command again until it is answered with more than that it cannot be now.
async fn repeat(node: &Service, sent: &Sent) -> Answer {
    for _ in 0..MOST_REPEATS {
        match try_answer(request(&node.http, &node.base, &node.token, sent)).await {
            Ok(answer) if answer.status != 503 => return answer,
            Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    panic!("{} {} was not answered for half a minute", sent.method, sent.path);
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
        status => panic!("{} {} was answered with {status}: {}", sent.method, sent.path, answer.text),
    }
}

/// The whole audit feed, forward, from a position on.
pub async fn feed(service: &Service, after: u64) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    let mut position = after;
    loop {
        let path = format!("/api/v1/audit/events?order=asc&after={position}&limit={PAGE}");
        let page = at_last(async || service.get(&path).await).await.expect(200);
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
