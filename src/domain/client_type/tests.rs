//! Given, when, then for every rule of a client type.

use cqrs_es::test::TestFramework;

use super::*;
use crate::{At, Stamped};

fn at(command: ClientTypeCommand) -> At<ClientTypeCommand> {
    At { now: Timestamp::UNIX_EPOCH, command }
}

fn stamped(event: ClientTypeEvent) -> Stamped<ClientTypeEvent> {
    Stamped { at: Timestamp::UNIX_EPOCH, event }
}

fn set(tokens: &[&str]) -> ScopeSet {
    tokens.iter().copied().collect()
}

fn texts(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|&token| token.to_owned()).collect()
}

fn known() -> KnownScopes {
    KnownScopes {
        listed: set(&["matters:read", "matters:write", "faxes:send"]),
        deprecated: set(&["faxes:send"]),
    }
}

fn standard() -> CreateClientType {
    CreateClientType {
        name: "standard".into(),
        description: " Anything ".into(),
        scopes: texts(&["matters:read"]),
        known_scopes: known(),
        ..CreateClientType::default()
    }
}

fn created() -> Stamped<ClientTypeEvent> {
    let (name, description) = ("standard".to_owned(), "Anything".to_owned());
    let created = ClientTypeCreated { name, description, scopes: set(&["matters:read"]), singleton: false };
    stamped(ClientTypeEvent::Created(created))
}

fn quota(old: Option<u32>, new: Option<u32>) -> Stamped<ClientTypeEvent> {
    let daily_quota = Change::new(old, new);
    stamped(ClientTypeEvent::DailyQuotaChanged(DailyQuotaChanged { daily_quota }))
}

#[test]
fn o2_a_type_is_created_once() {
    TestFramework::<ClientType>::with(())
        .given_no_previous_events()
        .when(at(ClientTypeCommand::CreateClientType(standard())))
        .then_expect_events(vec![created()]);
    TestFramework::<ClientType>::with(())
        .given(vec![created()])
        .when(at(ClientTypeCommand::CreateClientType(standard())))
        .then_expect_error(ClientTypeError::AlreadyExists);
}

#[test]
fn o2_a_type_can_be_deprecated_and_restored() {
    let deprecated = stamped(ClientTypeEvent::Deprecated(ClientTypeDeprecated {}));
    let restored = stamped(ClientTypeEvent::Restored(ClientTypeRestored {}));
    let given = |events| TestFramework::<ClientType>::with(()).given(events);
    given(vec![created()])
        .when(at(ClientTypeCommand::DeprecateClientType))
        .then_expect_events(vec![deprecated.clone()]);
    given(vec![created()]).when(at(ClientTypeCommand::RestoreClientType)).then_expect_events(vec![]);
    given(vec![created(), deprecated.clone()])
        .when(at(ClientTypeCommand::DeprecateClientType))
        .then_expect_events(vec![]);
    given(vec![created(), deprecated])
        .when(at(ClientTypeCommand::RestoreClientType))
        .then_expect_events(vec![restored]);
}

#[test]
fn o2_a_type_carries_a_daily_quota() {
    TestFramework::<ClientType>::with(())
        .given_no_previous_events()
        .when(at(ClientTypeCommand::CreateClientType(CreateClientType {
            daily_quota: Some(10),
            ..standard()
        })))
        .then_expect_events(vec![created(), quota(None, Some(10))]);
    let change = |daily_quota| {
        at(ClientTypeCommand::ChangeClientType(ChangeClientType {
            daily_quota,
            ..ChangeClientType::default()
        }))
    };
    let given = || TestFramework::<ClientType>::with(()).given(vec![created(), quota(None, Some(10))]);
    given().when(change(Some(None))).then_expect_events(vec![quota(Some(10), None)]);
    given().when(change(Some(Some(5)))).then_expect_events(vec![quota(Some(10), Some(5))]);
    given().when(change(Some(Some(10)))).then_expect_events(vec![]);
    given().when(change(None)).then_expect_events(vec![]);
    given().when(change(Some(Some(0)))).then_expect_error(ClientTypeError::Invalid(vec![Violation::new(
        "/daily_quota",
        Rule::OutOfRange,
        "must be at least 1; leave it out, or give null, for no quota",
    )]));
}

