//! What is left of a key that was erased.

use std::fs;
use std::time::{Duration, Instant};

use sqlx::Executor as _;
use uuid::Uuid;

use super::*;
use crate::conformance::keys::person;
use crate::error::KeyStoreError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_an_erased_key_is_left_in_the_files_of_its_table() {
    let server = PostgresServer::start();
    let test = server.database().await;
    let keys = PostgresKeys::new(&PostgresDatabase::open(&test.url()).unwrap());
    // Numbers that stand nowhere by chance.
    let numbers: Vec<u128> =
        (1..=200).map(|number| (0x05ca_1ab1_e0dd_ba11 << 64) | (number * 0x9e37_79b9)).collect();
    for number in &numbers {
        keys.insert_person(person(*number, Some(&number.to_le_bytes()))).await.unwrap();
    }
    keys.insert_event_keys(1, vec![b"wrapped key of slot one".to_vec(), b"another".to_vec()]).await.unwrap();
    let (erased, kept) = numbers.split_at(100);
    let persons: Vec<_> = erased.iter().copied().map(Uuid::from_u128).collect();
    keys.erase(&persons, &[1]).await.unwrap();
    test.psql("CHECKPOINT");
    let mut found = 0;
    for table in ["person_keys", "person_keys_pkey", "person_keys_token_key", "event_keys"] {
        let file = test.psql(&format!("SELECT pg_relation_filepath('{table}')"));
        let bytes = fs::read(server.directory().join("data").join(file)).unwrap();
        let holds = |trace: &[u8]| bytes.windows(trace.len()).any(|window| window == trace);
        let holds_of = |number: &u128| {
            let key = person(*number, None);
            holds(&key.wrapped) || holds(&key.person.into_bytes()) || holds(&number.to_le_bytes())
        };
        assert!(!erased.iter().any(holds_of) && !holds(b"wrapped key of slot one"), "{table}");
        found += kept.iter().filter(|number| holds_of(number)).count();
    }
    assert_eq!(found, 300, "what was not erased is in the table and its two indexes");
    let last = person(numbers[199], None);
    assert_eq!(keys.person_key(last.person).await.unwrap(), Some(last.wrapped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_store_keys_at_once_agree() {
    let fixture = PostgresFixture::new().await;
    let nodes = [PostgresKeys::new(&fixture.database), PostgresKeys::new(&fixture.database)];
    for round in 0..20_u128 {
        let key = |node: u128| person(round * 2 + node, Some(&round.to_be_bytes()));
        let (first, second) = tokio::join!(nodes[0].insert_person(key(0)), nodes[1].insert_person(key(1)));
        assert_eq!(first.unwrap(), second.unwrap());
        let from = u64::try_from(round).unwrap() + 1;
        let slots = |node: usize| nodes[node].insert_event_keys(from, vec![vec![0]]);
        let (first, second) = tokio::join!(slots(0), slots(1));
        assert!(first.is_ok() != second.is_ok(), "{first:?}, {second:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_meets_a_dump_of_the_keys_gives_up_soon_and_holds_nobody_up() {
    let fixture = PostgresFixture::new().await;
    let keys = PostgresKeys::new(&fixture.database);
    let (erased, kept) = (person(1, None), person(2, None));
    for key in [&erased, &kept] {
        keys.insert_person(key.clone()).await.unwrap();
    }
    let mut dump = fixture.database.connect().await.unwrap();
    dump.execute("BEGIN; LOCK TABLE person_keys IN ACCESS SHARE MODE").await.unwrap();
    let begun = Instant::now();
    let persons = [erased.person];
    let (refused, read) = tokio::join!(keys.erase(&persons, &[]), keys.person_key(kept.person));
    assert!(matches!(refused, Err(KeyStoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(read.unwrap(), Some(kept.wrapped));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    dump.execute("COMMIT").await.unwrap();
    keys.erase(&persons, &[]).await.unwrap();
    assert_eq!(keys.person_key(erased.person).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_is_never_replaced_by_the_service() {
    let fixture = PostgresFixture::new().await;
    for statement in [
        "UPDATE data_keys SET wrapped = ''",
        "DELETE FROM data_keys",
        "UPDATE person_keys SET wrapped = ''",
        "DELETE FROM person_keys",
        "TRUNCATE event_keys",
    ] {
        let denied = fixture.test.try_psql("muniment_app", statement).unwrap_err();
        assert!(denied.contains("permission denied"), "{statement}: {denied}");
    }
    PostgresKeys::new(&fixture.database).insert_event_keys(1, vec![vec![1], vec![2]]).await.unwrap();
    let refused = fixture.test.try_psql("muniment_app", "UPDATE key_slots SET last_event_key = 1");
    assert!(refused.unwrap_err().contains("never used again"));
}
