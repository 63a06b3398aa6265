//! The write side in process, on a real log: what HTTP cannot reach or show.

mod answers;
mod authentication;
mod meanwhile;
mod nodes;
mod persons;
mod registration;
mod sign_in;
mod unsure;
mod vault;

use std::{
    num::NonZeroUsize,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crypto::{ExposeSecret, MasterKey, Personal, SecretString, SeededEntropy};
use domain::{
    ClientId, EnvironmentName, Permission,
    client::ClientDraft,
    environment::{ChangePolicy, PolicyDraft, ReasonRequired},
    oauth::RedirectRule,
};
use jiff::{SignedDuration, Timestamp};
use store::{
    DataDirectory, EventLog, KeyStore, ManualClock, Position, Revision, SqliteActivity, SqliteKeys,
    SqliteLog, StreamName, TokenPage,
};
use tempfile::TempDir;
use tokio::runtime::Handle;
use uuid::Uuid;

use self::unsure::Unsure;
use super::*;

/// One instance in a directory of its own.
struct Node {
    app: App,
    log: Arc<SqliteLog>,
    keys: Arc<SqliteKeys>,
    activity: Arc<SqliteActivity>,
    clock: Arc<ManualClock>,
    token: SecretString,
    folder: TempDir,
}

/// Keeps what it is given, as a file would.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl TokenSink for Kept {
    fn keep(&mut self, token: &SecretString) -> std::io::Result<()> {
        self.0.lock().expect("a lock").push(token.expose_secret().to_owned());
        Ok(())
    }
}

struct Full;

impl TokenSink for Full {
    fn keep(&mut self, _token: &SecretString) -> std::io::Result<()> {
        Err(std::io::ErrorKind::StorageFull.into())
    }
}

fn master_key() -> MasterKey {
    MasterKey::random(&SeededEntropy::new(7)).expect("a key")
}

async fn open(
    folder: &TempDir,
    clock: &Arc<ManualClock>,
) -> (App, Arc<SqliteLog>, Arc<SqliteKeys>, Arc<SqliteActivity>) {
    let directory = DataDirectory::open(&folder.path().join("data")).expect("a directory");
    let log =
        Arc::new(SqliteLog::open(&directory, Arc::clone(clock) as Arc<dyn store::Clock>).expect("a log"));
    let keys = Arc::new(SqliteKeys::open(&directory).expect("keys"));
    let activity = Arc::clone(clock) as Arc<dyn store::Clock>;
    let activity = Arc::new(SqliteActivity::open(&directory, activity).expect("an activity log"));
    let app = app_on(Arc::clone(&log) as _, Arc::clone(&activity) as _, Arc::clone(&keys) as _).await;
    (app, log, keys, activity)
}

async fn app_on(
    log: Arc<dyn EventLog>,
    activity: Arc<dyn store::ActivityLog>,
    keys: Arc<dyn KeyStore>,
) -> App {
    let parts = Parts {
        log,
        activity,
        keys,
        master_key: master_key(),
        entropy: Arc::new(crypto::SystemEntropy),
        commands: Handle::current(),
        argon2_workers: NonZeroUsize::MIN,
        sessions: SessionLimits::default(),
    };
    App::open(parts).await.expect("an app")
}

