//! The authorization server over HTTP, each token durable in the activity log before its answer, beside others:
//! `cargo run --release -p tests --example tokens -- [SECONDS] [ROUNDS] [PACE]`.
//!
//! Everything in one interleaved run, over 1, 32 and 256 connections: tokens of clients for themselves, opaque and as
//! JWTs, beside oidc-provider (npm), beside ourselves without an activity log, and beside the least program that does the
//! same; introspections; whole flows of codes. Then right secrets beside a flood of guesses, and memory. The binary is
//! `MUNIMENT_TEST_BINARY`, or what cargo builds from this tree with optimisation.
#![expect(clippy::print_stdout, reason = "a script that prints its figures")]

#[path = "../asking.rs"]
#[expect(dead_code, reason = "the other scripts use the rest")]
mod asking;
mod ceiling;
#[path = "../connection.rs"]
mod connection;
mod figures;
#[path = "../flood.rs"]
mod flood;
/// As the product writes its own.
#[path = "../../../src/cli/telemetry/lines.rs"]
mod lines;
#[path = "../../benches/commands/measure.rs"]
#[expect(dead_code, reason = "the other scripts use the rest")]
mod measure;
#[path = "../measuring.rs"]
mod measuring;
mod peers;
mod requests;
mod setting;
mod unaudited;

use std::{fs, path::Path, time::Duration};

use tests::Service;

use crate::{
    asking::{Asked, asking},
    figures::{Memory, Of, Targets},
    flood::{Flood, guess},
    measure::{Result, Subject, drive},
    measuring::is_measuring,
    peers::{CEILING, ID, Peer, SECRET, UNAUDITED},
    requests::{Client, Flow},
    setting::{ASKING, CLIENTS_THERE, Setting, copy},
};

const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// Of a flood.
const FEW: usize = 8;
/// So that one address may ask as often as it likes.
const SETTINGS: &str = "[limits]\nreads_per_minute = 0\ncommands_per_minute = 0\nanonymous_per_minute = 0\n";
/// Before memory is looked at: what is done once, and caches that are filled anew.
const PAUSE: Duration = Duration::from_secs(3);
/// JWTs a CPU second of Rauthy 0.36, which writes its audit after the answer, as it was measured on such a machine.
const RAUTHY: f64 = 1_760.0;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [part, folder] if part == CEILING => ceiling::serve(Path::new(folder), ID, SECRET),
        [part, folder] if part == UNAUDITED => unaudited::serve(Path::new(folder)),
        _ => run(&arguments),
    }
}

#[tokio::main]
async fn run(arguments: &[String]) -> Result<()> {
    if !is_measuring(arguments)? {
        return Ok(());
    }
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u32>().ok());
    let time = Duration::from_secs(numbers.next().unwrap_or(4).into());
    let rounds = numbers.next().unwrap_or(3);
    let pace = numbers.next().unwrap_or(500);
    Peer::prepare();
    let mut service = Service::start_with_settings(SETTINGS).await;
    let measured = measure(&mut service, time, rounds, pace).await;
    service.finish().await;
    measured
}

async fn measure(service: &mut Service, time: Duration, rounds: u32, pace: u32) -> Result<()> {
    let setting = Setting::of(service).await?;
    let folder = tempfile::tempdir()?;
    service.stop().await;
    copy(service.folder(), folder.path())?;
    service.launch().await;
    tokio::time::sleep(PAUSE).await;
    let idle = Memory::of(&process_of(service)?)?;

    let mut all = All::start(service, &setting, folder.path()).await?;
    all.round(FEW, time.min(Duration::from_secs(2))).await?;
    for connections in CONNECTIONS {
        all.begin();
        for _ in 0..rounds {
            all.round(connections, time).await?;
        }
        all.tell(connections);
    }
    let busy = all.memory;
    drop(all);

    println!("\n## A flood of guesses at the token endpoint\n");
    let address = service.base.trim_start_matches("http://");
    let right: Vec<Asked> = setting.jwt[..FEW].iter().map(|client| client.token(address)).collect();
    let mut guesses = Vec::new();
    for client in &setting.jwt[..FEW] {
        let guessing = Client { secret: guess(&client.id)?, ..client.clone() };
        guesses.push(Asked { expected: b"HTTP/1.1 401 ", ..guessing.token(address) });
    }
    let process = process_of(service)?;
    let (right, guesses, data) = (&right[..], &guesses[..], &service.data());
    Flood { address, right, guesses, pace, time, process: &process, data }.measure().await?;

    println!("\n## Memory\n");
    println!("idle with {CLIENTS_THERE} clients: {idle}\nbusy at 256 connections, at most: {busy}\n");
    let mut targets = Targets::default();
    targets.demand_at_most("idle with 10,000 clients, MiB", 20.0, idle.all);
    targets.demand_at_most("busy at 256 connections, MiB", 64.0, busy.all);
    println!("{targets}");
    Ok(())
}

