use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// A temporary directory, and the data directory to be in it.
fn place() -> (TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("deep/data");
    (parent, path)
}

#[test]
fn a_directory_is_created_for_its_owner_alone() {
    let (_parent, path) = place();
    let directory = DataDirectory::open(&path).unwrap();
    assert_eq!(fs::metadata(directory.path()).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(LOG.exists(&directory.log(), true).unwrap() && KEYS.exists(&directory.keys(), true).unwrap());
}

#[test]
fn one_process_at_a_time_and_it_is_named() {
    let (_parent, path) = place();
    let directory = DataDirectory::open(&path).unwrap();
    let clone = directory.clone();
    drop(directory);
    let refused = DataDirectory::open(&path).unwrap_err();
    assert!(
        matches!(refused, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{refused}"
    );
    DataDirectory::open_read_only(&path).unwrap();
    drop(clone);
    // A program that another test is starting may not have closed yet what it inherits, the lock among it.
    let open = || DataDirectory::open(&path).inspect_err(|_| sleep(Duration::from_millis(10))).ok();
    assert!((0..500).any(|_| open().is_some()));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (_parent, path) = place();
    assert!(matches!(DataDirectory::open_read_only(&path), Err(OpenError::Missing(_))));
    drop(DataDirectory::open(&path).unwrap());
    let aside = path.join("aside");
    fs::rename(path.join("keys.db"), &aside).unwrap();
    for opened in [DataDirectory::open(&path), DataDirectory::open_read_only(&path)] {
        assert!(matches!(opened, Err(OpenError::KeysMissing(_))));
    }
    fs::rename(&aside, path.join("keys.db")).unwrap();
    fs::rename(path.join("log.db"), &aside).unwrap();
    assert!(matches!(DataDirectory::open(&path), Err(OpenError::LogMissing(_))));

    let other = path.join("other");
    drop(DataDirectory::open(&other).unwrap());
    fs::rename(other.join("log.db"), path.join("log.db")).unwrap();
    assert!(matches!(DataDirectory::open(&path), Err(OpenError::KeysOfAnotherLog(_))));
}

#[test]
fn a_file_that_is_not_ours_is_refused() {
    for (name, make, is_expected) in [
        ("log.db", damage as fn(&Path), is_not_a_database as fn(&OpenError) -> bool),
        ("keys.db", damage, is_not_a_database),
        ("log.db", take_over, |error| matches!(error, OpenError::NotOurs(_))),
        (
            "log.db",
            |file| advance(file, 1),
            |error| matches!(error, OpenError::NewerSchema { found, known, .. } if *found == *known + 1),
        ),
        (
            "keys.db",
            |file| advance(file, 7),
            |error| matches!(error, OpenError::NewerSchema { found: 9, known: 2, .. }),
        ),
    ] {
        let (_parent, path) = place();
        drop(DataDirectory::open(&path).unwrap());
        make(&path.join(name));
        for opened in [DataDirectory::open(&path), DataDirectory::open_read_only(&path)] {
            let refused = opened.unwrap_err();
            assert!(is_expected(&refused), "{name}: {refused:?}");
        }
    }
}

/// A first start is cut off after any of its steps.
#[test]
fn a_first_start_that_was_cut_off_is_begun_again() {
    type Step = (&'static str, fn(&DataDirectory));
    fn empty(file: &Path) {
        fs::File::create(file).unwrap();
    }
    fn in_wal_mode(file: &Path) {
        Connection::open(file).unwrap().pragma_update(None, "journal_mode", "WAL").unwrap();
        assert!(fs::metadata(file).unwrap().len() > 0);
    }
    const STEPS: [Step; 7] = [
        ("the lock", |data| drop(NodeDirectory::open(&data.path).unwrap())),
        ("an empty keys.db", |data| empty(&data.keys())),
        ("keys.db without a table", |data| in_wal_mode(&data.keys())),
        ("keys.db", |data| KEYS.migrate(&data.keys()).unwrap()),
        ("an empty log.db", |data| empty(&data.log())),
        ("log.db without a table", |data| in_wal_mode(&data.log())),
        ("log.db", |data| LOG.migrate(&data.log()).unwrap()),
    ];
    for taken in 0..=STEPS.len() {
        let (_parent, path) = place();
        fs::create_dir_all(&path).unwrap();
        let left = DataDirectory { path: path.clone(), node: None, log_file: LogFile::Log };
        let mut last = "the directory";
        for (step, take) in &STEPS[..taken] {
            take(&left);
            last = step;
        }
        if taken < STEPS.len() {
            let refused = DataDirectory::open_read_only(&path).unwrap_err();
            assert!(matches!(refused, OpenError::Missing(_)), "{last}: {refused}");
        }
        DataDirectory::open(&path).unwrap_or_else(|error| panic!("{last}: {error}"));
        DataDirectory::open_read_only(&path).unwrap_or_else(|error| panic!("{last}: {error}"));
    }
}

#[test]
fn a_database_of_something_else_is_not_the_beginning_of_ours() {
    for name in ["log.db", "keys.db"] {
        for foreign in ["CREATE TABLE t (c)", "PRAGMA application_id = 7", "PRAGMA user_version = 7"] {
            let (_parent, path) = place();
            fs::create_dir_all(&path).unwrap();
            Connection::open(path.join(name)).unwrap().execute_batch(foreign).unwrap();
            for opened in [DataDirectory::open(&path), DataDirectory::open_read_only(&path)] {
                let refused = opened.unwrap_err();
                assert!(matches!(refused, OpenError::NotOurs(_)), "{name}, {foreign}: {refused:?}");
            }
        }
    }
}

fn damage(file: &Path) {
    fs::write(file, "no database".repeat(1_000)).unwrap();
}

fn is_not_a_database(error: &OpenError) -> bool {
    matches!(error, OpenError::NotADatabase { .. })
}

fn take_over(file: &Path) {
    Connection::open(file).unwrap().pragma_update(None, "application_id", 7).unwrap();
}

fn advance(file: &Path, steps: i64) {
    let connection = Connection::open(file).unwrap();
    let taken: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    connection.pragma_update(None, "user_version", taken + steps).unwrap();
}

/// Not even root may create a file here.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    for path in ["/sys", "/sys/muniment"] {
        let refused = DataDirectory::open(Path::new(path)).unwrap_err();
        assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused:?}");
    }
}
