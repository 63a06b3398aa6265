//! The service, and the comparison of what it answers and shows with what it should.

use std::{fs, time::Duration};

use proptest_state_machine::StateMachineTest;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::JoinSet};
use uuid::Uuid;

use super::{
    history::{Fault, History, Step},
    registry::{Answered, Change, Client, Command, ENVIRONMENTS, NAMES, Registry, Status, URIS, scopes},
};
use crate::{
    Answer, Service,
    crash::feed,
    http::{answer, try_answer},
};

/// A service that histories are played to. The registry it should be is kept beside it.
pub struct Player {
    service: Option<Service>,
    expected: Registry,
    known: Vec<Known>,
    /// A token of someone who may read the audit and nothing else.
    auditor: String,
    /// What clients should have been at past positions.
    past: Vec<(u64, usize, Client)>,
    runtime: Runtime,
}

/// What only the service could say of a client.
struct Known {
    id: String,
    /// The ids of its secrets, oldest first.
    secrets: Vec<String>,
}

impl StateMachineTest for Player {
    type SystemUnderTest = Self;
    type Reference = History;

    fn init_test(_: &Registry) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (service, auditor) = runtime.block_on(async {
            let service = Service::start_on_a_disk_that_can_fail().await;
            let (_, auditor) = service.create_member("Quiet Auditor", &["auditor"]).await;
            (service, auditor)
        });
        Self {
            service: Some(service),
            expected: Registry::default(),
            known: Vec::new(),
            auditor,
            past: Vec::new(),
            runtime,
        }
    }

    fn apply(mut player: Self, _: &Registry, step: Step) -> Self {
        let runtime = player.runtime.handle().clone();
        runtime.block_on(player.play(&step));
        player
    }

    fn teardown(mut player: Self, _: Registry) {
        let runtime = player.runtime.handle().clone();
        runtime.block_on(player.finish());
    }
}

impl Player {
    fn service(&mut self) -> &mut Service {
        self.service.as_mut().expect("the service is there until the end")
    }