/// Whoever holds the data directory has written its process id into the lock.
fn process_of(service: &Service) -> Result<String> {
    Ok(fs::read_to_string(service.data().join("muniment.lock"))?.trim().to_owned())
}

/// All that is measured, and what it showed at so many connections.
struct All<'a> {
    setting: &'a Setting,
    address: String,
    process: String,
    unaudited: Peer,
    ceiling: Peer,
    opaque_peer: Peer,
    jwt_peer: Peer,
    shown: Shown,
    memory: Memory,
}

struct Shown {
    opaque: Subject,
    unaudited: Subject,
    opaque_peer: Subject,
    ceiling: Subject,
    unrecorded: Subject,
    jwt: Subject,
    jwt_peer: Subject,
    introspection: Subject,
    introspection_peer: Subject,
    hello: Subject,
    flow: Subject,
}

impl Shown {
    fn nothing() -> Self {
        Self {
            opaque: Subject::new("tokens, opaque"),
            unaudited: Subject::new("the same with an activity log that keeps nothing"),
            opaque_peer: Subject::new("oidc-provider, opaque, in memory"),
            ceiling: Subject::new("ceiling: a token, recorded in SQLite before the answer"),
            unrecorded: Subject::new("ceiling: a token, not recorded"),
            jwt: Subject::new("tokens, ES256"),
            jwt_peer: Subject::new("oidc-provider, ES256"),
            introspection: Subject::new("introspections of opaque tokens"),
            introspection_peer: Subject::new("oidc-provider, introspections"),
            hello: Subject::new("a bare answer of actix-web"),
            flow: Subject::new("whole flows: code, tokens for it, tokens for the refresh token"),
        }
    }

    fn all(&self) -> [&Subject; 11] {
        [
            &self.opaque,
            &self.unaudited,
            &self.opaque_peer,
            &self.ceiling,
            &self.unrecorded,
            &self.jwt,
            &self.jwt_peer,
            &self.introspection,
            &self.introspection_peer,
            &self.hello,
            &self.flow,
        ]
    }
}

impl<'a> All<'a> {
    async fn start(service: &Service, setting: &'a Setting, folder: &Path) -> Result<Self> {
        let process = process_of(service)?;
        Ok(Self {
            setting,
            address: service.base.trim_start_matches("http://").to_owned(),
            memory: Memory::of(&process)?,
            process,
            unaudited: Peer::unaudited(folder).await?,
            ceiling: Peer::ceiling(folder).await?,
            opaque_peer: Peer::oidc_provider("opaque", folder).await?,
            jwt_peer: Peer::oidc_provider("jwt", folder).await?,
            shown: Shown::nothing(),
        })
    }

    fn begin(&mut self) {
        self.shown = Shown::nothing();
    }

