//! Given, when, then.

use cqrs_es::test::TestFramework;
use uuid::Uuid;

use super::*;
use crate::{At, Stamped};

fn scope(text: &str) -> ScopeSet {
    ScopeSet::parse(text, "/scope").expect("scopes")
}

fn given(scopes: &str, remembered: bool) -> GrantGiven {
    GrantGiven {
        environment: EnvironmentName::parse("sandbox").expect("a name"),
        client_id: ClientId(Uuid::from_u128(1)),
        member_id: MemberId(Uuid::from_u128(2)),
        scope: scope(scopes),
        remembered,
    }
}

fn denied() -> GrantDenied {
    let GrantGiven { environment, client_id, member_id, scope, .. } = given("a", false);
    GrantDenied { environment, client_id, member_id, scope }
}

fn ended() -> GrantEnded {
    GrantEnded { client_id: ClientId(Uuid::from_u128(1)), member_id: MemberId(Uuid::from_u128(2)) }
}

fn at(command: GrantCommand) -> At<GrantCommand> {
    At { now: Timestamp::UNIX_EPOCH, command }
}

fn stamped(event: GrantEvent) -> Stamped<GrantEvent> {
    Stamped { at: Timestamp::UNIX_EPOCH, event }
}

fn framework(events: &[GrantEvent]) -> cqrs_es::test::AggregateTestExecutor<Grant> {
    TestFramework::<Grant>::with(()).given(events.iter().cloned().map(stamped).collect())
}

fn folded(events: &[GrantEvent]) -> Grant {
    let mut grant = Grant::Absent;
    events.iter().for_each(|event| grant.apply(event, Timestamp::UNIX_EPOCH));
    grant
}

fn reused() -> GrantEvent {
    GrantEvent::CodeReused(CodeReused {
        code_id: SecretId("c".to_owned()),
        client_id: ClientId(Uuid::from_u128(1)),
        member_id: MemberId(Uuid::from_u128(2)),
    })
}

#[test]
fn oauth_21_consent_is_given_or_denied_and_either_is_an_event() {
    let none = || TestFramework::<Grant>::with(()).given_no_previous_events();
    let give = || GrantCommand::Give(given("a b", true));
    none().when(at(give())).then_expect_events(vec![stamped(GrantEvent::Given(given("a b", true)))]);
    none()
        .when(at(GrantCommand::Deny(denied())))
        .then_expect_events(vec![stamped(GrantEvent::Denied(denied()))]);
    none().when(at(GrantCommand::Withdraw)).then_expect_error(GrantError::NotFound);
    framework(&[GrantEvent::Denied(denied())]).when(at(give())).then_expect_error(GrantError::Another);
}

#[test]
fn oauth_21_a_remembered_grant_grows_with_what_the_member_allows_beside_it() {
    let before = [GrantEvent::Given(given("a b", true))];
    framework(&before).when(at(GrantCommand::Give(given("a", true)))).then_expect_events(vec![]);
    let widened = GrantWidened {
        client_id: ended().client_id,
        member_id: ended().member_id,
        scope: Change::new(scope("a b"), scope("a b c")),
    };
    framework(&before)
        .when(at(GrantCommand::Give(given("c", true))))
        .then_expect_events(vec![stamped(GrantEvent::Widened(widened))]);
    let other = GrantGiven { member_id: MemberId(Uuid::from_u128(3)), ..given("c", true) };
    framework(&before).when(at(GrantCommand::Give(other))).then_expect_error(GrantError::Another);
}

#[test]
fn oauth_66_what_ended_does_not_end_again_nor_come_back() {
    let before = [GrantEvent::Given(given("a", true))];
    framework(&before)
        .when(at(GrantCommand::Withdraw))
        .then_expect_events(vec![stamped(GrantEvent::Withdrawn(ended()))]);
    framework(&before)
        .when(at(GrantCommand::Revoke))
        .then_expect_events(vec![stamped(GrantEvent::Revoked(ended()))]);
    for end in [GrantEvent::Withdrawn(ended()), GrantEvent::Revoked(ended()), reused()] {
        let after = [before[0].clone(), end];
        assert!(!folded(&after).given().is_some_and(GivenGrant::is_live));
        framework(&after).when(at(GrantCommand::Withdraw)).then_expect_events(vec![]);
        framework(&after).when(at(GrantCommand::Revoke)).then_expect_events(vec![]);
        framework(&after)
            .when(at(GrantCommand::Give(given("a b", true))))
            .then_expect_error(GrantError::Ended);
    }
}

#[test]
fn oauth_25_a_code_that_comes_twice_ends_the_grant_and_is_told_each_time() {
    let command = || at(GrantCommand::ReportReusedCode(SecretId("c".to_owned())));
    let before = [GrantEvent::Given(given("a", false))];
    framework(&before).when(command()).then_expect_events(vec![stamped(reused())]);
    framework(&[before[0].clone(), reused()]).when(command()).then_expect_events(vec![stamped(reused())]);
}

#[test]
fn oauth_47_a_refresh_token_that_comes_after_its_successor_ends_the_grant() {
    let before = [GrantEvent::Given(given("a", false))];
    let event = GrantEvent::RefreshTokenReused(RefreshTokenReused {
        token_id: SecretId("r".to_owned()),
        client_id: ClientId(Uuid::from_u128(1)),
        member_id: MemberId(Uuid::from_u128(2)),
    });
    framework(&before)
        .when(at(GrantCommand::ReportReusedRefreshToken(SecretId("r".to_owned()))))
        .then_expect_events(vec![stamped(event.clone())]);
    assert!(!folded(&[before[0].clone(), event]).given().is_some_and(GivenGrant::is_live));
}

#[test]
fn oauth_21_only_a_remembered_grant_is_found_again_and_only_while_it_lasts() {
    let environment = EnvironmentName::parse("sandbox").expect("a name");
    let (client_id, member_id) = (ended().client_id, ended().member_id);
    let take = ClaimChange::Take(Claim::remembered_grant(&environment, client_id, member_id));
    assert_eq!(GrantEvent::Given(given("a", true)).claims(&environment), [take]);
    assert_eq!(GrantEvent::Given(given("a", false)).claims(&environment), []);
    let release = ClaimChange::Release { namespace: "remembered_grant:sandbox".to_owned() };
    for end in [GrantEvent::Withdrawn(ended()), GrantEvent::Revoked(ended()), reused()] {
        assert_eq!(end.claims(&environment), std::slice::from_ref(&release));
    }
}