impl Node {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().expect("a time");
        let clock = Arc::new(ManualClock::new(now));
        let (app, log, keys, activity) = open(&folder, &clock).await;
        let first = app
            .bootstrap(host(), FirstAdministrator::default(), Box::new(Kept::default()))
            .await
            .expect("a bootstrap")
            .expect("an empty log");
        Self { app, log, keys, activity, clock, token: first.token, folder }
    }

    /// A further administrator, who can sign in, and the token for it.
    async fn enrol_administrator(&self, name: &str, email: &str) -> (domain::MemberId, SecretString) {
        let request = CreateMemberRequest {
            name: Personal::new(name.into()),
            email: Personal::new(email.into()),
            roles: vec![RoleRequest { role: "administrator".into(), environments: None }],
            password: None,
        };
        let member = self.app.create_member(host(), request).await.expect("a member").member_id;
        let token = IssueTokenRequest {
            label: "first".into(),
            permissions: None,
            environments: None,
            expires_in_seconds: 600,
        };
        let issued = self.app.issue_token(host(), member, token).await.expect("a token");
        (member, issued.token.expect("its text"))
    }

    /// A second app on the same log, whose appends can be interfered with.
    async fn unsure(&self) -> (App, Arc<Unsure>) {
        let (next, meanwhile) = (Mutex::new(Vec::new()), Mutex::new(None));
        let unsure =
            Arc::new(Unsure { log: Arc::clone(&self.log), next, meanwhile, looks: AtomicU64::new(0) });
        (self.beside(Arc::clone(&unsure) as Arc<dyn EventLog>).await, unsure)
    }

    /// A second app on the same keys and activity.
    async fn beside(&self, log: Arc<dyn EventLog>) -> App {
        let activity = Arc::clone(&self.activity) as Arc<dyn store::ActivityLog>;
        app_on(log, activity, Arc::clone(&self.keys) as Arc<dyn KeyStore>).await
    }

    async fn admin(&self) -> Context {
        let principal = self.app.authenticate(self.token.expose_secret()).await.expect("the first admin");
        Context { actor: Actor::Member(principal), ..host() }
    }

    async fn create(&self, client_name: &str) -> CreatedClient {
        self.app.create_client(self.admin().await, sandbox(), request(client_name)).await.expect("a client")
    }
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

fn sandbox() -> EnvironmentName {
    EnvironmentName::parse("sandbox").expect("a name")
}

fn request(client_name: &str) -> CreateClientRequest {
    CreateClientRequest {
        metadata: ClientDraft {
            client_name: client_name.into(),
            client_type: "standard".into(),
            redirect_uris: vec!["https://app.example.com/cb".into()],
            scope: "matters:read".into(),
            ..ClientDraft::default()
        },
        contacts: vec![Contact {
            name: Personal::new("Ops".into()),
            email: Personal::new("ops@example.com".into()),
        }],
        terms_accepted: Some("2026-01".into()),
        ..CreateClientRequest::default()
    }
}

fn stream(client_id: ClientId) -> StreamName {
    StreamName::new("client", &client_id.to_string()).expect("a name")
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_the_first_start_fills_the_log_once_and_a_lost_token_file_fills_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let (app, log, ..) = open(&folder, &clock).await;
    let failed = app
        .bootstrap(host(), FirstAdministrator::default(), Box::new(Full))
        .await
        .expect_err("no room for the token");
    assert_eq!(failed.slug(), "unavailable");
    assert_eq!(log.head().await.expect("a head"), Position::ORIGIN, "nothing was committed");
    let kept = Kept::default();
    let first = app
        .bootstrap(host(), FirstAdministrator::default(), Box::new(kept.clone()))
        .await
        .expect("a bootstrap")
        .expect("an empty log");
    assert_eq!(*kept.0.lock().expect("a lock"), [first.token.expose_secret().to_owned()]);
    assert!(
        app.bootstrap(host(), FirstAdministrator::default(), Box::new(Full)).await.expect("a look").is_none(),
        "filled before"
    );
    let principal = app.authenticate(first.token.expose_secret()).await.expect("the first admin");
    assert_eq!(principal.rights.permissions().len(), Permission::ALL.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_an_expired_token_stays_expired_when_the_clock_goes_back() {
    let node = Node::start().await;
    node.clock.advance(SignedDuration::from_hours(24 * 90 + 1));
    let expired = node.app.authenticate(node.token.expose_secret()).await.expect_err("90 days are over");
    assert!(matches!(expired, AuthenticationError::NotLive));
    // Something is recorded at that time; from then on a clock that is set back brings nothing to life again.
    let kept = Kept::default();
    let member: domain::MemberId = {
        let events = node.log.read_all(Position::ORIGIN, 1_000).await.expect("the log");
        let member =
            events.iter().find(|event| event.stream.category() == "member").expect("the first admin");
        member.stream.id().parse().expect("an id")
    };
    node.app.recover(host(), member, Box::new(kept.clone())).await.expect("a new token");
    node.clock.advance(SignedDuration::from_hours(-48));
    let again = node.app.authenticate(node.token.expose_secret()).await.expect_err("still over");
    assert!(matches!(again, AuthenticationError::NotLive));
    let fresh = kept.0.lock().expect("a lock")[0].clone();
    node.app.authenticate(&fresh).await.expect("the new token");
}
