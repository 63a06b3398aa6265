//! Given, when, then for every rule of a client. What all of these tests share stands here.

mod change;
mod claims;
mod create;
mod keys;
mod payload;
mod redirects;
mod registration;
mod responsible;
mod rotation;
mod secrets;
mod signing_secret;
mod status;

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::*;
use crate::{
    At, Change, Rule, SecretId, Stamped, Violation, client_type::TypeRules, environment::Policy,
    member::MemberStatus,
};

const DAY: u32 = 24 * 60 * 60;
const YEAR: u32 = 365 * DAY;

/// So many seconds after the client was created.
fn after(seconds: u32) -> Timestamp {
    let created: Timestamp = "2026-01-01T00:00:00.123456Z".parse().expect("a time");
    created + SignedDuration::from_secs(i64::from(seconds))
}

fn environment() -> EnvironmentName {
    EnvironmentName::parse("sandbox").expect("a name")
}

fn person(number: u128) -> PersonId {
    PersonId(Uuid::from_u128(number))
}

fn uris(texts: &[&str]) -> Vec<RedirectUri> {
    texts.iter().map(|text| RedirectUri::parse(text).expect(text)).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text, "/scope").expect(text)
}

fn id(text: &str) -> SecretId {
    SecretId(text.to_owned())
}

/// A policy whose numbers are easy to tell apart.
fn policy() -> Policy {
    Policy {
        secret_lifetime_seconds: YEAR,
        max_secret_lifetime_seconds: 2 * YEAR,
        max_overlap_seconds: 90 * DAY,
        terms: vec!["2025-06".to_owned(), "2026-01".to_owned()],
        ..Policy::default()
    }
}

fn standard() -> TypeRules {
    TypeRules { scopes: scopes("matters:read matters:write"), ..TypeRules::default() }
}

fn minted(name: &str) -> NewSecret {
    NewSecret {
        id: id(name),
        label: None,
        hint: format!("mcs_{name}"),
        not_before: None,
        expires_in_seconds: None,
        commitment: format!("commitment of {name}"),
    }
}

/// What the log says of `minted(name)` when it was issued `at` for the default lifetime.
fn issued(name: &str, at: u32) -> IssuedSecret {
    IssuedSecret {
        id: id(name),
        label: None,
        hint: format!("mcs_{name}"),
        not_before: None,
        expires_at: Some(after(at + YEAR)),
        commitment: format!("commitment of {name}"),
    }
}

fn signing(name: &str) -> NewSigningSecret {
    NewSigningSecret { id: id(name), commitment: format!("commitment of {name}") }
}

fn rotate_signing(name: &str, overlap_seconds: u32) -> ClientCommand {
    ClientCommand::RotateSigningSecret(RotateSigningSecret {
        secret: signing(name),
        overlap_seconds,
        policy: policy(),
    })
}

fn issued_signing(name: &str) -> IssuedSigningSecret {
    IssuedSigningSecret { id: id(name), commitment: format!("commitment of {name}") }
}

fn create() -> CreateClient {
    CreateClient {
        environment: environment(),
        metadata: ClientDraft {
            client_name: "Matter sync".into(),
            description: None,
            client_type: "standard".into(),
            redirect_uris: texts(&["https://app.example.com/callback"]),
            post_logout_redirect_uris: Vec::new(),
            scope: "matters:write matters:read".into(),
            grant_types: None,
            token_endpoint_auth_method: None,
            jwks: Vec::new(),
            access_token_format: None,
            payload_encryption: false,
        },
        contacts: vec![person(1)],
        responsible: MemberId(Uuid::from_u128(7)),
        terms_accepted: Some("2026-01".into()),
        secret: Some(minted("first")),
        signing_secret: signing("sign1"),
        policy: policy(),
        self_registration: None,
        type_rules: Some(standard()),
    }
}

fn created() -> ClientCreated {
    ClientCreated {
        environment: environment(),
        client_name: "Matter sync".into(),
        client_type: "standard".into(),
        singleton: false,
        redirect_uris: uris(&["https://app.example.com/callback"]),
        scope: scopes("matters:read matters:write"),
        contacts: vec![person(1)],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        responsible: MemberId(Uuid::from_u128(7)),
        terms_accepted: "2026-01".into(),
        secret: Some(issued("first", 0)),
        signing_secret: issued_signing("sign1"),
    }
}

