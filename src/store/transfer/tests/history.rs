//! An instance with everything in it that there can be.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::place::Open;
use crate::activity::{
    Activity, ActivityCommit, ClosedSegment, Count, VerifiedDigest, Voucher, VoucherChange,
};
use crate::clock::Clock as _;
use crate::commit::{ClaimChange, Commit, DisclosureKey, LookupToken};
use crate::conformance::activity::{commit as recording, refused, used};
use crate::conformance::check_log;
use crate::conformance::sample::{command_id, commit, credential, disclosure, key, one, stream, to};
use crate::error::AppendError;
use crate::event_log::TokenPage;
use crate::keys::{PersonKey, WrappedKey};
use crate::position::{ExpectedRevision, Position};

const ADA: Uuid = Uuid::from_u128(0xada);
const BOB: Uuid = Uuid::from_u128(0xb0b);
/// So many are in it.
const EVENTS: u64 = 38;
const TOKEN: [u8; 16] = [7; 16];

fn data_key(number: u8) -> WrappedKey {
    // Not in the order of their ids.
    WrappedKey { id: format!("key-{}", 200 - number), purpose: "vault".to_owned(), wrapped: vec![number; 48] }
}

fn person(person: Uuid, token: Option<&[u8]>) -> PersonKey {
    PersonKey { person, token: token.map(<[u8]>::to_vec), wrapped: vec![3; 48] }
}

fn disclosing(command: u64, keys: &[DisclosureKey]) -> Commit {
    let mut commit = one(command, "disclosing");
    for (number, key) in keys.iter().enumerate() {
        let digest = format!("digest {number} of {command}");
        commit.streams[0].events[0].private.push(digest.clone());
        commit.disclosures.push(disclosure(&digest, *key));
    }
    commit
}

/// Fills an empty instance, and closes it.
pub(super) async fn fill(open: &Open) {
    fill_log(open).await;
    fill_keys(open).await;
    fill_activity(open).await;
    open.close().await;
}

async fn fill_log(Open { log, clock, .. }: &Open) {
    let mut commits: Vec<Commit> = (1..10).map(|number| one(number, &format!("a{}", number % 4))).collect();
    let both = |number| {
        let to = |id| to(stream(id), ExpectedRevision::Any, &[number, number + 100]);
        commit(number, vec![to("both-1"), to("a1")])
    };
    commits.extend((10..14).map(both));
    let take = |name: &str, id: &str| ClaimChange::Take { key: key(name), stream: stream(id) };
    let names = |names: &[&str]| names.iter().map(|name| take(name, "a1")).collect();
    commits.push(Commit { claims: names(&["kept", "moved", "released", "é", "Z"]), ..one(20, "a1") });
    let release = |name: &str| ClaimChange::Release { key: key(name), stream: stream("a1") };
    commits.push(Commit {
        claims: vec![release("moved"), take("moved", "a2"), release("released")],
        ..one(21, "a2")
    });
    let secrets = ["s1", "s2", "s3", "s4", "s5"].map(credential).to_vec();
    commits.push(Commit { credentials: secrets, ..one(22, "a1") });
    commits.push(Commit { destroyed_credentials: vec!["s2".to_owned()], ..one(23, "a1") });
    let (ada, event) = (DisclosureKey::Person(ADA), DisclosureKey::Event);
    commits.push(disclosing(30, &[ada, DisclosureKey::Person(BOB), event(3), event(257)]));
    commits.push(disclosing(31, &[ada, event(4)]));
    let found_by = |command, person| Commit {
        lookup_tokens: vec![LookupToken { token: TOKEN, person }],
        ..one(command, "a3")
    };
    commits.extend([found_by(40, Some(ADA)), found_by(41, None), found_by(42, Some(BOB))]);
    commits.push(Commit { forgotten_persons: vec![BOB], ..one(43, "a3") });
    for commit in commits {
        log.append(commit).await.unwrap();
    }
    clock.advance(SignedDuration::from_hours(-1));
    log.append(one(50, "a1")).await.unwrap();
    clock.advance(SignedDuration::from_hours(2));
    log.append(one(51, "a1")).await.unwrap();
    check_log(log.as_ref(), EVENTS);
}

async fn fill_keys(Open { keys, .. }: &Open) {
    for number in 1..=5 {
        keys.insert_data_key(data_key(number)).await.unwrap();
    }
    keys.insert_person(person(ADA, Some(b"ada"))).await.unwrap();
    keys.insert_person(person(BOB, Some(b"bob"))).await.unwrap();
    keys.insert_person(person(Uuid::from_u128(0xca1), None)).await.unwrap();
    keys.insert_event_keys(1, vec![vec![9; 48]; 5]).await.unwrap();
    keys.insert_event_keys(257, vec![vec![8; 48]; 3]).await.unwrap();
    // The last slot among them: it must never be used again.
    keys.erase(&[BOB], &[2, 4, 259]).await.unwrap();
}

