//! What REST clients, auditors and operators ask, and how long it takes to be answered.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use reqwest::Method;

use crate::{
    history::{self, History, mixed},
    measure::{Caller, Result, Subject, drive},
    service::Instance,
};

/// How long each question is asked again and again.
const TIME: Duration = Duration::from_secs(2);
/// What an export may take of memory, in MiB, whatever the size of the log.
const MOST_FOR_EXPORT: u64 = 32;
/// Bytes of an export after which its memory is looked at again.
const LOOK_EVERY: usize = 1 << 20;
const CLIENTS: &str = "/api/v1/environments/sandbox/clients";
const AUDIT: &str = "/api/v1/audit/events";

/// The path of a question, made of a random number.
type Path = Box<dyn Fn(u64) -> String + Send>;

/// One who asks one question of different things.
struct Asker {
    http: reqwest::Client,
    base: String,
    token: String,
    method: Method,
    path: Path,
    asked: u64,
}

impl Caller for Asker {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        self.asked += 1;
        let url = format!("{}{}", self.base, (self.path)(mixed(self.asked)));
        let answer = self.http.request(self.method.clone(), &url).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if status.is_success() {
            Ok(ControlFlow::Continue(()))
        } else {
            Err(format!("{url} was answered with {status}: {}", String::from_utf8_lossy(&body)).into())
        }
    }
}

/// Asks everything of a running service, one at a time; each question for a while.
pub async fn ask(instance: &mut Instance, history: &History) -> Result<()> {
    let (head, clients, begins) = (history.head.get(), history.clients, history.begins);
    let id = move |random: u64| history::client(random % clients);
    let within = move |random: u64, share: u64| {
        let from = begins + jiff::SignedDuration::from_hours((random % 1_000) as i64);
        let to = from + jiff::SignedDuration::from_hours(share as i64);
        format!("from={from}&to={to}")
    };
    let questions: Vec<(&str, Path)> = vec![
        ("a client", Box::new(move |random| format!("{CLIENTS}/{}", id(random)))),
        ("the newest 50 clients", Box::new(|_| format!("{CLIENTS}?limit=50"))),
        (
            "clients by part of the name",
            Box::new(move |random| format!("{CLIENTS}?q=sync%20{}", random % clients)),
        ),
        ("clients of a type", Box::new(|_| format!("{CLIENTS}?type=record-search"))),
        (
            "a client as it was",
            Box::new(move |random| {
                format!("{CLIENTS}/{}?at={}", id(random), head / 2 + 1 + random % (head / 2))
            }),
        ),
        ("a client's history", Box::new(move |random| format!("{CLIENTS}/{}/history", id(random)))),
        ("the newest 50 events", Box::new(|_| format!("{AUDIT}?limit=50"))),
        ("events of a client (T10: 5 ms)", Box::new(move |random| format!("{AUDIT}?client={}", id(random)))),
        ("events of an actor (T10)", Box::new(|random| format!("{AUDIT}?actor={}", history::admin(random)))),
        ("events of a span of time (T10)", Box::new(move |random| format!("{AUDIT}?{}", within(random, 24)))),
        ("events of a type", Box::new(|_| format!("{AUDIT}?type=client.created"))),
        (
            "events of an actor and a type",
            Box::new(|random| format!("{AUDIT}?actor={}&type=client.secret_issued", history::admin(random))),
        ),
        (
            "events of a ticket",
            Box::new(move |random| format!("{AUDIT}?ticket=INC-{}", random % (head / 50 - 1))),
        ),
        ("events with a word", Box::new(move |random| format!("{AUDIT}?q=app{}", random % clients))),
        (
            "refused in production: there are none",
            Box::new(|_| format!("{AUDIT}?outcome=refused&environment=production")),
        ),
        (
            "50 events forward from anywhere",
            Box::new(move |random| format!("{AUDIT}?order=asc&after={}", random % head)),
        ),
    ];
    println!("\n{}", Subject::heading());
    for (what, path) in questions {
        let caller = Asker {
            http: instance.http.clone(),
            base: instance.base.clone(),
            token: instance.token.clone(),
            method: Method::GET,
            path,
            asked: 0,
        };
        let (sample, _) = drive(vec![caller], TIME, instance.id()?).await?;
        let mut subject = Subject::new(what);
        subject.samples.push(sample);
        println!("{subject}");
    }
    println!();
    for format in ["ndjson", "csv"] {
        export(instance, format, head).await?;
    }
    Ok(())
}

/// Takes everything there is, as an auditor would, and says how fast it came and what it took of memory: if that grew with
/// the log, it fails (behaviour A5).
async fn export(instance: &Instance, format: &str, head: u64) -> Result<()> {
    let before = instance.allocated()?;
    let mut most = before;
    let began = Instant::now();
    let url = format!("{}/api/v1/audit/export?format={format}", instance.base);
    let mut answer = instance.http.get(url).bearer_auth(&instance.token).send().await?.error_for_status()?;
    let mut bytes = 0;
    while let Some(chunk) = answer.chunk().await? {
        let looked_at = bytes / LOOK_EVERY;
        bytes += chunk.len();
        if bytes / LOOK_EVERY > looked_at {
            most = most.max(instance.allocated()?);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    crate::said(
        &format!("export of everything as {format}"),
        format_args!(
            "{:.0} events/s, {} MiB in {seconds:.1} s; allocated {before} MiB before, {most} MiB at most",
            head as f64 / seconds,
            bytes >> 20,
        ),
    );
    if most > before + MOST_FOR_EXPORT {
        return Err(format!("an export of {} MiB took {} MiB of memory", bytes >> 20, most - before).into());
    }
    Ok(())
}
