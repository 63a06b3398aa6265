use std::fs;

use tempfile::TempDir;

use super::*;

fn keys() -> (TempDir, DataDirectory, SqliteKeys) {
    let parent = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(&parent.path().join("data")).unwrap();
    let keys = SqliteKeys::open(&directory).unwrap();
    (parent, directory, keys)
}

fn person(number: u128, token: Option<&[u8]>) -> PersonKey {
    PersonKey {
        person: Uuid::from_u128(number),
        token: token.map(<[u8]>::to_vec),
        wrapped: format!("wrapped key of person {number:06}.").into_bytes(),
    }
}

#[tokio::test]
async fn data_keys_are_kept_in_order_and_never_replaced() {
    let (_parent, directory, keys) = keys();
    let key = |id: &str| WrappedKey { id: id.to_owned(), purpose: "vault".to_owned(), wrapped: id.into() };
    keys.insert_data_key(key("b")).await.unwrap();
    keys.insert_data_key(key("a")).await.unwrap();
    let refused = keys.insert_data_key(key("a")).await.unwrap_err();
    assert!(matches!(refused, KeyStoreError::DataKeyExists(id) if id == "a"));
    assert_eq!(SqliteKeys::open(&directory).unwrap().data_keys().await.unwrap(), [key("b"), key("a")]);
}

#[tokio::test]
async fn a_token_wins_over_a_second_person() {
    let (_parent, _directory, keys) = keys();
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

#[tokio::test]
async fn a_slot_is_used_once() {
    let (_parent, _directory, keys) = keys();
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

#[tokio::test]
async fn the_write_ahead_log_does_not_grow_with_the_keys() {
    let (_parent, directory, keys) = keys();
    keys.connection.lock().unwrap().execute_batch("PRAGMA synchronous = OFF").unwrap();
    for number in 0..4_000_u128 {
        // Scattered, so that each person touches pages of the index of tokens.
        let token = (number * 7_919 % 999_983).to_be_bytes();
        keys.insert_person(person(number, Some(&token))).await.unwrap();
    }
    let length = fs::metadata(directory.path().join("keys.db-wal")).unwrap().len();
    assert!(length < 8 << 20, "{length}");
}

/// Rows are moved between pages as others come and go, and SQLite does not always overwrite where they were.
#[tokio::test]
async fn nothing_of_a_deleted_key_is_left_in_any_file() {
    let (_parent, directory, keys) = keys();
    let trace = |number: u64| format!("token of person {number:06}, long enough to fill pages.").into_bytes();
    let (mut live, mut deleted) = (Vec::new(), Vec::new());
    {
        let raw = keys.connection.lock().unwrap();
        raw.execute_batch("PRAGMA synchronous = OFF").unwrap();
        let mut random = 1_u64;
        for number in 0..12_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let choice = (random >> 33) as usize;
            if choice % 5 < 2 && !live.is_empty() {
                let number = live.swap_remove(choice / 5 % live.len());
                raw.execute("DELETE FROM person_keys WHERE token = ?1", [trace(number)]).unwrap();
                deleted.push(number);
            } else {
                // Scattered, so that the index of tokens splits its pages.
                let number = number * 7_919 % 999_983;
                let person = Uuid::from_u128(u128::from(random) << 64 | 1).into_bytes();
                raw.prepare_cached("INSERT INTO person_keys (person, token, wrapped) VALUES (?1, ?2, x'00')")
                    .unwrap()
                    .execute(params![person, trace(number)])
                    .unwrap();
                live.push(number);
            }
        }
    }
    let last = person(7, Some(b"the last token of them all"));
    keys.insert_person(last.clone()).await.unwrap();
    // Rows that were deleted behind the store's back are wiped with the next one that it deletes.
    keys.erase(&[last.person], &[]).await.unwrap();
    for file in fs::read_dir(directory.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let holds = |trace: &[u8]| bytes.windows(trace.len()).any(|window| window == trace);
        assert!(!holds(&last.wrapped) && !holds(b"the last token of them all"));
        let numbers: std::collections::HashSet<u64> = bytes
            .windows(16)
            .enumerate()
            .filter(|(_, window)| *window == b"token of person ")
            .filter_map(|(at, _)| std::str::from_utf8(bytes.get(at + 16..at + 22)?).ok()?.parse().ok())
            .collect();
        let left: Vec<_> = deleted.iter().filter(|number| numbers.contains(number)).collect();
        assert!(left.is_empty(), "{left:?} of {}", deleted.len());
    }
}

#[tokio::test]
async fn a_wiping_that_a_reader_kept_from_being_done_is_made_good() {
    let (_parent, directory, keys) = keys();
    let erased = person(7, Some(b"the token of somebody"));
    keys.insert_person(erased.clone()).await.unwrap();
    let reader = Connection::open(directory.keys()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM person_keys;").unwrap();
    let busy = reader.query_row("SELECT count(*) FROM person_keys", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(busy, 1);
    keys.connection.lock().unwrap().busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(keys.erase(&[erased.person], &[]).await.is_err(), "not wiped yet");
    assert_eq!(keys.person_key(erased.person).await.unwrap(), None, "but deleted");
    drop(reader);
    keys.erase(&[], &[]).await.unwrap();
    for file in fs::read_dir(directory.path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(erased.wrapped.len()).any(|window| window == erased.wrapped));
    }
}
