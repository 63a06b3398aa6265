//! What it costs to know a client by its secret, in CPU of this process.
//!
//! The check alone, on an activity log that keeps nothing; the check with its record made durable; and beside them what
//! each is built from: one keyed digest, one Argon2id. `cargo bench -p app --bench authenticate [-- <checks>]`
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::{error::Error, fs, hint::black_box, num::NonZeroUsize, path::Path, sync::Arc};

use app::{
    Actor, App, ClientAttempt, ClientAuthenticationError, Contact, Context, CreateClientRequest,
    FirstAdministrator, Parts, SessionLimits, Source, TokenSink,
};
use crypto::{
    Binding, DataKey, ExposeSecret, KeyedDigest, MasterKey, Personal, SecretKind, SecretString,
    SeededEntropy, SystemEntropy, TagKeys,
};
use domain::{EnvironmentName, client::ClientDraft};
use store::{
    ActivityLog, DataDirectory, EventLog, KeyStore, SqliteActivity, SqliteKeys, SqliteLog, SystemClock,
    testing::ForgetfulActivity,
};
use tokio::{runtime::Handle, task::JoinSet};
use uuid::Uuid;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Attempts under way at a time where each waits for the disk.
const IN_FLIGHT: usize = 256;

#[tokio::main]
async fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<u32>().ok());
    let checks = numbers.next().unwrap_or(200_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let node = Node::open(folder.path()).await?;

    let digest = KeyedDigest::new(&DataKey::random(&SystemEntropy)?);
    let text = node.secret.as_bytes();
    let of_digest = cost(checks, async || {
        black_box(digest.matches("client-secret", &[black_box(text)], &[0; 32]));
        Ok(())
    });
    let of_digest = of_digest.await?;
    println!("| what | µs of CPU | digests |\n| --- | --- | --- |");
    let line = |what: &str, cost: f64| println!("| {what} | {cost:.2} | {:.1} |", cost / of_digest);
    line("one keyed digest of a secret, compared", of_digest);

    node.attempt(&node.unrecorded, &node.secret, None).await?;
    let known = cost(checks, async || node.attempt(&node.unrecorded, &node.secret, None).await).await?;
    line("a known secret checked, at most 1", known);
    let guess = node.guess()?;
    let guessed = cost(checks, async || node.refused(&node.unrecorded, &guess).await).await?;
    line("a guess refused", guessed);
    let source = || Some(Source { address: Personal::new("203.0.113.7".to_owned()), user_agent: None });
    let sealed =
        cost(checks / 10, async || node.attempt(&node.unrecorded, &node.secret, source()).await).await?;
    line("a known secret checked, and the address of its user sealed", sealed);

    let before = cpu_microseconds()?;
    let mut under_way = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let node = node.clone();
        let each = checks as usize / 10 / IN_FLIGHT;
        under_way.spawn(async move {
            for _ in 0..each {
                node.attempt(&node.recorded, &node.secret, source()).await?;
            }
            Result::Ok(each)
        });
    }
    let mut recorded = 0;
    while let Some(each) = under_way.join_next().await {
        recorded += each??;
    }
    line(
        &format!("the same, recorded and durable, {IN_FLIGHT} at a time"),
        (cpu_microseconds()? - before) / recorded as f64,
    );
    Ok(())
}

/// Microseconds of CPU of this process that one of so many takes.
async fn cost(times: u32, mut once: impl AsyncFnMut() -> Result<()>) -> Result<f64> {
    let before = cpu_microseconds()?;
    for _ in 0..times {
        once().await?;
    }
    Ok((cpu_microseconds()? - before) / f64::from(times))
}

/// Of all threads of this process, so far.
fn cpu_microseconds() -> Result<f64> {
    let mut microseconds = 0.0;
    for thread in fs::read_dir("/proc/self/task")? {
        let nanoseconds = fs::read_to_string(thread?.path().join("schedstat"))?;
        microseconds += nanoseconds.split(' ').next().unwrap_or_default().parse::<f64>()? / 1000.0;
    }
    Ok(microseconds)
}