#[test]
fn o2_a_types_description_and_scopes_can_be_changed() {
    let change = ChangeClientType {
        description: Some("All there is".into()),
        scopes: Some(texts(&["matters:write", "matters:read"])),
        known_scopes: known(),
        ..ChangeClientType::default()
    };
    let description = Change::new("Anything".into(), "All there is".into());
    let scopes = Change::new(set(&["matters:read"]), set(&["matters:read", "matters:write"]));
    TestFramework::<ClientType>::with(())
        .given(vec![created()])
        .when(at(ClientTypeCommand::ChangeClientType(change)))
        .then_expect_events(vec![
            stamped(ClientTypeEvent::DescriptionChanged(ClientTypeDescriptionChanged { description })),
            stamped(ClientTypeEvent::ScopesChanged(ClientTypeScopesChanged { scopes })),
        ]);
}

#[test]
fn o2_a_type_may_keep_a_scope_that_was_deprecated_since() {
    let mut listed = ClientType::Absent;
    let with_fax = ClientTypeCreated {
        scopes: set(&["faxes:send", "matters:read"]),
        name: "standard".into(),
        description: "Anything".into(),
        singleton: false,
    };
    listed.apply(&ClientTypeEvent::Created(with_fax), Timestamp::UNIX_EPOCH);
    let change = |tokens: &[&str]| {
        let change = ChangeClientType {
            scopes: Some(texts(tokens)),
            known_scopes: known(),
            ..ChangeClientType::default()
        };
        listed.decide(ClientTypeCommand::ChangeClientType(change), Timestamp::UNIX_EPOCH)
    };
    assert_eq!(change(&["faxes:send", "matters:write"]).map(|events| events.len()), Ok(1));
}

fn wrong(create: CreateClientType) -> Vec<(String, Rule)> {
    match ClientType::Absent.decide(ClientTypeCommand::CreateClientType(create), Timestamp::UNIX_EPOCH) {
        Err(ClientTypeError::Invalid(wrong)) => {
            wrong.into_iter().map(|one| (one.pointer, one.rule)).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn o2_a_type_that_is_not_there_cannot_be_changed() {
    let commands = [
        ClientTypeCommand::ChangeClientType(ChangeClientType::default()),
        ClientTypeCommand::DeprecateClientType,
        ClientTypeCommand::RestoreClientType,
    ];
    for command in commands {
        TestFramework::<ClientType>::with(())
            .given_no_previous_events()
            .when(at(command))
            .then_expect_error(ClientTypeError::NotFound);
    }
}

#[test]
fn o2_a_type_has_a_name_and_a_description() {
    for name in ["Record Search", "", "1st", &"x".repeat(65)] {
        assert_eq!(
            wrong(CreateClientType { name: name.into(), ..standard() }),
            [("/name".into(), Rule::Malformed)]
        );
        assert!(!is_type_name(name));
    }
    assert!(is_type_name("record-search_2"));
    let undescribed = CreateClientType { description: " ".into(), ..standard() };
    assert_eq!(wrong(undescribed), [("/description".into(), Rule::Required)]);
    let none = CreateClientType { daily_quota: Some(0), ..standard() };
    assert_eq!(wrong(none), [("/daily_quota".into(), Rule::OutOfRange)]);
}

#[test]
fn o2_a_types_scopes_are_those_of_the_catalog() {
    let with = |tokens: &[&str]| wrong(CreateClientType { scopes: texts(tokens), ..standard() });
    assert_eq!(with(&[]), [("/scopes".into(), Rule::Required)]);
    assert_eq!(with(&["x"; 101]), [("/scopes".into(), Rule::TooMany)]);
    assert_eq!(
        with(&["matters:read", "a b", "matters:delete", "faxes:send", "matters:read"]),
        [
            ("/scopes/1".into(), Rule::Malformed),
            ("/scopes/2".into(), Rule::Unknown),
            ("/scopes/3".into(), Rule::Deprecated),
            ("/scopes/4".into(), Rule::Duplicate),
        ]
    );
}

#[test]
fn a1_an_event_that_cannot_follow_changes_nothing() {
    let mut absent = ClientType::Absent;
    absent.apply(&ClientTypeEvent::Deprecated(ClientTypeDeprecated {}), Timestamp::UNIX_EPOCH);
    assert_eq!(absent.listed(), None);
    let mut listed = ClientType::Absent;
    listed.apply(&created().event, Timestamp::UNIX_EPOCH);
    listed.apply(&ClientTypeEvent::Deprecated(ClientTypeDeprecated {}), Timestamp::UNIX_EPOCH);
    listed.apply(&created().event, Timestamp::UNIX_EPOCH);
    assert!(listed.listed().is_some_and(|listed| listed.deprecated));
}
