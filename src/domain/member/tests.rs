//! Given, when, then for every rule of a member.

use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use jiff::SignedDuration;
use uuid::Uuid;

use super::{token::after, *};
use crate::{At, EnvironmentName, MemberId, Permission, Stamped};

const YEAR: u32 = 365 * 24 * 60 * 60;

fn at_second(seconds: u32) -> Timestamp {
    after("2026-01-01T00:00:00.123456Z".parse().expect("a time"), seconds)
}

fn roles(roles: &[BuiltInRole]) -> BTreeSet<RoleGrant> {
    roles.iter().map(|role| RoleGrant::from(*role)).collect()
}

fn asked_roles(asked: &[BuiltInRole]) -> Vec<RoleGrant> {
    roles(asked).into_iter().collect()
}

fn within(names: &[&str]) -> Reach {
    Reach::Within(names.iter().map(|name| EnvironmentName::parse(name).expect("a name")).collect())
}

fn change_roles(roles: Vec<RoleGrant>) -> MemberCommand {
    let own_roles = OwnRoles::new();
    MemberCommand::ChangeRoles(ChangeRoles { roles, own_roles, another_administrator: false })
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
        reach: Reach::Everywhere,
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
        reach: Reach::Everywhere,
        expires_in_seconds: seconds,
        commitment: format!("commitment of {name}"),
        made_with: None,
        own_roles: OwnRoles::new(),
    }
}

