//! What tests and the benchmark share: a real log in a fresh directory, and made-up histories.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::client::{
    ClientCreated, ClientNameChanged, IssuedSecret, IssuedSigningSecret, RedirectUrisChanged,
    ResponsibleChanged, ScopeChanged, SecretIssued, SecretRevoked, SecretRotated, SigningSecretRevealed,
    Status, StatusChanged,
};
use domain::oauth::{GrantType, RedirectUri, ScopeSet, TokenEndpointAuthMethod};
use domain::{Change, ClientEvent, ClientId, EnvironmentName, Event, MemberId, SecretId};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use store::{
    Actor, ActorKind, CanonicalJson, Commit, DataDirectory, EventLog, ExpectedRevision, ManualClock, Outcome,
    Position, ProposedEvent, SqliteLog, StreamCommit,
};
use tempfile::TempDir;
use uuid::Uuid;

/// A log in a directory of its own, whose clock moves on by a second with every commit.
pub struct TestLog {
    directory: TempDir,
    pub log: Arc<SqliteLog>,
    pub clock: Arc<ManualClock>,
    commits: AtomicU64,
}

/// One event to record, with what an auditor can search by.
#[derive(Clone, Debug)]
pub struct Happening {
    pub stream: String,
    pub event_type: String,
    pub event_version: u32,
    pub data: Value,
    pub actor: String,
    pub environment: Option<String>,
    pub responsible: Option<String>,
    pub ticket: Option<String>,
    pub outcome: Outcome,
}

impl Happening {
    pub fn new(stream: impl Into<String>, event: impl Into<Event>) -> Self {
        let event = event.into();
        let data = event.data().unwrap();
        Self::raw(stream, event.event_type(), event.event_version(), data)
    }

    pub fn raw(stream: impl Into<String>, event_type: &str, event_version: u32, data: Value) -> Self {
        Self {
            stream: stream.into(),
            event_type: event_type.to_owned(),
            event_version,
            data,
            actor: member(1).to_string(),
            environment: Some("sandbox".to_owned()),
            responsible: Some(member(1).to_string()),
            ticket: None,
            outcome: Outcome::Done,
        }
    }

    /// An event of a type that no binary knows.
    pub fn poison(stream: impl Into<String>) -> Self {
        Self::raw(stream, "client.turned_to_stone", 1, serde_json::json!({}))
    }
}

impl TestLog {
    pub fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25Z".parse().unwrap()));
        let log = SqliteLog::open(&DataDirectory::open(directory.path()).unwrap(), clock.clone()).unwrap();
        Self { directory, log: Arc::new(log), clock, commits: AtomicU64::new(0) }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn shared(&self) -> Arc<dyn EventLog> {
        self.log.clone()
    }

    /// Records one event and answers its position.
    pub async fn record(&self, happening: Happening) -> Position {
        self.record_all(vec![happening]).await
    }

    /// Records one event of a client.
    pub async fn client(&self, id: ClientId, event: ClientEvent) -> Position {
        self.record(Happening::new(stream(id), event)).await
    }

    /// Records events in one commit, and answers the position of the last.
    pub async fn record_all(&self, happenings: Vec<Happening>) -> Position {
        self.clock.advance(SignedDuration::from_secs(1));
        let number = self.commits.fetch_add(1, Ordering::SeqCst);
        let first = happenings[0].clone();
        let mut streams: Vec<StreamCommit> = Vec::new();
        for (index, happening) in happenings.into_iter().enumerate() {
            let event = ProposedEvent {
                id: Uuid::from_u64_pair(number, index as u64),
                event_type: happening.event_type,
                event_version: happening.event_version,
                data: CanonicalJson::from_value(&happening.data).unwrap(),
                outcome: happening.outcome,
                private: Vec::new(),
                salt: Uuid::from_u64_pair(number, index as u64).into_bytes(),
            };
            let stream = happening.stream.parse().unwrap();
            if let Some(known) = streams.iter_mut().find(|known| known.stream == stream) {
                known.events.push(event);
            } else {
                streams.push(StreamCommit {
                    stream,
                    expected: ExpectedRevision::Any,
                    environment: happening.environment,
                    responsible: happening.responsible,
                    events: vec![event],
                });
            }
        }
        let commit = Commit {
            command_id: Uuid::from_u64_pair(u64::MAX, number),
            correlation_id: Uuid::from_u64_pair(u64::MAX - 1, number),
            causation_id: None,
            request_id: format!("request-{number}"),
            request_digest: None,
            actor: Actor { id: first.actor, kind: ActorKind::Member, via: None },
            ticket: first.ticket,
            streams,
            claims: Vec::new(),
            credentials: Vec::new(),
            destroyed_credentials: Vec::new(),
            disclosures: Vec::new(),
            lookup_tokens: Vec::new(),
            forgotten_persons: Vec::new(),
        };
        self.log.append(commit).await.unwrap().position
    }

