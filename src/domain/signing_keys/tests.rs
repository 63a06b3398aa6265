//! Given, when, then.

use cqrs_es::test::TestFramework;

use super::*;
use crate::{At, Stamped};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

fn id(id: &str) -> SecretId {
    SecretId(id.to_owned())
}

fn rotate(
    key_id: &str,
    algorithm: SigningAlgorithm,
    active_from: i64,
    retire_others: bool,
) -> SigningKeyCommand {
    SigningKeyCommand::RotateSigningKey(RotateSigningKey {
        environment: EnvironmentName::parse("sandbox").expect("a name"),
        key_id: id(key_id),
        algorithm,
        public_key: PublicMembers::from([("kty".to_owned(), "EC".to_owned())]),
        commitment: "c".to_owned(),
        active_from: at(active_from),
        retire_others,
    })
}

fn created(key_id: &str, algorithm: SigningAlgorithm, active_from: i64) -> SigningKeyEvent {
    SigningKeyEvent::Created(SigningKeyCreated {
        environment: EnvironmentName::parse("sandbox").expect("a name"),
        key_id: id(key_id),
        algorithm,
        public_key: PublicMembers::from([("kty".to_owned(), "EC".to_owned())]),
        commitment: "c".to_owned(),
        active_from: at(active_from),
    })
}

fn retired(key_id: &str, algorithm: SigningAlgorithm) -> SigningKeyEvent {
    SigningKeyEvent::Retired(SigningKeyRetired { key_id: id(key_id), algorithm })
}

fn stamped(seconds: i64, event: SigningKeyEvent) -> Stamped<SigningKeyEvent> {
    Stamped { at: at(seconds), event }
}

use SigningAlgorithm::{Es256, Rs256};

fn given() -> Vec<Stamped<SigningKeyEvent>> {
    vec![
        stamped(0, created("a", Es256, 0)),
        stamped(0, created("r", Rs256, 0)),
        stamped(50, created("b", Es256, 100)),
    ]
}

fn folded() -> SigningKeys {
    let mut keys = SigningKeys::default();
    given().iter().for_each(|event| keys.apply(&event.event, event.at));
    keys
}

#[test]
fn oauth_79_a_new_key_is_published_before_it_signs_and_never_signs_in_the_past() {
    let framework = || TestFramework::<SigningKeys>::with(()).given(given());
    let now = at(60);
    framework()
        .when(At { now, command: rotate("c", Es256, 200, false) })
        .then_expect_events(vec![stamped(60, created("c", Es256, 200))]);
    framework()
        .when(At { now, command: rotate("c", Es256, 10, false) })
        .then_expect_events(vec![stamped(60, created("c", Es256, 60))]);
    let keys = folded();
    assert_eq!(keys.signer(Es256, now).map(|key| &key.id), Some(&id("a")));
    assert_eq!(keys.signer(Es256, at(100)).map(|key| &key.id), Some(&id("b")));
    assert_eq!(keys.signer(Rs256, at(100)).map(|key| &key.id), Some(&id("r")));
    assert_eq!(keys.published().count(), 3);
}

#[test]
fn oauth_79_a_key_that_leaked_is_believed_no_longer_and_the_new_one_signs_at_once() {
    TestFramework::<SigningKeys>::with(())
        .given(given())
        .when(At { now: at(60), command: rotate("c", Es256, 200, true) })
        .then_expect_events(vec![
            stamped(60, created("c", Es256, 60)),
            stamped(60, retired("a", Es256)),
            stamped(60, retired("b", Es256)),
        ]);
}

#[test]
fn oauth_79_a_key_is_retired_once_it_has_had_its_turn() {
    let retire = |now, key_id| At {
        now: at(now),
        command: SigningKeyCommand::RetireSigningKey { key_id: id(key_id) },
    };
    let framework = || TestFramework::<SigningKeys>::with(()).given(given());
    framework().when(retire(60, "a")).then_expect_error(SigningKeyError::InUse(id("a")));
    framework().when(retire(100, "a")).then_expect_events(vec![stamped(100, retired("a", Es256))]);
    framework().when(retire(100, "x")).then_expect_error(SigningKeyError::NoSuchKey(id("x")));
    let mut ended = given();
    ended.push(stamped(100, retired("a", Es256)));
    TestFramework::<SigningKeys>::with(())
        .given(ended)
        .when(retire(101, "a"))
        .then_expect_error(SigningKeyError::Retired(id("a")));
}

#[test]
fn oauth_79_keys_take_turns_on_a_schedule() {
    let keys = folded();
    let turn = SignedDuration::from_secs(1_000);
    assert!(!keys.is_due(Es256, turn, at(1_099)), "the newest began at 100");
    assert!(keys.is_due(Es256, turn, at(1_100)));
    assert!(keys.is_due(Rs256, turn, at(1_000)));
    let longest = SignedDuration::from_secs(30);
    let outlived = |now| keys.outlived(longest, at(now)).map(|key| key.id.0.clone()).collect::<Vec<_>>();
    assert_eq!(outlived(129), Vec::<String>::new());
    assert_eq!(outlived(130), ["a"]);
}
