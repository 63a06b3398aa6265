//! The vault: rows come with the events that refer to them, and are never replaced.

use uuid::Uuid;

use super::sample::{credential, disclosure, one};
use super::{Fixture, check_log};
use crate::commit::{Commit, Disclosure, DisclosureKey};
use crate::error::{AppendError, InvalidCommit};

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

/// Kept under their digests, each with its key; a slot seals one disclosure only.
pub async fn disclosures_are_kept(fixture: &mut dyn Fixture) {
    let log = fixture.open().await;
    assert_eq!(log.last_event_key_slot().await.unwrap(), 0);
    let contact = disclosure("contact", DisclosureKey::Person(Uuid::from_u128(9)));
    let reason = disclosure("reason", DisclosureKey::Event(257));
    log.append(disclosing(1, vec![contact.clone(), reason.clone()])).await.unwrap();
    let digests = ["reason", "none", "contact"].map(str::to_owned);
    assert_eq!(log.disclosures(&digests).await.unwrap(), [reason.clone(), contact.clone()]);
    assert_eq!(log.last_event_key_slot().await.unwrap(), 257);

    let unreferenced =
        Commit { disclosures: vec![disclosure("x", DisclosureKey::Event(300))], ..one(2, "a") };
    let replacing = disclosing(2, vec![contact]);
    let reusing = disclosing(2, vec![disclosure("other", DisclosureKey::Event(257))]);
    for (invalid, expected) in [
        (unreferenced, InvalidCommit::UnreferencedDisclosure("x".to_owned())),
        (replacing, InvalidCommit::DisclosureExists("contact".to_owned())),
        (reusing, InvalidCommit::EventKeyUsed(257)),
    ] {
        let refused = log.append(invalid).await.unwrap_err();
        assert!(matches!(&refused, AppendError::Invalid(reason) if *reason == expected), "{refused:?}");
    }
    log.append(disclosing(2, vec![disclosure("later", DisclosureKey::Event(12))])).await.unwrap();
    let log = fixture.open().await;
    assert_eq!(log.last_event_key_slot().await.unwrap(), 257);
    check_log(log.as_ref(), 2);
}