fn created() -> MemberEvent {
    MemberEvent::Created(MemberCreated {
        roles: roles(&[BuiltInRole::IntegrationManager]),
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
    MemberCommand::RevokeToken { token_id: id(name), allow_lockout: false, another_administrator: false }
}

fn create(edit: impl FnOnce(&mut CreateMember)) -> MemberCommand {
    let mut create = bare(&[BuiltInRole::IntegrationManager]);
    create.token = Some(token("first", YEAR));
    edit(&mut create);
    MemberCommand::CreateMember(create)
}

fn bare(roles: &[BuiltInRole]) -> CreateMember {
    CreateMember { roles: asked_roles(roles), own_roles: OwnRoles::new(), token: None, password: None }
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
    let bare = MemberEvent::Created(MemberCreated { roles: roles(&[BuiltInRole::Auditor]), token: None });
    let command = MemberCommand::CreateMember(self::bare(&[BuiltInRole::Auditor]));
    assert_eq!(decided(nothing(), 0, command), Ok(vec![bare]));
    assert_eq!(decided(given(&[]), 1, create(|_| {})), Err(MemberError::AlreadyExists));
    let now = membership(&[]);
    assert_eq!((now.created_at, now.tokens.len(), now.tokens[0].created_at), (at_second(0), 1, at_second(0)));
}

#[test]
fn l1_a_member_that_is_not_there_refuses_everything() {
    for command in [
        change_roles(asked_roles(&[BuiltInRole::Auditor])),
        MemberCommand::ChangeDetails { details: [MemberDetail::Name].into() },
        MemberCommand::Deactivate { another_administrator: true },
        MemberCommand::Enable,
        issue(|_| {}),
        revoke("first"),
    ] {
        assert_eq!(decided(nothing(), 0, command.clone()), Err(MemberError::NotFound), "{command:?}");
    }
}

#[test]
fn l1_a_member_has_a_role() {
    assert_eq!(wrong(nothing(), create(|create| *create = bare(&[]))), at("/roles", Rule::Required));
    assert_eq!(wrong(given(&[]), change_roles(Vec::new())), at("/roles", Rule::Required));
}

#[test]
fn l1_a_role_is_known_given_once_and_limited_to_something() {
    let grant = |name: &str, reach: Reach| RoleGrant { role: RoleName::parse(name).expect("a name"), reach };
    let asked = |roles: Vec<RoleGrant>| wrong(given(&[]), change_roles(roles));
    assert_eq!(asked(vec![grant("on_call", Reach::Everywhere)]), at("/roles/0", Rule::Unknown));
    let twice = vec![grant("auditor", Reach::Everywhere), grant("auditor", within(&["sandbox"]))];
    assert_eq!(asked(twice), at("/roles/1", Rule::Duplicate));
    assert_eq!(asked(vec![grant("auditor", within(&[]))]), at("/roles/0/environments", Rule::Required));
    let names: Vec<_> = (0..21).map(|number| format!("e{number}")).collect();
    let many = within(&names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(asked(vec![grant("auditor", many)]), at("/roles/0/environments", Rule::TooMany));
    let roles = vec![grant("on_call", within(&["sandbox"]))];
    let own_roles: OwnRoles = [(roles[0].role.clone(), permissions(&[Permission::SecretsReveal]))].into();
    let known =
        ChangeRoles { roles: roles.clone(), own_roles: own_roles.clone(), another_administrator: false };
    let changed = decided(given(&[]), 1, MemberCommand::ChangeRoles(known)).expect("a known role");
    let now = membership(&[(1, changed[0].clone())]);
    assert_eq!(now.roles, roles.into_iter().collect());
    let sandbox = EnvironmentName::parse("sandbox").expect("a name");
    assert!(now.rights(&own_roles).allows(Permission::SecretsReveal, Some(&sandbox)));
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
    let to = |all: &[BuiltInRole]| change_roles(asked_roles(all));
    let changed = MemberEvent::RolesChanged(RolesChanged {
        roles: Change::new(
            roles(&[BuiltInRole::IntegrationManager]),
            roles(&[BuiltInRole::Administrator, BuiltInRole::Auditor]),
        ),
    });
    assert_eq!(
        decided(given(&[]), 1, to(&[BuiltInRole::Auditor, BuiltInRole::Administrator])),
        Ok(vec![changed.clone()])
    );
    assert_eq!(decided(given(&[]), 1, to(&[BuiltInRole::IntegrationManager])), Ok(vec![]));
    assert_eq!(
        membership(&[(1, changed)]).rights(&OwnRoles::new()).permissions().len(),
        Permission::ALL.len()
    );
}

#[test]
fn l1_permissions_are_those_of_all_roles() {
    let both = MemberEvent::RolesChanged(RolesChanged {
        roles: Change::new(
            roles(&[BuiltInRole::IntegrationManager]),
            roles(&[BuiltInRole::IntegrationManager, BuiltInRole::Auditor]),
        ),
    });
    let now = membership(&[(1, both)]).rights(&OwnRoles::new()).permissions();
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
fn l1_of_the_tokens_that_ended_the_newest_are_remembered() {
    let mut since = vec![(1, issued("lasting", YEAR))];
    for number in 0..300 {
        let name = format!("t{number}");
        since.extend([(number + 2, issued(&name, YEAR)), (number + 2, revoked(&name))]);
    }
    since.push((400, issued("last", YEAR)));
    let tokens = membership(&since).tokens;
    let names: Vec<_> = tokens.iter().map(|token| token.id.to_string()).collect();
    assert_eq!(tokens.len(), 203, "three that are live, and 200 that ended");
    assert_eq!(names[..3], ["first", "lasting", "t100"]);
    assert_eq!(names[202], "last");
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
    let other =
        MemberEvent::Created(MemberCreated { roles: roles(&[BuiltInRole::Administrator]), token: None });
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
    let refused = member.decide(made_with("late", 30, "child"), now);
    assert_eq!(refused, Err(MemberError::TokenNotLive(id("child"))), "what has ended makes nothing any more");
}

#[test]
fn l1_a_token_reaches_no_further_than_the_one_that_makes_it() {
    let limited = MemberEvent::TokenIssued(TokenIssued {
        token: IssuedToken { reach: within(&["sandbox"]), ..token("limited", YEAR) },
    });
    let make = |reach: Reach| {
        let made = MadeWith { member: MemberId(Uuid::nil()), token: id("limited") };
        MemberCommand::IssueToken(IssueToken { made_with: Some(made), reach, ..asked("child", 60) })
    };
    let since = [(1, limited)];
    for reach in [Reach::Everywhere, within(&["sandbox", "production"])] {
        assert_eq!(wrong(given(&since), make(reach)), at("/environments", Rule::OutOfRange));
    }
    assert_eq!(wrong(given(&since), make(within(&[]))), at("/environments", Rule::Required));
    assert!(decided(given(&since), 2, make(within(&["sandbox"]))).is_ok());
}

#[test]
fn l1_a_member_is_deactivated_and_enabled() {
    let deactivate = || MemberCommand::Deactivate { another_administrator: false };
    let changed = |old, new| StatusChanged { status: Change::new(old, new) };
    let off = MemberEvent::Deactivated(changed(MemberStatus::Active, MemberStatus::Inactive));
    let on = MemberEvent::Enabled(changed(MemberStatus::Inactive, MemberStatus::Active));
    assert_eq!(decided(given(&[]), 1, deactivate()), Ok(vec![off.clone()]));
    assert_eq!(decided(given(&[]), 1, MemberCommand::Enable), Err(MemberError::NotInactive));
    let since = [(1, off)];
    assert_eq!(membership(&since).status, MemberStatus::Inactive);
    assert_eq!(decided(given(&since), 2, deactivate()), Err(MemberError::NotActive));
    assert_eq!(decided(given(&since), 2, MemberCommand::Enable), Ok(vec![on]));
}

#[test]
fn a3_a_change_of_who_it_is_names_what_changed_and_nothing_of_it() {
    let details = |details: &[MemberDetail]| details.iter().copied().collect::<BTreeSet<_>>();
    let ask = |all: &[MemberDetail]| MemberCommand::ChangeDetails { details: details(all) };
    let changed = MemberEvent::DetailsChanged(DetailsChanged { details: details(&[MemberDetail::Email]) });
    assert_eq!(decided(given(&[]), 1, ask(&[MemberDetail::Email])), Ok(vec![changed.clone()]));
    assert_eq!(decided(given(&[]), 1, ask(&[])), Ok(vec![]));
    assert_eq!(membership(&[(1, changed)]), membership(&[]));
}

/// An administrator with one token that can manage members and one that cannot.
fn administrator() -> Vec<(u32, MemberEvent)> {
    let roles = Change::new(roles(&[BuiltInRole::IntegrationManager]), roles(&[BuiltInRole::Administrator]));
    let full = IssuedToken { permissions: permissions(&[Permission::MembersWrite]), ..token("full", YEAR) };
    vec![
        (1, MemberEvent::RolesChanged(RolesChanged { roles })),
        (1, MemberEvent::TokenIssued(TokenIssued { token: full })),
    ]
}

#[test]
fn l1_the_last_administrator_stays_one() {
    let since = administrator();
    let refused =
        |command| assert_eq!(decided(given(&since), 2, command), Err(MemberError::LastAdministrator));
    let limited = RoleGrant { role: BuiltInRole::Administrator.name(), reach: within(&["sandbox"]) };
    for roles in [asked_roles(&[BuiltInRole::Auditor]), vec![limited]] {
        refused(change_roles(roles.clone()));
        let demote = ChangeRoles { roles, own_roles: OwnRoles::new(), another_administrator: true };
        assert!(decided(given(&since), 2, MemberCommand::ChangeRoles(demote)).is_ok());
    }
    refused(MemberCommand::Deactivate { another_administrator: false });
    assert!(decided(given(&since), 2, MemberCommand::Deactivate { another_administrator: true }).is_ok());
    let both = asked_roles(&[BuiltInRole::Auditor, BuiltInRole::Administrator]);
    assert!(decided(given(&since), 2, change_roles(both)).is_ok(), "it stays one");
}

#[test]
fn l1_the_last_token_of_the_last_administrator_is_not_revoked_by_accident() {
    let since = administrator();
    assert!(membership(&since).can_administer(at_second(2)));
    assert_eq!(decided(given(&since), 2, revoke("full")), Err(MemberError::LastAdministrator));
    assert!(decided(given(&since), 2, revoke("first")).is_ok(), "it could not manage members");
    for (allow_lockout, another_administrator) in [(true, false), (false, true)] {
        let token_id = id("full");
        let meant = MemberCommand::RevokeToken { token_id, allow_lockout, another_administrator };
        assert!(decided(given(&since), 2, meant).is_ok());
    }
    let mut more = since.clone();
    let second = IssuedToken { permissions: permissions(&[Permission::MembersWrite]), ..token("more", YEAR) };
    more.push((2, MemberEvent::TokenIssued(TokenIssued { token: second })));
    assert!(decided(given(&more), 3, revoke("full")).is_ok(), "another one is left");
    assert!(!membership(&since).can_administer(at_second(YEAR)), "expired is not able");
}