    async fn play(&mut self, step: &Step) {
        match step {
            Step::Do(command) => {
                let should = self.expected.apply(command);
                let answered = answer(self.request(command, &key())).await;
                self.note(command, &answered, should);
            }
            Step::AtOnce(command, times) => {
                let mut should: Vec<_> = (0..*times).map(|_| self.expected.apply(command)).collect();
                let answers = self.at_once(command, (0..*times).map(|_| key())).await;
                let mut answered: Vec<_> = answers.iter().map(|answer| answer.status).collect();
                should.sort_unstable();
                answered.sort_unstable();
                assert_eq!(answered, should.iter().map(|one| one.status).collect::<Vec<_>>(), "{command:?}");
                let done = || answers.iter().filter(|answer| answer.status < 300);
                done().for_each(|answer| self.learn(command, answer));
                // What the client was in between is not known.
                if let Some(last) = done().map(position).max() {
                    self.remember(command, last);
                }
            }
            Step::Repeat(command, times) => {
                let should = self.expected.apply(command);
                let same = key();
                let answers = self.at_once(command, (0..*times).map(|_| same.clone())).await;
                let first = answers.iter().find(|answer| answer.header("idempotent-replayed").is_empty());
                self.note(command, first.unwrap_or(&answers[0]), should);
                if should.slug.is_empty() && command.happens_once() {
                    let positions: Vec<_> =
                        answers.iter().map(|one| one.header("muniment-position")).collect();
                    assert!(
                        positions.windows(2).all(|two| two[0] == two[1]),
                        "it happened once: {positions:?}"
                    );
                }
            }
            Step::Forbidden(command) => {
                let auditor = self.auditor.clone();
                let answered = answer(self.request_as(&auditor, command, &key())).await;
                answered.expect_problem(403, "permission_denied");
            }
            Step::Elsewhere(client, change) => {
                let other = 1 - self.expected.clients[*client].environment;
                let token = self.service().token.clone();
                let answered = answer(self.on(&token, *client, *change, other, &key())).await;
                answered.expect(404);
            }
            Step::KillDuring(command, delay) => {
                let key = key();
                let request = self.request(command, &key);
                let sent = self.runtime.spawn(try_answer(request));
                tokio::time::sleep(Duration::from_millis(u64::from(*delay))).await;
                self.service().kill().await;
                let before = sent.await.expect("a request ends").ok().filter(|answer| answer.status != 503);
                self.service().launch().await;
                self.again(command, &key, before).await;
            }
            Step::FailDuring(command, fault) => {
                let key = key();
                let told = self.service().folder().join(match fault {
                    Fault::Full => "write",
                    Fault::NotDurable => "fsync",
                });
                fs::write(&told, "").expect("the disk can be told to fail");
                let failed = answer(self.request(command, &key)).await;
                fs::remove_file(&told).expect("the disk can be told to work");
                assert!(failed.status == 503 || failed.status < 500, "{}", failed.text);
                self.again(command, &key, Some(failed).filter(|answer| answer.status != 503)).await;
            }
            Step::Restart => {
                self.service().stop().await;
                self.service().launch().await;
            }
            Step::DeleteViews => {
                let views = self.service().data().join("views");
                fs::remove_dir_all(&views).expect("the views can be deleted");
                // Stopped before it notices, a service leaves none behind, and says so: that is another test.
                while !views.join("live").exists() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        if let Some(client) = touched(step, self.known.len()) {
            self.compare(client).await;
        }
    }

    /// A request whose answer may be lost is sent again under its key until the service says what became of it.
    async fn again(&mut self, command: &Command, key: &str, before: Option<Answer>) {
        let should = self.expected.apply(command);
        let mut answered = answer(self.request(command, key)).await;
        for _ in 0..100 {
            if answered.status != 503 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            answered = answer(self.request(command, key)).await;
        }
        if let Some(before) = before {
            assert_eq!(before.status, should.status, "{command:?}: {}", before.text);
            if should.slug.is_empty() && command.happens_once() {
                let positions = [&before, &answered].map(|one| one.header("muniment-position").to_owned());
                assert_eq!(positions[0], positions[1], "it happened once");
            }
        }
        self.note(command, &answered, should);
    }

    async fn at_once(&mut self, command: &Command, keys: impl Iterator<Item = String>) -> Vec<Answer> {
        let mut sent = JoinSet::new();
        for key in keys {
            sent.spawn(answer(self.request(command, &key)));
        }
        sent.join_all().await
    }

    #[track_caller]
    fn note(&mut self, command: &Command, answered: &Answer, should: Answered) {
        assert_eq!(answered.status, should.status, "{command:?}: {}", answered.text);
        if !should.slug.is_empty() {
            assert_eq!(answered.body["type"], format!("urn:muniment:problem:{}", should.slug), "{command:?}");
            return;
        }
        self.learn(command, answered);
        self.remember(command, position(answered));
    }

    /// Keeps what only the service could say: ids.
    fn learn(&mut self, command: &Command, answered: &Answer) {
        if matches!(command, Command::Create { .. }) {
            let id = answered.text_of("/client_id").to_owned();
            self.known.push(Known { id, secrets: Vec::new() });
        }
        let client = self.client_of(command);
        let shown = answered.body.get("client").unwrap_or(&answered.body);
        for secret in shown["secrets"].as_array().into_iter().flatten() {
            let id = secret["id"].as_str().expect("a secret's id").to_owned();
            if !self.known[client].secrets.contains(&id) {
                self.known[client].secrets.push(id);
            }
        }
    }

    /// The client that a command was about; the newest, for one that has just made it.
    fn client_of(&self, command: &Command) -> usize {
        match command {
            Command::Create { .. } => self.known.len() - 1,
            Command::On { client, .. } => *client,
        }
    }

    /// Keeps what the client should be at a position, to look back at in the end.
    fn remember(&mut self, command: &Command, position: u64) {
        let client = self.client_of(command);
        let state = self.expected.clients[client].clone();
        self.past.push((position, client, state));
    }

    fn request(&mut self, command: &Command, key: &str) -> RequestBuilder {
        let token = self.service().token.clone();
        self.request_as(&token, command, key)
    }

    fn request_as(&mut self, token: &str, command: &Command, key: &str) -> RequestBuilder {
        match *command {
            Command::Create { environment, name, scopes: bits, public } => {
                let path = format!("/api/v1/environments/{}/clients", ENVIRONMENTS[environment]);
                let method = if public { "none" } else { "client_secret_basic" };
                let body = json!({
                    "client_name": NAMES[name],
                    "client_type": "standard",
                    "redirect_uris": [URIS[0]],
                    "scope": scopes(bits).collect::<Vec<_>>().join(" "),
                    "contacts": [{ "name": "Ops", "email": "ops@example.com" }],
                    "terms_accepted": "2026-01",
                    "token_endpoint_auth_method": method,
                    "reason": "drawn",
                });
                self.sent(token, Method::POST, &path, key).json(&body)
            }
            Command::On { client, change } => {
                let environment = self.expected.clients[client].environment;
                self.on(token, client, change, environment, key)
            }
        }
    }

    fn on(
        &mut self,
        token: &str,
        client: usize,
        change: Change,
        environment: usize,
        key: &str,
    ) -> RequestBuilder {
        let path =
            format!("/api/v1/environments/{}/clients/{}", ENVIRONMENTS[environment], self.known[client].id);
        let (method, path, body) = match change {
            Change::Rename(name) => (Method::PATCH, path, json!({ "client_name": NAMES[name] })),
            Change::Scopes(bits) => {
                let scope = scopes(bits).collect::<Vec<_>>().join(" ");
                (Method::PATCH, path, json!({ "scope": scope }))
            }
            Change::AddRedirectUri(uri) => {
                (Method::POST, format!("{path}/redirect_uris"), json!({ "redirect_uri": URIS[uri] }))
            }
            Change::RemoveRedirectUri(uri) => {
                (Method::DELETE, format!("{path}/redirect_uris"), json!({ "redirect_uri": URIS[uri] }))
            }
            Change::IssueSecret => (Method::POST, format!("{path}/secrets"), json!({})),
            Change::ReplaceSecrets => {
                (Method::POST, format!("{path}/secrets"), json!({ "overlap_seconds": 0 }))
            }
            Change::OverlapSecrets => {
                (Method::POST, format!("{path}/secrets"), json!({ "overlap_seconds": 86_400 }))
            }
            Change::RevokeSecret { secret, allow_lockout } => {
                let known = self.known[client].secrets.get(secret);
                let id = known.map_or("0000000000000000", String::as_str);
                let path = format!("{path}/secrets/{id}?allow_lockout={allow_lockout}");
                (Method::DELETE, path, json!({}))
            }
            Change::RotateSigningSecret => (Method::POST, format!("{path}/signing_secret"), json!({})),
            Change::RevealSigningSecret => (Method::POST, format!("{path}/reveal"), json!({})),
            Change::Deactivate => (Method::POST, format!("{path}/deactivate"), json!({})),
            Change::Enable => (Method::POST, format!("{path}/enable"), json!({})),
            Change::Delete => (Method::DELETE, path, json!({})),
        };
        self.sent(token, method, &path, key).header("if-match", "*").json(&body)
    }

    fn sent(&mut self, token: &str, method: Method, path: &str, key: &str) -> RequestBuilder {
        self.service().request_as(token, method, path).header("idempotency-key", key)
    }

    /// The client as the views show it once they have seen everything.
    async fn compare(&mut self, client: usize) {
        let expected = self.expected.clients[client].clone();
        let path = format!(
            "/api/v1/environments/{}/clients/{}",
            ENVIRONMENTS[expected.environment], self.known[client].id
        );
        let position = self.past.iter().map(|(position, ..)| *position).max().unwrap_or_default();
        let request = |service: &mut Service| {
            service.request(Method::GET, &path).header("muniment-position", position.to_string())
        };
        let mut shown = answer(request(self.service())).await;
        for _ in 0..100 {
            if shown.status != 503 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            shown = answer(request(self.service())).await;
        }
        if expected.status == Status::Deleted {
            shown.expect_problem(410, "gone");
        } else {
            same(&expected, &shown.expect(200).body);
        }
    }

    async fn finish(&mut self) {
        for client in 0..self.known.len() {
            self.compare(client).await;
        }
        for (position, client, state) in std::mem::take(&mut self.past) {
            let path = format!(
                "/api/v1/environments/{}/clients/{}?at={position}",
                ENVIRONMENTS[state.environment], self.known[client].id
            );
            let shown = self.service().get(&path).await;
            if state.status != Status::Deleted {
                same(&state, &shown.expect(200).body);
            }
        }
        feed(self.service(), 0).await;
        self.service.take().expect("the service is there until the end").finish().await;
    }
}

/// The client that a step may have changed.
fn touched(step: &Step, known: usize) -> Option<usize> {
    match step {
        Step::Do(command)
        | Step::AtOnce(command, _)
        | Step::Repeat(command, _)
        | Step::Forbidden(command)
        | Step::KillDuring(command, _)
        | Step::FailDuring(command, _) => match command {
            Command::Create { .. } => known.checked_sub(1),
            Command::On { client, .. } => Some(*client),
        },
        Step::Elsewhere(client, _) => Some(*client),
        Step::Restart | Step::DeleteViews => known.checked_sub(1),
    }
}

#[track_caller]
fn position(answer: &Answer) -> u64 {
    answer.header("muniment-position").parse().expect("a position on every command")
}

fn key() -> String {
    Uuid::from_u128(fastrand::u128(..)).to_string()
}

#[track_caller]
fn same(expected: &Client, shown: &Value) {
    assert_eq!(shown["client_name"], NAMES[expected.name]);
    let status = if expected.status == Status::Active { "active" } else { "inactive" };
    assert_eq!(shown["status"], status);
    let uris: Vec<_> = expected.redirect_uris.iter().map(|uri| URIS[*uri]).collect();
    assert_eq!(shown["redirect_uris"], json!(uris));
    let scope = shown["scope"].as_str().unwrap_or_default().split(' ').collect();
    assert_eq!(expected.scope(), scope);
    let works: Vec<_> =
        shown["secrets"].as_array().into_iter().flatten().map(|secret| secret["state"] == "active").collect();
    assert_eq!(expected.secrets, works, "{}", shown["secrets"]);
}
