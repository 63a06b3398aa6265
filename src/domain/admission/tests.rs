//! Given, when, then.

use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{At, Stamped};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

fn id(id: &str) -> SecretId {
    SecretId(id.to_owned())
}

fn sandbox() -> EnvironmentName {
    EnvironmentName::parse("sandbox").expect("a name")
}

fn client(number: u128) -> ClientId {
    ClientId(Uuid::from_u128(number))
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text, "/scope").expect("scopes")
}

fn issue(token_id: &str, max_uses: u32, expires_in_seconds: u32) -> IssueInitialAccessToken {
    IssueInitialAccessToken {
        environment: sandbox(),
        token_id: id(token_id),
        label: " Build agents ".to_owned(),
        hint: "mia_a".to_owned(),
        member_id: MemberId(Uuid::from_u128(9)),
        scope: None,
        max_uses,
        expires_in_seconds,
        commitment: "c".to_owned(),
        type_rules: None,
    }
}

fn issued(token_id: &str, max_uses: u32, expires_at: i64) -> AdmissionEvent {
    AdmissionEvent::TokenIssued(InitialAccessTokenIssued {
        environment: sandbox(),
        token_id: id(token_id),
        label: "Build agents".to_owned(),
        hint: "mia_a".to_owned(),
        member_id: MemberId(Uuid::from_u128(9)),
        scope: None,
        max_uses,
        expires_at: at(expires_at),
        commitment: "c".to_owned(),
    })
}

fn admit(number: u128, token_id: Option<&str>, most: u32) -> AdmissionCommand {
    let token_id = token_id.map(id);
    AdmissionCommand::AdmitClient { environment: sandbox(), client_id: client(number), token_id, most }
}

fn admitted(number: u128, token_id: Option<&str>) -> AdmissionEvent {
    AdmissionEvent::ClientAdmitted(ClientAdmitted {
        environment: sandbox(),
        client_id: client(number),
        initial_access_token_id: token_id.map(id),
    })
}

fn left(number: u128) -> AdmissionEvent {
    AdmissionEvent::ClientLeft(ClientLeft { client_id: client(number) })
}

fn revoke(token_id: &str) -> AdmissionCommand {
    AdmissionCommand::RevokeInitialAccessToken { token_id: id(token_id) }
}

fn revoked(token_id: &str) -> AdmissionEvent {
    AdmissionEvent::TokenRevoked(InitialAccessTokenRevoked { token_id: id(token_id) })
}

fn stamped(seconds: i64, event: AdmissionEvent) -> Stamped<AdmissionEvent> {
    Stamped { at: at(seconds), event }
}

fn given(events: &[AdmissionEvent]) -> cqrs_es::test::AggregateTestExecutor<Admission> {
    let events = events.iter().map(|event| stamped(0, event.clone())).collect();
    TestFramework::<Admission>::with(()).given(events)
}

fn asked(seconds: i64, command: AdmissionCommand) -> At<AdmissionCommand> {
    At { now: at(seconds), command }
}

fn rules(scope: &str) -> TypeRules {
    TypeRules { scopes: scopes(scope), ..TypeRules::default() }
}

#[test]
fn oauth_70_a_token_lets_in_as_many_as_it_says_until_it_expires_or_is_revoked() {
    let command = AdmissionCommand::IssueInitialAccessToken(Box::new(issue("a", 2, 100)));
    given(&[]).when(asked(0, command)).then_expect_events(vec![stamped(0, issued("a", 2, 100))]);
    let one = [issued("a", 2, 100), admitted(1, Some("a"))];
    given(&one)
        .when(asked(50, admit(2, Some("a"), 10)))
        .then_expect_events(vec![stamped(50, admitted(2, Some("a")))]);
    let not_live = || AdmissionError::TokenNotLive(id("a"));
    given(&one).when(asked(100, admit(2, Some("a"), 10))).then_expect_error(not_live());
    let two = [one.to_vec(), vec![admitted(2, Some("a"))]].concat();
    given(&two).when(asked(50, admit(3, Some("a"), 10))).then_expect_error(not_live());
    given(&one).when(asked(50, revoke("a"))).then_expect_events(vec![stamped(50, revoked("a"))]);
    let over = [one.to_vec(), vec![revoked("a")]].concat();
    given(&over).when(asked(50, admit(2, Some("a"), 10))).then_expect_error(not_live());
    given(&over).when(asked(50, revoke("a"))).then_expect_error(not_live());
    given(&over).when(asked(50, revoke("b"))).then_expect_error(AdmissionError::NoSuchToken(id("b")));
}

#[test]
fn oauth_70_there_are_never_more_clients_than_the_environment_lets() {
    let two = [admitted(1, None), admitted(2, None)];
    given(&two).when(asked(1, admit(3, None, 2))).then_expect_error(AdmissionError::Full { most: 2 });
    given(&[two.to_vec(), vec![left(1)]].concat())
        .when(asked(1, admit(3, None, 2)))
        .then_expect_events(vec![stamped(1, admitted(3, None))]);
}

#[test]
fn oauth_70_a_token_is_limited_in_time_uses_and_scopes() {
    let violations = |issue: IssueInitialAccessToken| {
        let command = AdmissionCommand::IssueInitialAccessToken(Box::new(issue));
        let refused = Admission::default().decide(command, at(0)).expect_err("refused");
        let AdmissionError::Invalid(wrong) = refused else { panic!("{refused}") };
        wrong.into_iter().map(|one| (one.pointer, one.rule)).collect::<Vec<_>>()
    };
    let of = |pointer: &str, rule| (pointer.to_owned(), rule);
    assert_eq!(
        violations(IssueInitialAccessToken { label: String::new(), ..issue("a", 0, 0) }),
        [
            of("/label", Rule::Required),
            of("/max_uses", Rule::OutOfRange),
            of("/expires_in_seconds", Rule::OutOfRange)
        ]
    );
    let beyond = issue("a", MOST_USES + 1, MAX_INITIAL_TOKEN_LIFETIME_SECONDS + 1);
    assert_eq!(violations(beyond).len(), 2);
    let limited = |scope: &str| IssueInitialAccessToken {
        scope: Some(scope.to_owned()),
        type_rules: Some(rules("matters:read matters:write")),
        ..issue("a", 1, 1)
    };
    assert_eq!(violations(limited("matters:burn")), [of("/scope", Rule::NotAllowedByType)]);
    assert_eq!(violations(limited(" ")), [of("/scope", Rule::Required)]);
    let command = AdmissionCommand::IssueInitialAccessToken(Box::new(limited("matters:read")));
    let events = Admission::default().decide(command, at(0)).expect("issued");
    let AdmissionEvent::TokenIssued(issued) = &events[0] else { panic!("{events:?}") };
    assert_eq!(issued.scope, Some(scopes("matters:read")));
}

#[test]
fn oauth_70_there_are_not_more_tokens_than_can_be_told_apart() {
    let tokens: Vec<_> = (0..MOST_LIVE_TOKENS).map(|number| issued(&format!("t{number}"), 1, 100)).collect();
    let command = AdmissionCommand::IssueInitialAccessToken(Box::new(issue("more", 1, 1)));
    given(&tokens)
        .when(asked(0, command.clone()))
        .then_expect_error(AdmissionError::TooManyTokens { most: MOST_LIVE_TOKENS });
    given(&[tokens, vec![admitted(1, Some("t0"))]].concat())
        .when(asked(0, command))
        .then_expect_events(vec![stamped(0, issued("more", 1, 1))]);
}
