//! The peer: `cqrs-es` with `sqlite-es`, driven as its documentation does: one `execute` a command.
//!
//! Each command makes an aggregate of its own with one event about as long as an entry of ours. It seals nothing, has
//! no unique names, and its positions are none: it does less.

use std::{fmt, ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};
use sqlite_es::{SqliteCqrs, sqlite_cqrs};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::measure::{Caller, Result, Sample, drive};

/// Connections of the pool; with more, the peer is slower.
const CONNECTIONS: u32 = 8;

/// The table as `sqlite-es` 0.5 has it in its migrations.
const EVENTS: &str = "CREATE TABLE events (
  aggregate_type text NOT NULL, aggregate_id text NOT NULL, sequence integer CHECK (sequence >= 0) NOT NULL,
  event_type text NOT NULL, event_version text NOT NULL, payload text NOT NULL, metadata text NOT NULL,
  PRIMARY KEY (aggregate_type, aggregate_id, sequence)
) STRICT";

/// How durable the peer is.
#[derive(Clone, Copy)]
pub enum Durability {
    /// synchronous = FULL: an answered command survives a loss of power, as ours does.
    Full,
    /// synchronous = NORMAL, its own default: it does not.
    Normal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    SecretIssued {
        client_id: String,
        secret_id: String,
        label: String,
        hint: String,
        scope: Vec<String>,
        verifier: String,
        issued_at: String,
        expires_at: String,
        actor: String,
        address: String,
        user_agent: String,
        request_id: String,
        reason: String,
    },
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        "SecretIssued".to_owned()
    }

    fn event_version(&self) -> String {
        "1.0".to_owned()
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Client {
    secrets: u64,
}

struct IssueSecret(u64);

#[derive(Debug)]
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no command of the benchmark is refused")
    }
}

impl std::error::Error for Never {}

impl Aggregate for Client {
    type Command = IssueSecret;
    type Error = Never;
    type Event = Event;
    type Services = ();

    const TYPE: &'static str = "client";

    async fn handle(
        &mut self,
        IssueSecret(number): IssueSecret,
        (): &(),
        sink: &EventSink<Self>,
    ) -> std::result::Result<(), Never> {
        sink.write(secret_issued(number), self).await;
        Ok(())
    }

    fn apply(&mut self, _: Event) {
        self.secrets += 1;
    }
}

fn secret_issued(number: u64) -> Event {
    let id = format!("{:016x}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    Event::SecretIssued {
        client_id: id.repeat(2),
        secret_id: id.clone(),
        label: "deploy pipeline".to_owned(),
        hint: id[..8].to_owned(),
        scope: ["matters:read", "matters:write", "invoices:read"].map(str::to_owned).to_vec(),
        verifier: id.repeat(4),
        issued_at: "2026-11-20T22:13:25.123456Z".to_owned(),
        expires_at: "2027-11-20T22:13:25.123456Z".to_owned(),
        actor: id.repeat(2),
        address: "203.0.113.7".to_owned(),
        user_agent: "billing-worker/4.2.1 (+https://example.com)".to_owned(),
        request_id: id.repeat(2),
        reason: "the old one was seen in a build log".to_owned(),
    }
}

/// A caller of `execute`.
struct Executing {
    cqrs: Arc<SqliteCqrs<Client>>,
    caller: usize,
    commands: u64,
}

impl Caller for Executing {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        self.commands += 1;
        let id = format!("{:016x}-{:016x}", self.caller, self.commands);
        self.cqrs.execute(&id, IssueSecret(self.commands)).await?;
        Ok(ControlFlow::Continue(()))
    }
}

/// A round of the peer on a database of its own in `directory`, which it likes best: it is slower on a larger one.
pub async fn round(
    directory: &Path,
    durability: Durability,
    in_flight: usize,
    time: Duration,
) -> Result<Option<Sample>> {
    let directory = tempfile::tempdir_in(directory)?;
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("events.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
        })
        .busy_timeout(Duration::from_secs(5));
    let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).connect_with(options).await?;
    sqlx::query(EVENTS).execute(&pool).await?;
    let cqrs = Arc::new(sqlite_cqrs::<Client>(pool.clone(), Vec::new(), ()));
    let callers = (0..in_flight).map(|caller| Executing { cqrs: Arc::clone(&cqrs), caller, commands: 0 });
    let (sample, _) = drive(callers.collect(), time, "self").await?;
    pool.close().await;
    Ok(Some(sample))
}
