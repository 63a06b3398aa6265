use domain::member::{MemberCreated, TokenRevoked};
use domain::{BuiltInRole, MemberEvent, SecretId};
use store::Position;

use super::*;
use crate::as_of::{Moment, replay};
use crate::testing::{Happening, TestLog, member};

fn created() -> MemberEvent {
    MemberEvent::Created(MemberCreated { roles: [BuiltInRole::Auditor.into()].into(), token: None })
}

fn revoked() -> MemberEvent {
    let descendants = Vec::new();
    MemberEvent::TokenRevoked(TokenRevoked { token_id: SecretId("none".into()), descendants })
}

#[tokio::test]
async fn l1_members_are_listed_newest_first_page_by_page() {
    let log = TestLog::new();
    for number in 1..=3 {
        log.record(Happening::new(format!("member-{}", member(number)), created())).await;
    }
    let position = log.record(Happening::new(format!("member-{}", member(2)), revoked())).await;
    let replayed = replay(&*log.log, Moment::Position(position)).unwrap();
    assert!(replayed.checkpoints.iter().all(|view| view.halt.is_none()));
    let first = list(&replayed.reader, None, 2).unwrap();
    assert_eq!(first.items.iter().map(|row| row.id).collect::<Vec<_>>(), [member(3), member(2)]);
    assert_eq!((first.items[1].revision.get(), first.items[1].position), (2, position));
    assert_eq!(first.items[0].position, Position::new(3));
    let rest = list(&replayed.reader, first.next, 2).unwrap();
    assert_eq!((rest.items[0].id, rest.items.len(), rest.next), (member(1), 1, None));
}

#[tokio::test]
async fn a9_an_event_of_a_member_that_never_was_halts_the_view() {
    let log = TestLog::new();
    let position = log.record(Happening::new(format!("member-{}", member(2)), revoked())).await;
    let replayed = replay(&*log.log, Moment::Position(position)).unwrap();
    let halted = replayed.checkpoints.iter().find(|view| view.projection == NAME).unwrap();
    assert_eq!(halted.halt.as_ref().unwrap().cause, "`member.token_revoked` before the member exists");
}
