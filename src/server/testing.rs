//! A server on a log of its own, for the tests of this crate.

use std::{num::NonZeroUsize, sync::Arc};

use app::{Actor, App, Context, FirstAdministrator, Parts, SessionLimits, TokenSink};
use crypto::{ExposeSecret, MasterKey, SecretString, SystemEntropy};
use projections::Views;
use reqwest::{Method, RequestBuilder, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use store::{DataDirectory, EventLog, SqliteActivity, SqliteKeys, SqliteLog, SystemClock};
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{Metrics, Server, ServerConfig, Settings};

/// Where the sandbox's clients are.
pub(crate) const CLIENTS: &str = "/api/v1/environments/sandbox/clients";

/// A server that runs as long as the test does.
pub(crate) struct Served {
    pub(crate) base: String,
    pub(crate) token: String,
    pub(crate) views: Arc<Views>,
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

struct Nowhere;

impl TokenSink for Nowhere {
    fn keep(&mut self, _token: &SecretString) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a test against a server of its own, and stops it.
pub(crate) async fn serve(test: impl AsyncFnOnce(Served)) {
    let folder = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(&folder.path().join("data")).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&directory, Arc::new(SystemClock)).unwrap());
    let app = App::open(Parts {
        log: Arc::clone(&log),
        activity: Arc::new(SqliteActivity::open(&directory, Arc::new(SystemClock)).unwrap()),
        keys: Arc::new(SqliteKeys::open(&directory).unwrap()),
        master_key: MasterKey::random(&SystemEntropy).unwrap(),
        entropy: Arc::new(SystemEntropy),
        commands: Handle::current(),
        argon2_workers: NonZeroUsize::MIN,
        sessions: SessionLimits::default(),
    })
    .await
    .unwrap();
    let first =
        app.bootstrap(host(), FirstAdministrator::default(), Box::new(Nowhere)).await.unwrap().unwrap();
    let views = Arc::new(Views::open(directory.path(), log).unwrap());
    views.start().unwrap();
    let config = ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        workers: Some(NonZeroUsize::MIN),
        client_timeout_seconds: 1,
        ..ServerConfig::default()
    };
    let server = Server::bind(
        Settings { server: config, ..Settings::default() },
        None,
        None,
        app,
        Arc::clone(&views),
        Metrics::new(),
    )
    .unwrap();
    let served = Served {
        base: format!("http://{}", server.address().unwrap()),
        token: first.token.expose_secret().to_owned(),
        views,
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
    };
    server.run_until(test(served)).await.unwrap();
}

fn host() -> Context {
    Context {
        actor: Actor::Host { uid: 0 },
        operation: "Test",
        environment: None,
        request_id: "test".into(),
        correlation_id: Uuid::nil(),
        source: None,
        reason: None,
        ticket: None,
        idempotency: None,
        malformed: Vec::new(),
    }
}

/// A body that creates a client.
pub(crate) fn client(client_name: &str) -> Value {
    json!({
        "client_name": client_name, "client_type": "standard", "redirect_uris": ["https://app.example.com/callback"],
        "scope": "matters:read matters:write", "contacts": [{ "name": "Ops", "email": "ops@example.com" }],
        "terms_accepted": "2026-01", "reason": "first integration",
    })
}

impl Served {
    /// A request without a token.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// A request with the first admin's token.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// A new client; answers its path.
    pub(crate) async fn create(&self, client_name: &str) -> String {
        let created = self.post(CLIENTS, &client(client_name)).await.expect(201);
        format!("{CLIENTS}/{}", created.body["client_id"].as_str().unwrap())
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, slug: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.body["type"], format!("urn:muniment:problem:{slug}"));
        assert_eq!(answer.body["status"], status);
        assert_eq!(answer.body["request_id"], answer.header("x-request-id"));
        answer
    }

    /// Place and rule of each error.
    pub(crate) fn broken(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let place = |error: &Value| {
            ["pointer", "parameter", "header"].iter().find_map(|kind| error.get(kind)).map(text)
        };
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| (place(error).unwrap_or_default(), text(&error["rule"]))).collect()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Answer { status, headers, body, text }
}
