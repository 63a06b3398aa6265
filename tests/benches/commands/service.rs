//! Our commands in process: what a request does once HTTP has understood it.
//!
//! Each one authorizes, loads its client, decides, seals who asked and why, and appends with a check for conflicts.

use std::{
    io,
    num::NonZeroUsize,
    ops::ControlFlow,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use app::{Actor, App, Context, FirstAdministrator, Parts, Principal, SessionLimits, Source, TokenSink};
use crypto::{ExposeSecret, MasterKey, Personal, SecretString, SystemEntropy};
use domain::{Claim, ClientId, EnvironmentName};
use serde_json::json;
use store::{
    CanonicalJson, ClaimChange, ClaimKey, Commit, DataDirectory, EventLog, ExpectedRevision, Outcome,
    ProposedEvent, SqliteActivity, SqliteKeys, SqliteLog, StreamCommit, StreamName, SystemClock,
};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use crate::{
    append::{Written, written},
    measure::{Caller, Result, Sample, drive},
};

/// Clients that commands are about.
const CLIENTS: u64 = 2_048;
/// Clients that one commit creates.
const CLIENTS_PER_COMMIT: u64 = 256;
const ENVIRONMENT: &str = "sandbox";

/// The write side on files of its own, with [`CLIENTS`] clients in them.
pub struct Service {
    app: App,
    log: Arc<SqliteLog>,
    principal: Principal,
    environment: EnvironmentName,
    clients: Vec<Switched>,
    _directory: TempDir,
}

/// A client, and what became of it so far.
#[derive(Clone, Copy)]
struct Switched {
    client_id: ClientId,
    active: bool,
}

/// Deactivates and enables clients of its own, each in turn.
struct Switching {
    app: App,
    context: Context,
    environment: EnvironmentName,
    clients: Vec<Switched>,
    calls: usize,
}

impl Caller for Switching {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        let turn = self.calls % self.clients.len();
        let Switched { client_id, active } = self.clients[turn];
        self.calls += 1;
        let context = self.context.clone();
        let environment = self.environment.clone();
        if active {
            self.app.deactivate_client(context, environment, client_id).await?;
        } else {
            self.app.enable_client(context, environment, client_id).await?;
        }
        self.clients[turn].active = !active;
        Ok(ControlFlow::Continue(()))
    }
}

/// Keeps the first token in memory.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<SecretString>>>);

impl TokenSink for Kept {
    fn keep(&mut self, token: &SecretString) -> io::Result<()> {
        *self.0.lock().map_err(|_| io::ErrorKind::Other)? = Some(token.clone());
        Ok(())
    }
}

impl Service {
    /// The write side as `muniment serve` puts it together.
    pub async fn open(directory: &Path) -> Result<Self> {
        let folder = tempfile::tempdir_in(directory)?;
        let directory = DataDirectory::open(&folder.path().join("data"))?;
        let log = Arc::new(SqliteLog::open(&directory, Arc::new(SystemClock))?);
        let app = App::open(Parts {
            log: Arc::clone(&log) as Arc<dyn EventLog>,
            activity: Arc::new(SqliteActivity::open(&directory, Arc::new(SystemClock))?),
            keys: Arc::new(SqliteKeys::open(&directory)?),
            master_key: MasterKey::random(&SystemEntropy)?,
            entropy: Arc::new(SystemEntropy),
            commands: Handle::current(),
            argon2_workers: NonZeroUsize::MIN,
            sessions: SessionLimits::default(),
        })
        .await?;
        let host = Context {
            actor: Actor::Host { uid: 0 },
            operation: "Bootstrap",
            environment: None,
            request_id: "benchmark".to_owned(),
            correlation_id: Uuid::nil(),
            source: None,
            reason: None,
            ticket: None,
            idempotency: None,
            malformed: Vec::new(),
        };
        let first = app
            .bootstrap(host, FirstAdministrator::default(), Box::new(Kept::default()))
            .await?
            .ok_or("the log is not empty")?;
        let principal = app.authenticate(first.token.expose_secret()).await?;
        let environment = EnvironmentName::parse(ENVIRONMENT).map_err(|(_, detail)| detail)?;
        for from in (0..CLIENTS).step_by(CLIENTS_PER_COMMIT as usize) {
            log.append(clients_created(from, &environment, &principal)?).await?;
        }
        let clients = (0..CLIENTS).map(|number| Switched { client_id: client_id(number), active: true });
        Ok(Self { app, log, principal, environment, clients: clients.collect(), _directory: folder })
    }

