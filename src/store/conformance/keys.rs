//! Keys: kept, found, erased.

use uuid::Uuid;

use super::Fixture;
use crate::error::KeyStoreError;
use crate::keys::{KeyStore, PersonKey, WrappedKey};

/// The key of a person.
#[must_use]
pub fn person(number: u128, token: Option<&[u8]>) -> PersonKey {
    PersonKey {
        person: Uuid::from_u128(number),
        token: token.map(<[u8]>::to_vec),
        wrapped: format!("wrapped key of person {number:06}.").into_bytes(),
    }
}

/// In the order of their storing.
pub async fn data_keys_are_kept_in_order_and_never_replaced(fixture: &mut dyn Fixture<dyn KeyStore>) {
    let keys = fixture.open().await;
    let key = |id: &str| WrappedKey { id: id.to_owned(), purpose: "vault".to_owned(), wrapped: id.into() };
    keys.insert_data_key(key("b")).await.unwrap();
    keys.insert_data_key(key("a")).await.unwrap();
    let refused = keys.insert_data_key(key("a")).await.unwrap_err();
    assert!(matches!(refused, KeyStoreError::DataKeyExists(id) if id == "a"));
    assert_eq!(fixture.open().await.data_keys().await.unwrap(), [key("b"), key("a")]);
}

/// A person is known by token or by pseudonym, until erased.
pub async fn a_token_wins_over_a_second_person(fixture: &mut dyn Fixture<dyn KeyStore>) {
    let keys = fixture.open().await;
    let first = keys.insert_person(person(1, Some(b"token"))).await.unwrap();
    assert_eq!(keys.insert_person(person(2, Some(b"token"))).await.unwrap(), first);
    assert_eq!(keys.person_key(Uuid::from_u128(2)).await.unwrap(), None);
    let other = keys.insert_person(person(3, None)).await.unwrap();
    assert_eq!(keys.insert_person(person(3, None)).await.unwrap(), other);
    assert_eq!(keys.person_by_token(b"token").await.unwrap(), Some(first));
    keys.erase(&[first], &[]).await.unwrap();
    keys.erase(&[first], &[]).await.unwrap();
    assert_eq!(keys.person_by_token(b"token").await.unwrap(), None);
    assert_eq!(keys.person_key(first).await.unwrap(), None);
    assert!(keys.person_key(other).await.unwrap().is_some());
}

/// Even after its key is gone.
pub async fn a_slot_is_used_once(fixture: &mut dyn Fixture<dyn KeyStore>) {
    let keys = fixture.open().await;
    assert_eq!(keys.last_event_key().await.unwrap(), 0);
    keys.insert_event_keys(1, vec![b"one".to_vec(), b"two".to_vec()]).await.unwrap();
    assert_eq!(keys.last_event_key().await.unwrap(), 2);
    keys.erase(&[], &[2]).await.unwrap();
    assert_eq!(keys.event_key(2).await.unwrap(), None);
    let refused = keys.insert_event_keys(2, vec![b"again".to_vec()]).await.unwrap_err();
    assert!(matches!(refused, KeyStoreError::SlotUsed(2)), "{refused}");
    assert_eq!(keys.last_event_key().await.unwrap(), 2);
    keys.insert_event_keys(3, Vec::new()).await.unwrap();
    keys.insert_event_keys(3, vec![b"three".to_vec()]).await.unwrap();
    assert_eq!(keys.event_key(1).await.unwrap(), Some(b"one".to_vec()));
    assert_eq!(keys.event_key(3).await.unwrap(), Some(b"three".to_vec()));
}
