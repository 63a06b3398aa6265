//! A long history, written as the service writes it: the same entries, claims and sealed private parts, without the
//! hashing of a hundred thousand secrets.

use std::{future::poll_fn, path::Path, sync::Arc, task::Poll};

use domain::{
    Change, Claim, Client, ClientEvent, ClientId, EnvironmentName, Event, MemberId, SecretId,
    client::{
        ClientCreated, ClientNameChanged, IssuedSecret, IssuedSigningSecret, RedirectUrisChanged,
        SecretIssued, SecretRevoked, Status, StatusChanged,
    },
    oauth::{GrantType, RedirectUri, ScopeSet, TokenEndpointAuthMethod},
};
use jiff::{SignedDuration, Timestamp};
use store::{
    Actor, ActorKind, CanonicalJson, ClaimChange, ClaimKey, Clock, Commit, DataDirectory, Disclosure,
    DisclosureKey, EventLog, ExpectedRevision, KeyStore as _, LookupToken, ManualClock, Outcome, PersonKey,
    Position, ProposedEvent, SqliteKeys, SqliteLog, StreamCommit, StreamName, SystemClock,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::measure::Result;

/// Commits that wait for the log at a time.
const IN_FLIGHT: usize = 2_048;
/// How long the whole history took in its own time, in seconds.
const DAYS_IN_SECONDS: i64 = 60 * 24 * 60 * 60;
/// Admins who acted.
const ADMINS: u64 = 40;
/// A typical client has so many events, scattered over the whole log; what is left over happens to busy ones.
pub const EVENTS_OF_CLIENT: u64 = 10;
/// Every so manieth client is a busy one.
const BUSY: u64 = 100;

/// What was written.
pub struct History {
    /// When it begins.
    pub begins: Timestamp,
    /// The last position.
    pub head: Position,
    /// How many clients it has.
    pub clients: u64,
    /// The bytes of all entries.
    pub entry_bytes: u64,
}

/// The client that was created as the so manieth.
pub fn client(number: u64) -> ClientId {
    ClientId(Uuid::from_u64_pair(0x0193_0000_0000_7000, mixed(number)))
}

/// The stream of a client.
pub fn stream(number: u64) -> Result<StreamName> {
    Ok(StreamName::new(Client::CATEGORY, &client(number).to_string())?)
}

/// One of the admins.
pub fn admin(number: u64) -> MemberId {
    MemberId(Uuid::from_u64_pair(0x0192_0000_0000_7000, number % ADMINS))
}

/// The name of a client when it was created.
pub fn name(number: u64) -> String {
    const KINDS: [&str; 8] =
        ["Matter", "Billing", "Archive", "Calendar", "Records", "Payroll", "Court", "Notary"];
    let kind = KINDS[(number % 8) as usize];
    format!("{kind} sync {number}")
}

/// Writes `events` events of `clients` clients after what an empty directory begins with.
pub async fn write(data: &Path, events: u64, clients: u64) -> Result<History> {
    let directory = DataDirectory::open(data)?;
    let keys = SqliteKeys::open(&directory)?;
    for number in 0..ADMINS {
        // A service does not start on a log that names persons without keys.
        let person = admin(number).0;
        keys.insert_person(PersonKey { person, token: None, wrapped: person.as_bytes().to_vec() }).await?;
    }
    let begins = SystemClock.now();
    let clock = Arc::new(ManualClock::new(begins));
    let log = Arc::new(SqliteLog::open(&directory, clock.clone())?);
    let tick = SignedDuration::from_micros(DAYS_IN_SECONDS * 1_000_000 / i64::try_from(events)?);
    let mut under_way = JoinSet::new();
    let mut lives = vec![Life::default(); usize::try_from(clients)?];
    let (mut born, mut random) = (0, 0);
    for number in 0..events {
        random = mixed(random ^ number);
        // Births are spread over the first half, so that young and old ones mix.
        let due = (number * 2 * clients / events + 1).min(clients);
        let of = if born < due {
            born += 1;
            born - 1
        } else {
            one_of(random, born, &lives)
        };
        let happening = lives[usize::try_from(of)?].next(of, random);
        clock.advance(tick);
        let commit = commit(number, of, happening)?;
        let log = Arc::clone(&log);
        let mut append = Box::pin(async move { log.append(commit).await.map(drop) });
        // The first poll sends it on its way: nothing that happens to a client overtakes its birth.
        let answered = poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await;
        match answered {
            Poll::Ready(done) => done?,
            Poll::Pending => drop(under_way.spawn(append)),
        }
        while under_way.len() >= IN_FLIGHT {
            under_way.join_next().await.transpose()?.transpose()?;
        }
    }
    while let Some(done) = under_way.join_next().await {
        done??;
    }
    let mut entry_bytes = 0;
    let head = log.scan(Position::ORIGIN, &mut |event| {
        entry_bytes += event.entry.len() as u64;
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(History { begins, head, clients, entry_bytes })
}

/// A client that something happens to: mostly one that has few events yet, else a busy one.
fn one_of(random: u64, born: u64, lives: &[Life]) -> u64 {
    let any = random % born;
    if !any.is_multiple_of(BUSY) && u64::from(lives[any as usize].events) < EVENTS_OF_CLIENT {
        any
    } else {
        any - any % BUSY
    }
}

/// How a client's life has gone so far.
#[derive(Clone, Copy, Default)]
struct Life {
    events: u32,
    inactive: bool,
    secrets: u32,
}

impl Life {
    fn next(&mut self, number: u64, random: u64) -> ClientEvent {
        self.events += 1;
        if self.events == 1 {
            self.secrets = 1;
            return ClientEvent::Created(created(number));
        }
        let status = |old, new| StatusChanged { status: Change::new(old, new) };
        match random >> 32 & 7 {
            0 if self.secrets < 6 => {
                self.secrets += 1;
                ClientEvent::SecretIssued(SecretIssued { secret: secret(number, self.secrets) })
            }
            1 if self.secrets > 1 => {
                let oldest = SecretId(format!("s{number}n{}", self.secrets - 1));
                ClientEvent::SecretRevoked(SecretRevoked { secret_id: oldest, lockout: false })
            }
            2 => {
                let uris = |path: u64| vec![uri(&format!("https://app{number}.example.com/callback/{path}"))];
                let redirect_uris =
                    Change::new(uris(u64::from(self.events)), uris(u64::from(self.events) + 1));
                ClientEvent::RedirectUrisChanged(RedirectUrisChanged { redirect_uris })
            }
            3 | 4 if self.inactive => {
                self.inactive = false;
                ClientEvent::Enabled(status(Status::Inactive, Status::Active))
            }
            3 | 4 => {
                self.inactive = true;
                ClientEvent::Deactivated(status(Status::Active, Status::Inactive))
            }
            _ => {
                let renamed = format!("{} (again)", name(number));
                let client_name = match self.events % 2 {
                    0 => Change::new(name(number), renamed),
                    _ => Change::new(renamed, name(number)),
                };
                ClientEvent::NameChanged(ClientNameChanged { client_name })
            }
        }
    }
}

fn created(number: u64) -> ClientCreated {
    ClientCreated {
        environment: environment(),
        client_name: name(number),
        client_type: if number.is_multiple_of(5) { "record-search" } else { "standard" }.to_owned(),
        singleton: false,
        redirect_uris: vec![uri(&format!("https://app{number}.example.com/callback"))],
        scope: ScopeSet::parse("matters:read matters:write", "/scope").unwrap_or_default(),
        contacts: vec![domain::PersonId(admin(number).0)],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        responsible: admin(number),
        terms_accepted: "2026-01".to_owned(),
        secret: Some(secret(number, 1)),
        signing_secret: IssuedSigningSecret {
            id: SecretId(format!("g{number}")),
            commitment: commitment(number),
        },
    }
}

fn secret(number: u64, of_client: u32) -> IssuedSecret {
    IssuedSecret {
        id: SecretId(format!("s{number}n{of_client}")),
        label: None,
        hint: format!("mcs_s{number}"),
        not_before: None,
        expires_at: "2027-11-20T00:00:00Z".parse().ok(),
        commitment: commitment(number),
    }
}

fn commit(number: u64, of: u64, happening: ClientEvent) -> Result<Commit> {
    let stream = stream(of)?;
    let claims = if let ClientEvent::Created(created) = &happening {
        let Claim { namespace, key } = Claim::client_name(&created.environment, &created.client_name);
        vec![ClaimChange::Take { key: ClaimKey { namespace, key }, stream: stream.clone() }]
    } else {
        Vec::new()
    };
    let event = Event::Client(happening);
    let parts = [format!("{number:042}s"), format!("{number:042}r")];
    let disclosures = parts.iter().map(|digest| Disclosure {
        digest: digest.clone(),
        key: DisclosureKey::Person(admin(of).0),
        sealed: vec![mixed(number) as u8; 180],
    });
    Ok(Commit {
        command_id: Uuid::from_u64_pair(mixed(number), number),
        correlation_id: Uuid::from_u64_pair(number, mixed(number)),
        causation_id: None,
        request_id: format!("request-{number}"),
        request_digest: None,
        actor: Actor {
            id: admin(mixed(number)).to_string(),
            kind: ActorKind::Member,
            via: Some("token:0123456789abcdef".to_owned()),
        },
        ticket: number.is_multiple_of(50).then(|| format!("INC-{}", number / 50)),
        streams: vec![StreamCommit {
            stream,
            expected: ExpectedRevision::Any,
            environment: Some(environment().to_string()),
            responsible: Some(admin(of).to_string()),
            events: vec![ProposedEvent {
                id: Uuid::from_u64_pair(number, number),
                event_type: event.event_type().to_owned(),
                event_version: event.event_version(),
                data: CanonicalJson::from_value(&event.data()?)?,
                outcome: Outcome::Done,
                private: parts.to_vec(),
                salt: Uuid::from_u64_pair(mixed(number), mixed(number + 1)).into_bytes(),
            }],
        }],
        claims,
        credentials: Vec::new(),
        destroyed_credentials: Vec::new(),
        disclosures: disclosures.collect(),
        lookup_tokens: vec![LookupToken {
            token: Uuid::from_u64_pair(0, mixed(number) % 50).into_bytes(),
            person: Some(admin(mixed(number)).0),
        }],
        forgotten_persons: Vec::new(),
    })
}

fn environment() -> EnvironmentName {
    EnvironmentName::parse("sandbox").unwrap_or_else(|_| unreachable!("a name of the first catalog"))
}

fn uri(text: &str) -> RedirectUri {
    RedirectUri::parse(text).unwrap_or_else(|_| unreachable!("made of a number"))
}

fn commitment(number: u64) -> String {
    format!("{number:043}")
}

/// SplitMix64: the same history each time, without a neighbourhood that a cache would like.
pub fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
