//! The service, and the comparison of what it answers and shows with what it should.

use std::{collections::HashMap, fs, time::Duration};

use crypto::Presented;
use proptest_state_machine::StateMachineTest;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::JoinSet};
use uuid::Uuid;

use super::{
    command::{Command, Role},
    history::{Fault, History, Step, Use},
    registry::{Answered, Client, ENVIRONMENTS, Member, NAMES, Registry, Status, URIS},
};
use crate::{
    Answer, Service,
    http::{answer, try_answer},
    load::feed,
};

/// A service that histories are played to. The registry it should be is kept beside it.
pub struct Player {
    service: Option<Service>,
    pub(super) expected: Registry,
    pub(super) known: Vec<Known>,
    pub(super) members: Vec<KnownMember>,
    /// The id of the first administrator.
    first: String,
    /// A position that the views must have seen before they are compared.
    seen: u64,
    /// What clients should have been at past positions.
    past: Vec<(u64, usize, Client)>,
    runtime: Runtime,
}

/// What only the service could say of a client.
pub(super) struct Known {
    pub(super) id: String,
    /// The ids of its secrets, oldest first.
    pub(super) secrets: Vec<String>,
    /// What each secret is, by its id: whatever answer was lost, its secret is.
    texts: HashMap<String, String>,
    /// How often it authenticated.
    uses: usize,
}

pub(super) struct KnownMember {
    pub(super) id: String,
    token: String,
}

impl StateMachineTest for Player {
    type SystemUnderTest = Self;
    type Reference = History;

    fn init_test(_: &Registry) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (service, first) = runtime.block_on(async {
            let service = Service::start_on_a_disk_that_can_fail().await;
            let first = service.get("/api/v1/me").await.expect(200).text_of("/member_id").to_owned();
            (service, first)
        });
        Self {
            service: Some(service),
            expected: Registry::default(),
            known: Vec::new(),
            members: Vec::new(),
            first,
            seen: 0,
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
    pub(super) fn service(&mut self) -> &mut Service {
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
            Step::Enrol(role) => self.enrol(*role).await,
            Step::By(member, command) => {
                let should = self.expected.apply_by(*member, command);
                let token = self.members[*member].token.clone();
                let answered = answer(self.request_as(&token, command, &key())).await;
                self.note(command, &answered, should);
            }
            Step::Authenticate(a_use) => self.authenticate(*a_use).await,
            Step::AuthenticateAndKill(a_use) => {
                self.authenticate(*a_use).await;
                self.service().kill().await;
                self.service().launch().await;
            }
            Step::ReportLeaked { client, secret } => self.report_leaked(*client, *secret).await,
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

    async fn enrol(&mut self, role: Role) {
        let name = format!("Drawn Member {}", self.members.len());
        let (id, token) = self.service().create_member(&name, &[role.name()]).await;
        self.members.push(KnownMember { id, token });
        self.expected.members.push(Member::new(role));
    }

    async fn authenticate(&mut self, Use { client, secret, elsewhere }: Use) {
        let Some(text) = self.text(client, secret) else { return };
        let at_home = self.expected.clients[client].environment;
        let environment = ENVIRONMENTS[if elsewhere { 1 - at_home } else { at_home }];
        let url = format!("{}/{environment}/client", self.service().base);
        let id = self.known[client].id.clone();
        let answered = answer(reqwest::Client::new().get(url).basic_auth(id, Some(text))).await;
        let works = !elsewhere && self.expected.authenticates(client, secret);
        let should = if works { 200 } else { 401 };
        assert_eq!(answered.status, should, "secret {secret} of client {client}: {}", answered.text);
        self.known[client].uses += usize::from(works);
    }

    async fn report_leaked(&mut self, client: usize, secret: usize) {
        let Some(text) = self.text(client, secret) else { return };
        self.expected.report_leaked(client, secret);
        let url = format!("{}/api/v1/leaked_secrets", self.service().base);
        // Without a token: whoever finds a secret has none.
        let report = reqwest::Client::new().post(url).json(&json!({ "secrets": [text] }));
        answer(report).await.expect(202);
        // The answer does not say what came of it, a position included.
        let views = self.service().get("/api/v1/projections").await.expect(200);
        self.seen = views.body["items"][0]["head"].as_u64().expect("the end of the log");
    }

    fn text(&self, client: usize, secret: usize) -> Option<String> {
        let Known { secrets, texts, .. } = &self.known[client];
        texts.get(secrets.get(secret)?).cloned()
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
            self.known.push(Known { id, secrets: Vec::new(), texts: HashMap::new(), uses: 0 });
        }
        let Some(client) = self.client_of(command) else { return };
        let shown = answered.body.get("client").unwrap_or(&answered.body);
        for secret in shown["secrets"].as_array().into_iter().flatten() {
            let id = secret["id"].as_str().expect("a secret's id").to_owned();
            if !self.known[client].secrets.contains(&id) {
                self.known[client].secrets.push(id);
            }
        }
        if let Some(text) = answered.body["client_secret"].as_str() {
            let id = Presented::parse(text).expect("a secret").id().as_str().to_owned();
            self.known[client].texts.insert(id, text.to_owned());
        }
    }

    /// The client that a command was about; the newest, for one that has just made it.
    fn client_of(&self, command: &Command) -> Option<usize> {
        match command {
            Command::Create { .. } => self.known.len().checked_sub(1),
            Command::On { client, .. } => Some(*client),
            Command::Scope { .. } | Command::ClientType { .. } | Command::Member { .. } => None,
        }
    }

    /// Keeps what the client should be at a position, to look back at in the end.
    fn remember(&mut self, command: &Command, position: u64) {
        self.seen = self.seen.max(position);
        let Some(client) = self.client_of(command) else { return };
        let state = self.expected.clients[client].clone();
        self.past.push((position, client, state));
    }

    /// The client as the views show it once they have seen everything.
    async fn compare(&mut self, client: usize) {
        let expected = self.expected.clients[client].clone();
        let path = format!(
            "/api/v1/environments/{}/clients/{}",
            ENVIRONMENTS[expected.environment], self.known[client].id
        );
        let position = self.seen;
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
            self.same(&expected, &shown.expect(200).body);
        }
    }