    /// A round, and what it wrote. Each call goes through all of its clients before it comes to one again.
    pub async fn round(&mut self, in_flight: usize, time: Duration) -> Result<(Sample, Written)> {
        let of_caller = self.clients.len().div_ceil(in_flight);
        let callers = self.clients.chunks(of_caller).zip(0..).map(|(clients, caller)| Switching {
            app: self.app.clone(),
            context: self.context(caller),
            environment: self.environment.clone(),
            clients: clients.to_vec(),
            calls: 0,
        });
        let before = self.log.head().await?;
        let (sample, callers) = drive(callers.collect(), time, "self").await?;
        self.clients = callers.into_iter().flat_map(|caller| caller.clients).collect();
        Ok((sample, written(self.log.as_ref(), before)?))
    }

    /// What HTTP makes of a request with a token, a `User-Agent` and a reason.
    fn context(&self, caller: u64) -> Context {
        Context {
            actor: Actor::Member(self.principal.clone()),
            operation: "SwitchClient",
            environment: None,
            request_id: uuid(caller, 8).to_string(),
            correlation_id: uuid(caller, 8),
            source: Some(Source {
                address: Personal::new("203.0.113.7".to_owned()),
                user_agent: Some(Personal::new("billing-worker/4.2.1 (+https://example.com)".to_owned())),
            }),
            reason: Some(Personal::new("the old one was seen in a build log".to_owned())),
            ticket: None,
            idempotency: None,
            malformed: Vec::new(),
        }
    }
}

fn uuid(number: u64, kind: u128) -> Uuid {
    Uuid::from_u128((0x0193 << 112) | (u128::from(number) << 48) | kind)
}

fn client_id(number: u64) -> ClientId {
    ClientId(uuid(number, 1))
}

/// Clients straight into the log: made by commands, each would cost the time of an Argon2 computation.
fn clients_created(from: u64, environment: &EnvironmentName, principal: &Principal) -> Result<Commit> {
    let mut streams = Vec::new();
    let mut claims = Vec::new();
    for number in from..from + CLIENTS_PER_COMMIT {
        let client_name = format!("Client {number}");
        let data = json!({
            "environment": environment,
            "client_name": client_name,
            "client_type": "standard",
            "singleton": false,
            "redirect_uris": ["https://app.example.com/callback"],
            "scope": ["matters:read", "matters:write"],
            "contacts": [uuid(number, 2)],
            "grant_types": ["authorization_code", "client_credentials"],
            "token_endpoint_auth_method": "client_secret_basic",
            "responsible": principal.member,
            "terms_accepted": "2026-01",
            "secret": { "id": format!("sec{number}"), "hint": "mcs_9hT2", "commitment": "A".repeat(43) },
            "signing_secret": { "id": format!("sig{number}"), "commitment": "B".repeat(43) },
        });
        let stream = StreamName::new("client", &client_id(number).to_string())?;
        let Claim { namespace, key } = Claim::client_name(environment, &client_name);
        claims.push(ClaimChange::Take { key: ClaimKey { namespace, key }, stream: stream.clone() });
        streams.push(StreamCommit {
            stream,
            expected: ExpectedRevision::NoStream,
            environment: Some(environment.to_string()),
            responsible: Some(principal.member.to_string()),
            events: vec![ProposedEvent {
                id: uuid(number, 3),
                event_type: "client.created".to_owned(),
                event_version: 1,
                data: CanonicalJson::from_value(&data)?,
                outcome: Outcome::Done,
                private: Vec::new(),
                salt: [7; 16],
            }],
        });
    }
    Ok(Commit {
        command_id: uuid(from, 4),
        correlation_id: uuid(from, 5),
        causation_id: None,
        request_id: "benchmark".to_owned(),
        request_digest: None,
        actor: store::Actor { id: principal.member.to_string(), kind: store::ActorKind::Member, via: None },
        ticket: None,
        streams,
        claims,
        credentials: Vec::new(),
        destroyed_credentials: Vec::new(),
        disclosures: Vec::new(),
        lookup_tokens: Vec::new(),
        forgotten_persons: Vec::new(),
    })
}