    /// Takes an event out of the log, as only who owns its file can.
    pub fn lose(&self, position: Position) {
        let log = rusqlite::Connection::open(self.path().join("log.db")).unwrap();
        let triggers: Vec<String> = log
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'events'")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
            .unwrap();
        for trigger in triggers {
            log.execute_batch(&format!("DROP TRIGGER \"{trigger}\"")).unwrap();
        }
        let lost = log.execute("DELETE FROM events WHERE position = ?1", [position.get()]).unwrap();
        assert_eq!(lost, 1);
    }

    pub async fn head(&self) -> Position {
        self.log.head().await.unwrap()
    }
}

pub fn client(number: u64) -> ClientId {
    ClientId(Uuid::from_u64_pair(0x0193_0000_0000_7000, number))
}

pub fn member(number: u64) -> MemberId {
    MemberId(Uuid::from_u64_pair(0x0192_0000_0000_7000, number))
}

pub fn stream(id: ClientId) -> String {
    format!("client-{id}")
}

pub fn sandbox() -> EnvironmentName {
    EnvironmentName::parse("sandbox").unwrap()
}

pub fn created(name: &str) -> ClientCreated {
    ClientCreated {
        environment: sandbox(),
        client_name: name.to_owned(),
        client_type: "standard".to_owned(),
        singleton: false,
        redirect_uris: vec![uri("https://app.example.com/callback")],
        scope: ScopeSet::parse("matters:read matters:write", "/scope").unwrap(),
        contacts: Vec::new(),
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        responsible: member(1),
        terms_accepted: "2026-01".to_owned(),
        secret: Some(secret(1)),
        signing_secret: IssuedSigningSecret { id: SecretId("signing1".into()), commitment: commitment(1) },
    }
}

fn commitment(number: u64) -> String {
    format!("{number:043}")
}

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap()
}

pub fn secret(number: u64) -> IssuedSecret {
    IssuedSecret {
        id: secret_id(number),
        label: None,
        hint: format!("mcs_{number:04}"),
        not_before: None,
        expires_at: None,
        commitment: commitment(number),
    }
}

fn secret_id(number: u64) -> SecretId {
    SecretId(format!("secret{number}"))
}

/// Something that may happen to a client that exists; every choice gives another one. Secrets beyond the eighth
/// replace those before, so that a state stays as small as in life.
pub fn happens(choice: u64) -> ClientEvent {
    let number = choice / 10 % 8 + 1;
    let status = |old, new| StatusChanged { status: Change::new(old, new) };
    match choice % 10 {
        0 => ClientEvent::NameChanged(ClientNameChanged {
            client_name: Change::new("before".into(), format!("After {number}")),
        }),
        1 => ClientEvent::RedirectUrisChanged(RedirectUrisChanged {
            redirect_uris: Change::new(
                vec![uri("https://app.example.com/callback")],
                vec![uri(&format!("https://app.example.com/callback/{number}"))],
            ),
        }),
        2 => ClientEvent::ScopeChanged(ScopeChanged {
            scope: Change::new(
                ScopeSet::parse("matters:read matters:write", "/scope").unwrap(),
                ScopeSet::parse("matters:read", "/scope").unwrap(),
            ),
        }),
        3 => ClientEvent::SecretIssued(SecretIssued { secret: secret(number) }),
        4 => ClientEvent::SecretRotated(SecretRotated {
            secret: secret(number),
            overlap_seconds: 0,
            revoked: vec![secret_id(number.saturating_sub(1))],
            expiring: Vec::new(),
        }),
        5 => ClientEvent::SecretRevoked(SecretRevoked { secret_id: secret_id(number), lockout: false }),
        6 => ClientEvent::SigningSecretRevealed(SigningSecretRevealed {
            signing_secret_id: SecretId("signing1".into()),
        }),
        7 => ClientEvent::Deactivated(status(Status::Active, Status::Inactive)),
        8 => ClientEvent::Enabled(status(Status::Inactive, Status::Active)),
        _ => ClientEvent::ResponsibleChanged(ResponsibleChanged {
            responsible: Change::new(member(1), member(number)),
        }),
    }
}

pub fn deleted() -> ClientEvent {
    ClientEvent::Deleted(StatusChanged { status: Change::new(Status::Active, Status::Deleted) })
}

/// The time that the log's commit of this number carries, counted from one, if nobody else moves the clock.
pub fn seconds_after_start(seconds: i64) -> Timestamp {
    Timestamp::from_second("2026-11-20T22:13:25Z".parse::<Timestamp>().unwrap().as_second() + seconds)
        .unwrap()
}

/// Shorter to write than the variant.
pub trait IntoEvent {
    fn into_event(self) -> ClientEvent;
}

impl IntoEvent for ClientCreated {
    fn into_event(self) -> ClientEvent {
        ClientEvent::Created(self)
    }
}