fn public() -> ClientCreated {
    ClientCreated { token_endpoint_auth_method: TokenEndpointAuthMethod::None, secret: None, ..created() }
}

fn status(old: Status, new: Status) -> StatusChanged {
    StatusChanged { status: Change::new(old, new) }
}

fn deleted() -> ClientEvent {
    ClientEvent::Deleted(status(Status::Active, Status::Deleted))
}

type Given = AggregateTestExecutor<Client>;

fn nothing() -> Given {
    TestFramework::<Client>::with(()).given_no_previous_events()
}

/// A client created at second 0, and what happened to it since.
fn given(since: &[(u32, ClientEvent)]) -> Given {
    given_created(created(), since)
}

fn given_created(created: ClientCreated, since: &[(u32, ClientEvent)]) -> Given {
    TestFramework::<Client>::with(()).given(history(created, since))
}

fn history(created: ClientCreated, since: &[(u32, ClientEvent)]) -> Vec<Stamped<ClientEvent>> {
    let first = (0, ClientEvent::Created(created));
    [first].iter().chain(since).map(|(at, event)| Stamped { at: after(*at), event: event.clone() }).collect()
}

fn folded(created: ClientCreated, since: &[(u32, ClientEvent)]) -> Client {
    let mut client = Client::Absent;
    for Stamped { at, event } in history(created, since) {
        client.apply(&event, at);
    }
    client
}

fn registration(since: &[(u32, ClientEvent)]) -> Registration {
    folded(created(), since).registration().expect("a client").clone()
}

/// The events that `command` gives so many seconds after the creation.
fn decided(given: Given, at: u32, command: ClientCommand) -> Result<Vec<ClientEvent>, ClientError> {
    let events = given.when(At { now: after(at), command }).inspect_result()?;
    assert!(events.iter().all(|stamped| stamped.at == after(at)));
    Ok(events.into_iter().map(|stamped| stamped.event).collect())
}

fn event(given: Given, at: u32, command: ClientCommand) -> ClientEvent {
    let mut events = decided(given, at, command).expect("an event");
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn error(given: Given, at: u32, command: ClientCommand) -> ClientError {
    decided(given, at, command).expect_err("must be refused")
}

/// Pointer and rule of everything that is wrong with `command`.
#[track_caller]
fn wrong(given: Given, at: u32, command: ClientCommand) -> Vec<(String, Rule)> {
    let error = error(given, at, command);
    let ClientError::Invalid(violations) = error else { panic!("not a question of fields: {error:?}") };
    violations.into_iter().map(|Violation { pointer, rule, .. }| (pointer, rule)).collect()
}

fn at(pointer: &str, rule: Rule) -> Vec<(String, Rule)> {
    vec![(pointer.to_owned(), rule)]
}

/// One command of each kind but creation, all of them sound.
fn commands() -> Vec<ClientCommand> {
    vec![
        ClientCommand::ChangeClient(Box::new(ChangeClient {
            client_name: Some("Other".into()),
            ..ChangeClient::default()
        })),
        ClientCommand::IssueSecret(IssueSecret { secret: minted("other"), policy: policy() }),
        ClientCommand::RotateSecret(RotateSecret {
            secret: minted("other"),
            overlap_seconds: 0,
            policy: policy(),
        }),
        ClientCommand::RevokeSecret(RevokeSecret { secret_id: id("first"), allow_lockout: true }),
        responsible::command(8, Some(MemberStatus::Active)),
        ClientCommand::ChangeSecret(ChangeSecret {
            secret_id: id("first"),
            label: Some(Some("other".into())),
            expires_at: None,
        }),
        ClientCommand::ReportLeakedSecret(id("first")),
        rotate_signing("sign2", 0),
        ClientCommand::RevealSigningSecret,
        ClientCommand::Deactivate,
        ClientCommand::Enable,
        ClientCommand::Delete,
    ]
}
