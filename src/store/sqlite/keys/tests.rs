use std::fs;

use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::conformance::Fixture;
use crate::conformance::keys::person;

struct SqliteFixture {
    _parent: TempDir,
    directory: DataDirectory,
}

#[async_trait]
impl Fixture<dyn KeyStore> for SqliteFixture {
    async fn open(&mut self) -> Arc<dyn KeyStore> {
        Arc::new(SqliteKeys::open(&self.directory).unwrap())
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH))
    }
}

fn fixture() -> SqliteFixture {
    let (parent, directory, _) = keys();
    SqliteFixture { _parent: parent, directory }
}

crate::key_suite!(fixture());

fn keys() -> (TempDir, DataDirectory, SqliteKeys) {
    let parent = tempfile::tempdir().unwrap();
    let directory = DataDirectory::open(&parent.path().join("data")).unwrap();
    let keys = SqliteKeys::open(&directory).unwrap();
    (parent, directory, keys)
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
