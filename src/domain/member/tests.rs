//! Given, when, then for every rule of a member.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};

use super::*;
use uuid::Uuid;

use crate::{At, MemberId, Stamped};

const YEAR: u32 = 365 * 24 * 60 * 60;

fn at_second(seconds: u32) -> Timestamp {
    after("2026-01-01T00:00:00.123456Z".parse().expect("a time"), seconds)
}

fn roles(roles: &[Role]) -> BTreeSet<Role> {
    roles.iter().copied().collect()
}

fn permissions(permissions: &[Permission]) -> BTreeSet<Permission> {
    permissions.iter().copied().collect()
}

fn id(name: &str) -> SecretId {
    SecretId(name.to_owned())
}

fn token(name: &str, expires_at: u32) -> IssuedToken {
    IssuedToken {
        id: id(name),
        label: "laptop".into(),
        hint: format!("mpt_{name}"),
        permissions: permissions(&[Permission::ClientsRead]),
        expires_at: at_second(expires_at),
        commitment: format!("commitment of {name}"),
        parent: None,
        issued_by: None,
    }
}

fn asked(name: &str, seconds: u32) -> IssueToken {
    IssueToken {
        id: id(name),
        label: "laptop".into(),
        hint: format!("mpt_{name}"),
        permissions: permissions(&[Permission::ClientsRead]),
        expires_in_seconds: seconds,
        commitment: format!("commitment of {name}"),
        made_with: None,
    }
}

fn created() -> MemberEvent {
    MemberEvent::Created(MemberCreated {
        roles: roles(&[Role::IntegrationManager]),
        token: Some(token("first", YEAR)),
    })
}

fn issued(name: &str, expires_at: u32) -> MemberEvent {
    MemberEvent::TokenIssued(TokenIssued { token: token(name, expires_at) })
}

fn revoked(name: &str) -> MemberEvent {
    MemberEvent::TokenRevoked(TokenRevoked { token_id: id(name), descendants: Vec::new() })
}

fn revoke(name: &str) -> MemberCommand {
    MemberCommand::RevokeToken { token_id: id(name) }
}

fn create(edit: impl FnOnce(&mut CreateMember)) -> MemberCommand {
    let mut create =
        CreateMember { roles: roles(&[Role::IntegrationManager]), token: Some(token("first", YEAR)) };
    edit(&mut create);
    MemberCommand::CreateMember(create)
}

fn issue(edit: impl FnOnce(&mut IssueToken)) -> MemberCommand {
    let mut issue = asked("second", 100);
    edit(&mut issue);
    MemberCommand::IssueToken(issue)
}

fn nothing() -> AggregateTestExecutor<Member> {
    TestFramework::<Member>::with(()).given_no_previous_events()
}

/// A member created at second 0, and what happened to it since.
fn given(since: &[(u32, MemberEvent)]) -> AggregateTestExecutor<Member> {
    TestFramework::<Member>::with(()).given(history(since))
}

fn history(since: &[(u32, MemberEvent)]) -> Vec<Stamped<MemberEvent>> {
    let first = (0, created());
    [first]
        .iter()
        .chain(since)
        .map(|(at, event)| Stamped { at: at_second(*at), event: event.clone() })
        .collect()
}

fn membership(since: &[(u32, MemberEvent)]) -> Membership {
    let mut member = Member::Absent;
    for Stamped { at, event } in history(since) {
        member.apply(&event, at);
    }
    member.membership().expect("a member").clone()
}

fn decided(
    given: AggregateTestExecutor<Member>,
    at: u32,
    command: MemberCommand,
) -> Result<Vec<MemberEvent>, MemberError> {
    let events = given.when(At { now: at_second(at), command }).inspect_result()?;
    Ok(events.into_iter().map(|stamped| stamped.event).collect())
}

fn wrong(given: AggregateTestExecutor<Member>, command: MemberCommand) -> Vec<(String, Rule)> {
    match decided(given, 0, command) {
        Err(MemberError::Invalid(wrong)) => wrong.into_iter().map(|one| (one.pointer, one.rule)).collect(),
        other => panic!("not a question of fields: {other:?}"),
    }
}

fn at(pointer: &str, rule: Rule) -> Vec<(String, Rule)> {
    vec![(pointer.to_owned(), rule)]
}

#[test]
fn l1_a_member_is_created_once() {
    assert_eq!(decided(nothing(), 0, create(|_| {})), Ok(vec![created()]));
    let bare = MemberEvent::Created(MemberCreated { roles: roles(&[Role::Auditor]), token: None });
    let command = MemberCommand::CreateMember(CreateMember { roles: roles(&[Role::Auditor]), token: None });
    assert_eq!(decided(nothing(), 0, command), Ok(vec![bare]));
    assert_eq!(decided(given(&[]), 1, create(|_| {})), Err(MemberError::AlreadyExists));
    let now = membership(&[]);
    assert_eq!((now.created_at, now.tokens.len(), now.tokens[0].created_at), (at_second(0), 1, at_second(0)));
}