    #[track_caller]
    fn same(&self, expected: &Client, shown: &Value) {
        assert_eq!(shown["client_name"], NAMES[expected.name]);
        let status = if expected.status == Status::Active { "active" } else { "inactive" };
        assert_eq!(shown["status"], status);
        let responsible = expected.responsible.map_or(&self.first, |member| &self.members[member].id);
        assert_eq!(shown["responsible"], **responsible);
        assert_eq!(shown["payload_encryption"], expected.payload_encryption);
        let uris: Vec<_> = expected.redirect_uris.iter().map(|uri| URIS[*uri]).collect();
        assert_eq!(shown["redirect_uris"], json!(uris));
        let scope = shown["scope"].as_str().unwrap_or_default().split(' ').collect();
        assert_eq!(expected.scope(), scope);
        let works: Vec<_> = shown["secrets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|secret| secret["state"] == "active")
            .collect();
        assert_eq!(expected.secrets, works, "{}", shown["secrets"]);
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
                self.same(&state, &shown.expect(200).body);
            }
        }
        for client in 0..self.known.len() {
            let Known { id, uses, .. } = &self.known[client];
            let (path, uses) = (format!("/api/v1/activity?client={id}&outcome=done&limit=500"), *uses);
            let listed = self.service().get(&path).await.expect(200);
            assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(uses), "{}", listed.text);
        }
        feed(self.service(), 0).await;
        self.service.take().expect("the service is there until the end").finish().await;
    }
}

/// The client that a step may have changed.
fn touched(step: &Step, known: usize) -> Option<usize> {
    let command = match step {
        Step::Do(command)
        | Step::AtOnce(command, _)
        | Step::Repeat(command, _)
        | Step::By(_, command)
        | Step::KillDuring(command, _)
        | Step::FailDuring(command, _) => command,
        Step::ReportLeaked { client, .. } | Step::Elsewhere(client, _) => return Some(*client),
        Step::Authenticate(a_use) | Step::AuthenticateAndKill(a_use) => return Some(a_use.client),
        Step::Enrol(_) | Step::Restart | Step::DeleteViews => return known.checked_sub(1),
    };
    match command {
        Command::On { client, .. } => Some(*client),
        Command::Create { .. }
        | Command::Scope { .. }
        | Command::ClientType { .. }
        | Command::Member { .. } => known.checked_sub(1),
    }
}

#[track_caller]
fn position(answer: &Answer) -> u64 {
    answer.header("muniment-position").parse().expect("a position on every command")
}

fn key() -> String {
    Uuid::from_u128(fastrand::u128(..)).to_string()
}
