//! Given, when, then for every rule of an environment.

use cqrs_es::test::TestFramework;

use super::*;
use crate::{At, EnvironmentName, Stamped, client_type::TypeRules, oauth::RedirectRule};

fn at(command: EnvironmentCommand) -> At<EnvironmentCommand> {
    At { now: Timestamp::UNIX_EPOCH, command }
}

fn stamped(event: EnvironmentEvent) -> Stamped<EnvironmentEvent> {
    Stamped { at: Timestamp::UNIX_EPOCH, event }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn sandbox() -> CreateEnvironment {
    CreateEnvironment { name: "sandbox".into(), terms: texts(&["2026-01"]), policy: ChangePolicy::default() }
}

fn create(create: CreateEnvironment) -> EnvironmentCommand {
    EnvironmentCommand::CreateEnvironment(create)
}

fn change(draft: PolicyDraft) -> ChangePolicy {
    let rules =
        TypeRules { scopes: ["matters:read", "matters:write"].into_iter().collect(), ..TypeRules::default() };
    ChangePolicy {
        draft,
        commands: ["CreateClient", "Delete"].into(),
        types: [("standard".to_owned(), rules)].into(),
    }
}

fn first_policy() -> FirstPolicy {
    FirstPolicy {
        reason_required: false,
        secret_lifetime_seconds: 31_536_000,
        max_secret_lifetime_seconds: 63_072_000,
        max_overlap_seconds: 7_884_000,
        terms: texts(&["2026-01"]),
    }
}

fn created() -> Stamped<EnvironmentEvent> {
    let name = EnvironmentName::parse("sandbox").expect("name");
    stamped(EnvironmentEvent::Created(EnvironmentCreated { name, policy: first_policy() }))
}

fn changed(changed: PolicyChanged) -> Stamped<EnvironmentEvent> {
    stamped(EnvironmentEvent::PolicyChanged(changed))
}

fn given() -> cqrs_es::test::AggregateTestExecutor<Environment> {
    TestFramework::<Environment>::with(()).given(vec![created()])
}

#[test]
fn l7_an_environment_is_created_once() {
    TestFramework::<Environment>::with(())
        .given_no_previous_events()
        .when(at(create(sandbox())))
        .then_expect_events(vec![created()]);
    given().when(at(create(sandbox()))).then_expect_error(EnvironmentError::AlreadyExists);
}

#[test]
fn l7_what_its_first_event_cannot_say_follows_in_another_one() {
    let draft = PolicyDraft {
        secret_lifetime_seconds: Some(10),
        code_lifetime_seconds: Some(30),
        reason_required: Some(ReasonRequired::For(["Delete".to_owned()].into())),
        ..PolicyDraft::default()
    };
    let name = EnvironmentName::parse("sandbox").expect("name");
    let policy = FirstPolicy { secret_lifetime_seconds: 10, ..first_policy() };
    let rest = PolicyChanged {
        reason_required: Some(Change::new(
            ReasonRequired::Always(false),
            ReasonRequired::For(["Delete".to_owned()].into()),
        )),
        code_lifetime_seconds: Some(Change::new(60, 30)),
        ..PolicyChanged::default()
    };
    TestFramework::<Environment>::with(())
        .given_no_previous_events()
        .when(at(create(CreateEnvironment { policy: change(draft), ..sandbox() })))
        .then_expect_events(vec![
            stamped(EnvironmentEvent::Created(EnvironmentCreated { name, policy })),
            changed(rest),
        ]);
}

#[test]
fn l7_its_name_shadows_no_path_of_ours() {
    for name in ["api", "metrics", "Sandbox", "1st", "", "a-b", "abcdefghijklmnopqrstuvwxyz0123456"] {
        assert!(EnvironmentName::parse(name).is_err(), "{name}");
        let wrong = wrong(create(CreateEnvironment { name: name.into(), ..sandbox() }));
        assert_eq!(wrong, [("/name".to_owned(), Rule::Malformed)]);
    }
    assert!(EnvironmentName::parse("pre_production2").is_ok());
}

fn wrong(command: EnvironmentCommand) -> Vec<(String, Rule)> {
    let mut environment = Environment::Absent;
    if !matches!(command, EnvironmentCommand::CreateEnvironment(_)) {
        environment.apply(&created().event, Timestamp::UNIX_EPOCH);
    }
    match environment.decide(command, Timestamp::UNIX_EPOCH) {
        Err(EnvironmentError::Invalid(wrong)) => {
            wrong.into_iter().map(|one| (one.pointer, one.rule)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn wrong_policy(draft: PolicyDraft) -> Vec<(String, Rule)> {
    wrong(EnvironmentCommand::ChangePolicy(change(draft)))
}

#[test]
fn l4_a_secret_cannot_live_longer_than_the_longest() {
    for (lifetime, longest) in [(10, 9), (0, 9), (0, 0)] {
        let draft = PolicyDraft {
            secret_lifetime_seconds: Some(lifetime),
            max_secret_lifetime_seconds: Some(longest),
            ..PolicyDraft::default()
        };
        assert_eq!(wrong_policy(draft), [("/policy/secret_lifetime_seconds".to_owned(), Rule::OutOfRange)]);
    }
    let shorter = PolicyDraft { max_secret_lifetime_seconds: Some(9), ..PolicyDraft::default() };
    assert_eq!(
        wrong_policy(shorter),
        [("/policy/secret_lifetime_seconds".to_owned(), Rule::OutOfRange)],
        "what is not changed is judged with what is"
    );
}

#[test]
fn l4_tokens_and_codes_have_lifetimes_within_bounds() {
    let draft = PolicyDraft {
        access_token_lifetime_seconds: Some(59),
        refresh_token_lifetime_seconds: Some(u32::MAX),
        code_lifetime_seconds: Some(601),
        ..PolicyDraft::default()
    };
    assert_eq!(
        wrong_policy(draft),
        [
            ("/policy/access_token_lifetime_seconds".to_owned(), Rule::OutOfRange),
            ("/policy/refresh_token_lifetime_seconds".to_owned(), Rule::OutOfRange),
            ("/policy/code_lifetime_seconds".to_owned(), Rule::OutOfRange),
        ]
    );
}

#[test]
fn l2_an_environment_publishes_its_terms() {
    let with = |terms: &[&str]| wrong(create(CreateEnvironment { terms: texts(terms), ..sandbox() }));
    assert_eq!(with(&[]), [("/terms".to_owned(), Rule::Required)]);
    assert_eq!(with(&["1", " "]), [("/terms/1".to_owned(), Rule::Required)]);
    assert_eq!(with(&["1", "2\u{0}"]), [("/terms/1".to_owned(), Rule::ControlCharacter)]);
    assert_eq!(with(&["1", "2", " 1"]), [("/terms/2".to_owned(), Rule::Duplicate)]);
    assert_eq!(with(&["1"; 101]), [("/terms".to_owned(), Rule::TooMany)]);
    let trimmed = create(CreateEnvironment { terms: texts(&[" 2026-01 "]), ..sandbox() });
    let events = Environment::Absent.decide(trimmed, Timestamp::UNIX_EPOCH);
    assert_eq!(events, Ok(vec![created().event]));
}

#[test]
fn l2_a_further_version_of_the_terms_is_published_once() {
    let publish = |terms: &str| EnvironmentCommand::PublishTerms { terms: terms.into() };
    let published = EnvironmentEvent::TermsPublished(TermsPublished {
        terms: Change::new("2026-01".into(), "2026-06".into()),
    });
    given().when(at(publish(" 2026-06 "))).then_expect_events(vec![stamped(published.clone())]);
    assert_eq!(wrong(publish("2026-01")), [("/terms".to_owned(), Rule::Duplicate)]);
    assert_eq!(wrong(publish("")), [("/terms".to_owned(), Rule::Required)]);
    let mut environment = Environment::Absent;
    environment.apply(&created().event, Timestamp::UNIX_EPOCH);
    environment.apply(&published, Timestamp::MAX);
    let open = environment.open().expect("an environment");
    assert_eq!(open.policy.terms, ["2026-01", "2026-06"]);
    assert_eq!(open.terms_published_at["2026-01"], Timestamp::UNIX_EPOCH);
    assert_eq!(open.terms_published_at["2026-06"], Timestamp::MAX);
    TestFramework::<Environment>::with(())
        .given_no_previous_events()
        .when(at(publish("2026-06")))
        .then_expect_error(EnvironmentError::NotFound);
}

#[test]
fn a1_a_change_of_policy_names_each_setting_with_its_old_and_new_value() {
    let draft = PolicyDraft {
        reason_required: Some(ReasonRequired::Always(true)),
        max_overlap_seconds: Some(7_884_000),
        redirect_rule: Some(RedirectRule::HttpsOnly),
        ..PolicyDraft::default()
    };
    let expected = PolicyChanged {
        reason_required: Some(Change::new(ReasonRequired::Always(false), ReasonRequired::Always(true))),
        redirect_rule: Some(Change::new(RedirectRule::HttpsOrLoopback, RedirectRule::HttpsOnly)),
        ..PolicyChanged::default()
    };
    given()
        .when(at(EnvironmentCommand::ChangePolicy(change(draft))))
        .then_expect_events(vec![changed(expected)]);
    let nothing = EnvironmentCommand::ChangePolicy(change(PolicyDraft::default()));
    given().when(at(nothing)).then_expect_events(vec![]);
}

#[test]
fn a1_a_reason_can_be_required_of_some_commands() {
    let required = ReasonRequired::For(["Delete".to_owned()].into());
    assert!(required.covers("Delete") && !required.covers("CreateClient"));
    assert!(ReasonRequired::Always(true).covers("Delete") && !ReasonRequired::Always(false).covers("Delete"));
    assert_eq!(serde_json::to_string(&required).expect("json"), r#"["Delete"]"#);
    assert_eq!(serde_json::from_str::<ReasonRequired>("true").expect("json"), ReasonRequired::Always(true));
    let unknown = ReasonRequired::For(["delete".to_owned()].into());
    let draft = PolicyDraft { reason_required: Some(unknown), ..PolicyDraft::default() };
    assert_eq!(wrong_policy(draft), [("/policy/reason_required".to_owned(), Rule::Unknown)]);
}

#[test]
fn d1_a_channels_defaults_are_those_of_the_catalog() {
    let with = |client_type: Option<&str>, scope: &str| PolicyDraft {
        compatibility_defaults: ChannelDraft {
            client_type: Some(client_type.map(str::to_owned)),
            scope: Some(scope.to_owned()),
            ..ChannelDraft::default()
        },
        ..PolicyDraft::default()
    };
    let at = |field: &str| format!("/policy/compatibility_defaults/{field}");
    assert_eq!(wrong_policy(with(Some("none"), "")), [(at("client_type"), Rule::Unknown)]);
    assert_eq!(
        wrong_policy(with(Some("standard"), "matters:read faxes:send")),
        [(at("scope"), Rule::NotAllowedByType)]
    );
    assert_eq!(wrong_policy(with(None, "matters:read")), [(at("scope"), Rule::Contradiction)]);
    let mut environment = Environment::Absent;
    environment.apply(&created().event, Timestamp::UNIX_EPOCH);
    let fits = EnvironmentCommand::ChangePolicy(change(with(Some("standard"), "matters:read")));
    let events = environment.decide(fits, Timestamp::UNIX_EPOCH).expect("a change");
    environment.apply(&events[0], Timestamp::UNIX_EPOCH);
    let defaults = &environment.policy().expect("a policy").compatibility_defaults;
    assert_eq!(defaults.client_type.as_deref(), Some("standard"));
    assert_eq!(defaults.scope.to_wire(), "matters:read");
    assert!(defaults.contacts_required && defaults.terms_required);
}

#[test]
fn a1_an_event_that_cannot_follow_changes_nothing() {
    let mut environment = Environment::Absent;
    let terms = Change::new("2026-01".into(), "2026-06".into());
    environment.apply(&EnvironmentEvent::TermsPublished(TermsPublished { terms }), Timestamp::UNIX_EPOCH);
    assert_eq!(environment, Environment::Absent);
    environment.apply(&created().event, Timestamp::UNIX_EPOCH);
    let before = environment.clone();
    let EnvironmentEvent::Created(mut again) = created().event else { panic!("an environment") };
    again.policy.reason_required = true;
    environment.apply(&EnvironmentEvent::Created(again), Timestamp::UNIX_EPOCH);
    assert_eq!(environment, before);
}