#[test]
fn l1_a_member_that_is_not_there_refuses_everything() {
    for command in
        [MemberCommand::ChangeRoles { roles: roles(&[Role::Auditor]) }, issue(|_| {}), revoke("first")]
    {
        assert_eq!(decided(nothing(), 0, command.clone()), Err(MemberError::NotFound), "{command:?}");
    }
}

#[test]
fn l1_a_member_has_a_role() {
    assert_eq!(
        wrong(nothing(), create(|create| *create = CreateMember { roles: roles(&[]), token: None })),
        at("/roles", Rule::Required)
    );
    assert_eq!(
        wrong(given(&[]), MemberCommand::ChangeRoles { roles: roles(&[]) }),
        at("/roles", Rule::Required)
    );
}

#[test]
fn l1_the_first_token_keeps_the_rules_of_every_token() {
    let first = |edit: fn(&mut IssuedToken)| {
        wrong(nothing(), create(|create| edit(create.token.as_mut().expect("a token"))))
    };
    assert_eq!(first(|token| token.label = String::new()), at("/token/label", Rule::Required));
    assert_eq!(first(|token| token.permissions.clear()), at("/token/permissions", Rule::Required));
    assert_eq!(
        first(|token| token.permissions = permissions(&[Permission::MembersWrite])),
        at("/token/permissions", Rule::OutOfRange)
    );
    assert_eq!(first(|token| token.expires_at = at_second(0)), at("/token/expires_at", Rule::OutOfRange));
    assert_eq!(
        first(|token| token.expires_at = at_second(MAX_TOKEN_LIFETIME_SECONDS + 1)),
        at("/token/expires_at", Rule::OutOfRange)
    );
    let fine = create(|create| {
        let token = create.token.as_mut().expect("a token");
        token.label = " laptop ".into();
        token.expires_at += SignedDuration::from_nanos(999);
    });
    assert_eq!(decided(nothing(), 0, fine), Ok(vec![created()]), "as the log will give it back");
}

#[test]
fn l1_roles_change_with_old_and_new() {
    let to = |all: &[Role]| MemberCommand::ChangeRoles { roles: roles(all) };
    let changed = MemberEvent::RolesChanged(RolesChanged {
        roles: Change::new(roles(&[Role::IntegrationManager]), roles(&[Role::Administrator, Role::Auditor])),
    });
    assert_eq!(decided(given(&[]), 1, to(&[Role::Auditor, Role::Administrator])), Ok(vec![changed.clone()]));
    assert_eq!(decided(given(&[]), 1, to(&[Role::IntegrationManager])), Ok(vec![]));
    assert_eq!(membership(&[(1, changed)]).permissions().len(), Permission::ALL.len());
}

#[test]
fn l1_permissions_are_those_of_all_roles() {
    let both = MemberEvent::RolesChanged(RolesChanged {
        roles: Change::new(
            roles(&[Role::IntegrationManager]),
            roles(&[Role::IntegrationManager, Role::Auditor]),
        ),
    });
    let now = membership(&[(1, both)]).permissions();
    assert!(now.contains(&Permission::ClientsWrite) && now.contains(&Permission::AuditReadPrivate));
    assert!(!now.contains(&Permission::MembersWrite));
}

#[test]
fn l1_a_token_is_issued_within_its_members_permissions() {
    assert_eq!(decided(given(&[]), 10, issue(|_| {})), Ok(vec![issued("second", 110)]));
    assert_eq!(
        decided(given(&[]), 10, issue(|issue| issue.label = " laptop\t".into())),
        Ok(vec![issued("second", 110)])
    );
    assert_eq!(
        wrong(given(&[]), issue(|issue| issue.permissions.clear())),
        at("/permissions", Rule::Required)
    );
    let two = permissions(&[Permission::ClientsRead, Permission::MembersWrite, Permission::CatalogWrite]);
    assert_eq!(
        wrong(given(&[]), issue(|issue| issue.permissions = two)),
        [at("/permissions", Rule::OutOfRange), at("/permissions", Rule::OutOfRange)].concat(),
        "each one is named"
    );
    let wrong_label = |label: &str| wrong(given(&[]), issue(|issue| issue.label = label.into()));
    assert_eq!(wrong_label(" "), at("/label", Rule::Required));
    assert_eq!(wrong_label("a\u{0}"), at("/label", Rule::ControlCharacter));
    assert_eq!(wrong_label(&"x".repeat(101)), at("/label", Rule::TooLong));
}