    /// Each of them in turn.
    async fn round(&mut self, connections: usize, time: Duration) -> Result<()> {
        let Self { setting, address, process, unaudited, ceiling, opaque_peer, jwt_peer, shown, memory } =
            self;
        let peers_client = Client { issuer: String::new(), id: ID.to_owned(), secret: SECRET.to_owned() };
        let peers = |endpoint: &str, host: &str| {
            let request = peers_client.form(host, endpoint, requests::TOKEN_FORM);
            vec![Asked { request, expected: b"HTTP/1.1 200 " }]
        };
        let tokens = |clients: &[Client], host: &str| -> Vec<Asked> {
            clients.iter().map(|client| client.token(host)).collect()
        };
        let mut load = Load { connections, time, busy: *memory };

        load.ours(&mut shown.opaque, address, process, &tokens(&setting.opaque, address)).await?;
        let host = &unaudited.address;
        load.of(&mut shown.unaudited, host, unaudited.process()?, &tokens(&setting.opaque, host)).await?;
        let host = &opaque_peer.address;
        load.of(&mut shown.opaque_peer, host, opaque_peer.process()?, &peers("token", host)).await?;
        let host = &ceiling.address;
        load.of(&mut shown.ceiling, host, ceiling.process()?, &peers("token", host)).await?;
        load.of(&mut shown.unrecorded, host, ceiling.process()?, &peers("unrecorded", host)).await?;

        load.ours(&mut shown.jwt, address, process, &tokens(&setting.jwt, address)).await?;
        let host = &jwt_peer.address;
        load.of(&mut shown.jwt_peer, host, jwt_peer.process()?, &peers("token", host)).await?;

        let mut introspections = Vec::with_capacity(ASKING);
        for client in &setting.opaque {
            introspections.push(client.introspection(address, "introspect").await?);
        }
        load.ours(&mut shown.introspection, address, process, &introspections).await?;
        let host = &opaque_peer.address;
        let introspection = peers_client.introspection(host, "token/introspection").await?;
        load.of(&mut shown.introspection_peer, host, opaque_peer.process()?, &[introspection]).await?;
        let host = &ceiling.address;
        let hello = format!("GET /hello HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes();
        let hello = Asked { request: hello, expected: b"HTTP/1.1 200 " };
        load.of(&mut shown.hello, host, ceiling.process()?, &[hello]).await?;

        let mut flows = Vec::with_capacity(connections);
        for (client, authorize) in setting.jwt.iter().zip(&setting.authorize).cycle().take(connections) {
            flows.push(Flow::open(address, client, authorize).await?);
        }
        let (sample, _flows) = drive(flows, time, &*process).await?;
        shown.flow.samples.push(sample);
        *memory = load.busy.at_most(Memory::of(process)?);
        Ok(())
    }

    fn tell(&self, connections: usize) {
        let shown = &self.shown;
        println!("\n## {connections} connections\n\n{}", Subject::heading());
        for subject in shown.all() {
            println!("{subject}");
        }
        let mut targets = Targets::default();
        for (what, ours, theirs) in [
            ("opaque tokens / oidc-provider", &shown.opaque, &shown.opaque_peer),
            ("ES256 tokens / oidc-provider", &shown.jwt, &shown.jwt_peer),
        ] {
            if connections == 1 {
                targets.demand(what, Of::Rate, 0.9, ours, theirs);
            } else {
                targets.demand(what, Of::Rate, 5.0, ours, theirs);
                targets.demand(what, Of::Cpu, 5.0, ours, theirs);
                targets.demand(what, Of::P99, 0.5, ours, theirs);
            }
        }
        if connections > 1 {
            targets.demand("opaque tokens / ceiling, recorded", Of::Cpu, 0.7, &shown.opaque, &shown.ceiling);
            let jwt = median(&shown.jwt);
            targets.demand_of("ES256 tokens a CPU second, of Rauthy ten times", 10.0 * RAUTHY, jwt);
            targets.demand("audited / unaudited", Of::Cpu, 0.4, &shown.opaque, &shown.unaudited);
            let asked = &shown.introspection;
            targets.demand("introspections / oidc-provider", Of::Cpu, 12.0, asked, &shown.introspection_peer);
            targets.demand("introspections / a bare answer", Of::Cpu, 0.5, asked, &shown.hello);
        }
        println!("\n{targets}");
    }
}

fn median(subject: &Subject) -> f64 {
    let mut rates: Vec<f64> = subject.samples.iter().map(measure::Sample::per_cpu_second).collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// So many connections for so long.
struct Load {
    connections: usize,
    time: Duration,
    /// What ours took up while they were open.
    busy: Memory,
}

impl Load {
    /// The connections ask in turn for each of these.
    async fn of(
        &self,
        subject: &mut Subject,
        address: &str,
        process: impl std::fmt::Display,
        asked: &[Asked],
    ) -> Result<()> {
        let asked: Vec<Asked> = asked.iter().cycle().take(self.connections).cloned().collect();
        let (sample, _still_open) = drive(asking(address, &asked).await?, self.time, process).await?;
        subject.samples.push(sample);
        Ok(())
    }

    async fn ours(
        &mut self,
        subject: &mut Subject,
        address: &str,
        process: &str,
        asked: &[Asked],
    ) -> Result<()> {
        self.of(subject, address, process, asked).await?;
        self.busy = self.busy.at_most(Memory::of(process)?);
        Ok(())
    }
}
