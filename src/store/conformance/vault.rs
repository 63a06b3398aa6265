//! The vault: rows come with the events that refer to them, and are never replaced.

use uuid::Uuid;

use super::sample::{credential, disclosure, one};
use super::{Fixture, check_log};
use crate::commit::{Commit, Disclosure, DisclosureKey, DisclosureRef, LookupToken, ProposedEvent};
use crate::error::{AppendError, InvalidCommit};
use crate::event_log::TokenPage;
use crate::position::Position;

/// Kept, not replaced, destroyed.
pub async fn credentials_are_kept_and_destroyed(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let issue = |command| Commit { credentials: vec![credential("s"), credential("t")], ..one(command, "a") };
    log.append(issue(1)).await.unwrap();
    let refused = log.append(issue(2)).await.unwrap_err();
    assert!(
        matches!(&refused, AppendError::Invalid(InvalidCommit::CredentialExists(id)) if id == "s"),
        "{refused}"
    );
    assert_eq!(log.credential("s").await.unwrap(), Some(b"sealed s".to_vec()));

    let destroy = Commit { destroyed_credentials: vec!["s".to_owned(), "none".to_owned()], ..one(2, "a") };
    log.append(destroy).await.unwrap();
    let log = fixture.open().await;
    assert_eq!(log.credential("s").await.unwrap(), None);
    assert!(log.credential("t").await.unwrap().is_some());
    check_log(log.as_ref(), 2);
}

fn disclosing(command: u64, disclosures: Vec<Disclosure>) -> Commit {
    let mut commit = one(command, "a");
    commit.streams[0].events[0].private =
        disclosures.iter().map(|disclosure| disclosure.digest.clone()).collect();
    Commit { disclosures, ..commit }
}

/// Kept for the events that refer to them, each with its key; a slot seals one disclosure only.
pub async fn disclosures_are_kept(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.last_event_key_slot().await.unwrap(), 0);
    let contact = disclosure("contact", DisclosureKey::Person(Uuid::from_u128(9)));
    let reason = disclosure("reason", DisclosureKey::Event(257));
    log.append(disclosing(1, vec![contact.clone(), reason.clone()])).await.unwrap();
    let wanted = |position, digests: &[&str]| -> Vec<DisclosureRef> {
        let position = Position::new(position);
        digests.iter().map(|digest| DisclosureRef { position, digest: (*digest).to_owned() }).collect()
    };
    let of_first = wanted(1, &["reason", "none", "contact"]);
    assert_eq!(log.disclosures(&of_first).await.unwrap(), [reason.clone(), contact.clone()]);
    assert_eq!(log.disclosures(&wanted(0, &["reason"])).await.unwrap(), []);
    assert_eq!(log.last_event_key_slot().await.unwrap(), 257);

    let unreferenced =
        Commit { disclosures: vec![disclosure("x", DisclosureKey::Event(300))], ..one(2, "a") };
    let repeating = disclosing(2, vec![contact.clone(), contact.clone()]);
    let reusing = disclosing(2, vec![disclosure("other", DisclosureKey::Event(257))]);
    for (invalid, expected) in [
        (unreferenced, InvalidCommit::UnreferencedDisclosure("x".to_owned())),
        (repeating, InvalidCommit::RepeatedDisclosure("contact".to_owned())),
        (reusing, InvalidCommit::EventKeyUsed(257)),
    ] {
        let refused = log.append(invalid).await.unwrap_err();
        assert!(matches!(&refused, AppendError::Invalid(reason) if *reason == expected), "{refused:?}");
    }
    // What all events of a commit refer to is there for each of them; the same digest elsewhere is another one.
    let later = disclosure("later", DisclosureKey::Event(12));
    let other = Disclosure { sealed: b"another contact".to_vec(), ..contact.clone() };
    let mut two_events = disclosing(2, vec![later.clone(), other.clone()]);
    let second = ProposedEvent { id: Uuid::from_u128(77), ..two_events.streams[0].events[0].clone() };
    two_events.streams[0].events.push(second);
    log.append(two_events).await.unwrap();
    log.append(one(3, "a")).await.unwrap();
    let log = fixture.open().await;
    for position in [2, 3] {
        let found = log.disclosures(&wanted(position, &["later", "contact", "reason"])).await.unwrap();
        assert_eq!(found, [later.clone(), other.clone()], "at {position}");
    }
    assert_eq!(log.disclosures(&wanted(4, &["other"])).await.unwrap(), []);
    assert_eq!(log.disclosures(&of_first).await.unwrap(), [reason, contact]);
    assert_eq!(log.last_event_key_slot().await.unwrap(), 257);
    check_log(log.as_ref(), 4);
}

/// Found by the tokens of their commits in either direction, within any span, until the person is forgotten.
pub async fn events_are_found_by_lookup_tokens(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    let (token, ada, bob) = ([7; 16], Uuid::from_u128(1), Uuid::from_u128(2));
    let with = |command: u64, person| {
        let mut commit = one(command, "a");
        let id = Uuid::from_u128(u128::from(command) | 0xd << 120);
        let second = ProposedEvent { id, ..commit.streams[0].events[0].clone() };
        commit.streams[0].events.push(second);
        Commit { lookup_tokens: vec![LookupToken { token, person }], ..commit }
    };
    // Positions 1 and 2 are Ada's, 3 and 4 Bob's, 5 nobody's that is known, 6 and 7 somebody's.
    log.append(with(1, Some(ada))).await.unwrap();
    log.append(with(2, Some(bob))).await.unwrap();
    log.append(one(3, "a")).await.unwrap();
    log.append(with(4, None)).await.unwrap();
    let log = fixture.open().await;
    let find = async |ascending, (after, until), limit| {
        let (after, until) = (Position::new(after), Position::new(until));
        let page = TokenPage { ascending, after, until, limit };
        let found = log.positions_by_token(&token, page).await.unwrap();
        found.into_iter().map(Position::get).collect::<Vec<_>>()
    };
    assert_eq!(find(true, (0, 100), 10).await, [1, 2, 3, 4, 6, 7]);
    assert_eq!(find(false, (0, 100), 10).await, [7, 6, 4, 3, 2, 1]);
    assert_eq!(find(true, (1, 6), 10).await, [2, 3, 4, 6], "commits that reach over the ends of the span");
    assert_eq!(find(true, (1, 100), 2).await, [2, 3]);
    assert_eq!(find(false, (0, 6), 3).await, [6, 4, 3]);
    assert!(find(true, (4, 5), 10).await.is_empty());
    let other = TokenPage { ascending: true, after: Position::ORIGIN, until: Position::new(100), limit: 10 };
    assert_eq!(log.positions_by_token(&[8; 16], other).await.unwrap(), []);
    log.append(Commit { forgotten_persons: vec![ada], ..one(5, "a") }).await.unwrap();
    assert_eq!(find(true, (0, 100), 10).await, [3, 4, 6, 7]);
    check_log(log.as_ref(), 8);
}