#[test]
fn l1_a_token_has_an_end() {
    for seconds in [0, MAX_TOKEN_LIFETIME_SECONDS + 1, u32::MAX] {
        let refused = wrong(given(&[]), issue(|issue| issue.expires_in_seconds = seconds));
        assert_eq!(refused, at("/expires_in_seconds", Rule::OutOfRange), "{seconds}");
    }
    assert!(
        decided(given(&[]), 0, issue(|issue| issue.expires_in_seconds = MAX_TOKEN_LIFETIME_SECONDS)).is_ok()
    );
    let first = &membership(&[]).tokens[0];
    assert!(first.live(at_second(YEAR - 1)) && !first.live(at_second(YEAR)));
}

#[test]
fn l1_a_member_has_at_most_fifty_live_tokens() {
    let fifty: Vec<_> = (1..50).map(|n| (n, issued(&format!("t{n}"), 2 * YEAR))).collect();
    assert!(decided(given(&fifty[..48]), 60, issue(|_| {})).is_ok());
    assert_eq!(decided(given(&fifty), 60, issue(|_| {})), Err(MemberError::TooManyTokens { most: 50 }));
    assert!(decided(given(&fifty), YEAR, issue(|_| {})).is_ok(), "the first one has expired");
    let fewer: Vec<_> = fifty.into_iter().chain([(55, revoked("t7"))]).collect();
    assert!(decided(given(&fewer), 60, issue(|_| {})).is_ok());
}

#[test]
fn l1_a_token_is_revoked_once() {
    assert_eq!(decided(given(&[]), 1, revoke("first")), Ok(vec![revoked("first")]));
    let since = [(1, revoked("first"))];
    assert!(!membership(&since).tokens[0].live(at_second(1)));
    assert_eq!(decided(given(&since), 2, revoke("first")), Err(MemberError::TokenNotLive(id("first"))));
    assert_eq!(decided(given(&[]), YEAR, revoke("first")), Err(MemberError::TokenNotLive(id("first"))));
    assert_eq!(decided(given(&[]), 1, revoke("other")), Err(MemberError::NoSuchToken(id("other"))));
}

#[test]
fn l1_a_token_leads_to_its_member() {
    let take = |name: &str| ClaimChange::Take(Claim::personal_token(name));
    assert_eq!(Member::claims(&[created(), issued("second", 9)]), [take("first"), take("second")]);
    assert_eq!(Member::claims(&[revoked("first")]), [], "a revoked token is still known as whose it was");
}

#[test]
fn a1_an_event_that_cannot_follow_changes_nothing() {
    let other = MemberEvent::Created(MemberCreated { roles: roles(&[Role::Administrator]), token: None });
    assert_eq!(membership(&[(1, other)]), membership(&[]));
    let twice = [(1, revoked("first")), (2, revoked("first"))];
    assert_eq!(membership(&twice).tokens[0].revoked_at, Some(at_second(1)));
    let mut absent = Member::Absent;
    absent.apply(&issued("second", 9), at_second(1));
    assert_eq!(absent, Member::Absent);
}

fn made_with(name: &str, seconds: u32, maker: &str) -> MemberCommand {
    let made = MadeWith { member: MemberId(Uuid::nil()), token: id(maker) };
    MemberCommand::IssueToken(IssueToken { made_with: Some(made), ..asked(name, seconds) })
}

#[test]
fn a12_a_token_makes_none_that_outlives_it_and_ends_with_what_it_made() {
    let now = at_second(0);
    let mut member = Member::default();
    member.apply(&created(), now);
    let refused =
        member.decide(made_with("child", YEAR + 1, "first"), now).expect_err("longer than its parent");
    assert!(matches!(refused, MemberError::Invalid(wrong) if wrong[0].pointer == "/expires_in_seconds"));
    for (name, maker) in [("child", "first"), ("grandchild", "child"), ("other", "of-somebody-else")] {
        for event in member.decide(made_with(name, 60, maker), now).expect("short enough") {
            member.apply(&event, now);
        }
    }
    let tokens = &member.membership().expect("a member").tokens;
    assert_eq!(tokens[2].parent, Some(id("child")));
    assert_eq!(tokens[3].parent, None, "a token of somebody else is no parent");
    let ended = member.decide(revoke("child"), now).expect("it is live");
    let revoked = TokenRevoked { token_id: id("child"), descendants: vec![id("grandchild")] };
    assert_eq!(ended, [MemberEvent::TokenRevoked(revoked)]);
    ended.iter().for_each(|event| member.apply(event, now));
    let live = |name: &str| {
        member
            .membership()
            .expect("a member")
            .tokens
            .iter()
            .any(|token| token.id == id(name) && token.live(now))
    };
    assert!(!live("child") && !live("grandchild") && live("first") && live("other"));
}