async fn fill_activity(Open { activity, clock, .. }: &Open) {
    let since = Some(clock.now());
    let counted = Activity { count: 7, since, source: None, ..refused("a1", "wrong_secret") };
    for _ in 0..3 {
        activity.append(recording(&[used("a1", "s1"), counted.clone(), used("a2", "s3")])).await.unwrap();
        clock.advance(SignedDuration::from_hours(24));
    }
    let digest = VerifiedDigest { credential: "s1".to_owned(), digest: vec![1; 32] };
    let expires_at = Timestamp::from_second(4_000_000_000).unwrap();
    let voucher = Voucher { kind: "code", id: "v1".to_owned(), data: b"{}".to_vec(), expires_at };
    let count = Count { key: "tokens/a1".to_owned(), limit: Some(9), expires_at };
    let token = Activity { token: Some("t1".to_owned()), ..used("a1", "s1") };
    let commit = ActivityCommit {
        records: vec![token],
        digests: vec![digest],
        vouchers: vec![VoucherChange::Issue(voucher)],
        counts: vec![count],
    };
    activity.append(commit).await.unwrap();
    for _ in 0..2 {
        let (number, first, last) = activity.segment_to_close(clock.now()).await.unwrap().unwrap();
        activity.close_segment(ClosedSegment { number, first, last, root: [5; 32] }).await.unwrap();
    }
}

/// What was moved here, once or twice, goes on as it was; then the instance is closed.
pub(super) async fn go_on(open: &Open) {
    let Open { log, keys, activity, clock } = open;
    let head = log.head().await.unwrap();
    let moves = head.get() - EVENTS;
    check_log(log.as_ref(), head.get());
    clock.advance(SignedDuration::from_hours(5));

    // What decides: commands, claims, revisions, credentials, slots.
    let repeated = log.append(one(13, "both-1")).await.unwrap_err();
    assert!(matches!(repeated, AppendError::DuplicateCommand(_)), "{repeated}");
    let take = |name: &str| vec![ClaimChange::Take { key: key(name), stream: stream("a1") }];
    let taken = log.append(Commit { claims: take("moved"), ..one(60, "a1") }).await.unwrap_err();
    assert!(matches!(&taken, AppendError::ClaimTaken { holder, .. } if *holder == stream("a2")), "{taken}");
    for refused in [
        Commit { credentials: vec![credential("s1")], ..one(60, "a1") },
        disclosing(60, &[DisclosureKey::Event(257)]),
        commit(60, vec![to(stream("both-1"), ExpectedRevision::NoStream, &[1])]),
    ] {
        log.append(refused).await.unwrap_err();
    }
    assert!(log.credential("s2").await.unwrap().is_none() && log.credential("s3").await.unwrap().is_some());
    let page = TokenPage { ascending: true, after: Position::ORIGIN, until: head, limit: 10 };
    assert_eq!(log.positions_by_token(&TOKEN, page).await.unwrap().len(), 2, "Ada's and nobody's");
    let next = Commit { claims: take("released"), ..one(70 + moves, "a1") };
    let receipt = log.append(next).await.unwrap();
    assert_eq!(receipt.position, head.next());
    assert!(log.find_command(command_id(42)).await.unwrap().is_some());
    check_log(log.as_ref(), head.get() + 1);

    let ids: Vec<_> = keys.data_keys().await.unwrap().into_iter().map(|key| key.id).collect();
    assert_eq!(ids[..5], [1, 2, 3, 4, 5].map(|number| data_key(number).id), "in the order of their storing");
    assert_eq!(keys.person_by_token(b"ada").await.unwrap(), Some(ADA));
    assert_eq!(keys.person_by_token(b"bob").await.unwrap(), None);
    let slots =
        [(1, true), (2, false), (3, true), (4, false), (5, true), (6, false), (258, true), (259, false)];
    for (slot, there) in slots {
        assert_eq!(keys.event_key(slot).await.unwrap().is_some(), there, "{slot}");
    }
    let last = keys.last_event_key().await.unwrap();
    assert_eq!(last, 259 + moves);
    keys.insert_event_keys(last, vec![vec![1; 48]]).await.unwrap_err();
    keys.insert_event_keys(last + 1, vec![vec![1; 48]]).await.unwrap();
    keys.insert_data_key(data_key(u8::try_from(6 + moves).unwrap())).await.unwrap();

    let records = activity.head().await.unwrap();
    assert_eq!(records, Position::new(10 + moves));
    let segments = activity.closed_segments(None, 10).await.unwrap();
    assert_eq!(segments.len(), 2);
    let uses = activity.last_used(&["s1".to_owned(), "s3".to_owned()]).await.unwrap();
    assert!(uses["s1"] >= uses["s3"]);
    // Earlier than what is recorded, by this clock: it must not be recorded so.
    activity.append(recording(&[used("a2", "s3")])).await.unwrap();
    assert_eq!(activity.head().await.unwrap(), records.next());
    let uses = activity.last_used(&["s1".to_owned(), "s3".to_owned()]).await.unwrap();
    assert_eq!(uses["s1"], uses["s3"]);
    open.close().await;
}