/// One registry with one client, behind two apps: one records what it answers, the other does not.
#[derive(Clone)]
struct Node {
    recorded: App,
    unrecorded: App,
    environment: EnvironmentName,
    client_id: String,
    secret: String,
}

struct Nowhere;

impl TokenSink for Nowhere {
    fn keep(&mut self, _: &SecretString) -> std::io::Result<()> {
        Ok(())
    }
}

impl Node {
    async fn open(folder: &Path) -> Result<Self> {
        let directory = DataDirectory::open(&folder.join("data"))?;
        let clock = Arc::new(SystemClock);
        let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open(&directory, clock.clone())?);
        let keys: Arc<dyn KeyStore> = Arc::new(SqliteKeys::open(&directory)?);
        let app = async |activity: Arc<dyn ActivityLog>| {
            let parts = Parts {
                log: Arc::clone(&log),
                activity,
                keys: Arc::clone(&keys),
                master_key: MasterKey::random(&SeededEntropy::new(7))?,
                entropy: Arc::new(SystemEntropy),
                commands: Handle::current(),
                argon2_workers: NonZeroUsize::MIN,
                sessions: SessionLimits::default(),
            };
            Result::Ok(App::open(parts).await?)
        };
        let recorded = app(Arc::new(SqliteActivity::open(&directory, clock)?)).await?;
        let unrecorded = app(Arc::new(ForgetfulActivity)).await?;
        let first = recorded
            .bootstrap(host(), FirstAdministrator::default(), Box::new(Nowhere))
            .await?
            .ok_or("the log is not empty")?;
        let principal = recorded.authenticate(first.token.expose_secret()).await?;
        let admin = Context { actor: Actor::Member(principal), ..host() };
        let environment = EnvironmentName::parse("sandbox").map_err(|(_, detail)| detail)?;
        let request = CreateClientRequest {
            metadata: ClientDraft {
                client_name: "Matter sync".into(),
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
        };
        let created = recorded.create_client(admin, environment.clone(), request).await?;
        let secret = created.client_secret.ok_or("a confidential client has a secret")?;
        Ok(Self {
            recorded,
            unrecorded,
            environment,
            client_id: created.client.client_id.to_string(),
            secret: secret.expose_secret().to_owned(),
        })
    }

    async fn attempt(&self, app: &App, secret: &str, source: Option<Source>) -> Result<()> {
        app.authenticate_client(self.attempted(secret, source)).await?;
        Ok(())
    }

    async fn refused(&self, app: &App, secret: &str) -> Result<()> {
        match app.authenticate_client(self.attempted(secret, None)).await {
            Err(ClientAuthenticationError::Refused(_)) => Ok(()),
            Err(other) => Err(other.into()),
            Ok(_) => Err("a guess was right".into()),
        }
    }

    fn attempted(&self, secret: &str, source: Option<Source>) -> ClientAttempt {
        ClientAttempt {
            environment: self.environment.clone(),
            client_id: self.client_id.clone(),
            secret: secret.to_owned().into(),
            request_id: "r-1".to_owned(),
            source,
        }
    }

    /// A secret in the form of ours, made with other keys.
    fn guess(&self) -> Result<String> {
        let tags = TagKeys::new(1, &DataKey::random(&SystemEntropy)?);
        let binding = Binding { environment: "sandbox", owner: &self.client_id };
        let minted = crypto::mint(SecretKind::ClientSecret, &binding, &tags, &SystemEntropy)?;
        Ok(minted.secret.expose_secret().to_owned())
    }
}

fn host() -> Context {
    Context {
        actor: Actor::Host { uid: 0 },
        operation: "Bench",
        environment: None,
        request_id: "bench".into(),
        correlation_id: Uuid::nil(),
        source: None,
        reason: None,
        ticket: None,
        idempotency: None,
        malformed: Vec::new(),
    }
}
