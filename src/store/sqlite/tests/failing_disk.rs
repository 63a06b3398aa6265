//! Real failures of the disk, and real crashes after them: the tests run themselves again under a library that makes
//! system calls fail. The C compiler that it takes has compiled SQLite.

use std::env;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, abort};
use std::time::Duration;

use super::*;
use crate::clock::SystemClock;

/// Which of the children's parts to play.
const PART: &str = "FAILING_DISK_PART";
/// Where what is to fail is told, and what was fsynced; the data directory is in it.
const PLACE: &str = "FAILING_DISK";
/// Before which write or fsync of the data directory to crash.
const CRASH_AT: &str = "CRASH_AT";
/// How the library ends a process.
const CRASHED: i32 = 77;
/// How `abort` ends a process.
const SIGABRT: i32 = 6;

fn compile(place: &Path) -> PathBuf {
    let library = place.join("failing_disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/sqlite/tests/failing_disk.c");
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut compile = Command::new(compiler);
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(compile.status().unwrap().success());
    library
}

fn child(part: &str, place: &Path, library: &Path) -> Command {
    let mut child = Command::new(env::current_exe().unwrap());
    child
        .args(["--ignored", "--exact", "--nocapture", "sqlite::tests::failing_disk::plays_its_part"])
        .env("LD_PRELOAD", library)
        .env(PLACE, place)
        .env(PART, part);
    child
}

/// Has a child play its part up to its end, which is a crash.
fn play(part: &str, place: &Path) {
    must_have_ended(&child(part, place, &compile(place)).output().unwrap());
}

fn must_have_ended(child: &Output) {
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.signal(), Some(SIGABRT), "{}: {said}", child.status);
}

fn open(place: &Path) -> SqliteLog {
    let data = DataDirectory::open(&place.join("data")).unwrap();
    SqliteLog::open(&data, Arc::new(SystemClock)).unwrap()
}

#[tokio::test]
#[ignore = "the child of the other tests, each of which runs it with a part to play"]
async fn plays_its_part() {
    let (Some(part), Some(place)) = (env::var_os(PART), env::var_os(PLACE)) else { return };
    let (part, place) = (part.into_string().unwrap(), Path::new(&place));
    if part == "create" {
        DataDirectory::open(&place.join("of/many/levels")).unwrap();
        abort();
    }
    let log = open(place);
    log.append(one(1, "a")).await.unwrap();
    if part == "full" {
        File::create(place.join("write")).unwrap();
        let refused = log.append(one(2, "a")).await.unwrap_err();
        assert!(matches!(refused, AppendError::Unavailable { outcome_unknown: false, .. }), "{refused:?}");
        assert_eq!(log.head().await.unwrap(), Position::new(1));
        assert_eq!(log.find_command(command_id(2)).await.unwrap(), None);
        abort();
    }
    // A read that fails takes the one connection with it that others do not need for writing.
    let failed: Result<(), _> =
        log.reader.with(|_| Err(ReadError::Unavailable(Arc::new(crate::shared::InDoubt))));
    failed.unwrap_err();
    File::create(place.join("fsync")).unwrap();
    for _ in 0..2 {
        let lost = log.append(one(2, "a")).await.unwrap_err();
        assert!(matches!(lost, AppendError::Unavailable { outcome_unknown: true, .. }), "{lost:?}");
        assert!(matches!(log.head().await, Err(ReadError::Unavailable(_))));
        assert!(matches!(log.find_command(command_id(2)).await, Err(ReadError::Unavailable(_))));
    }
    if part == "settled" {
        fs::remove_file(place.join("fsync")).unwrap();
        let settled = async {
            while log.head().await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), settled).await.unwrap();
        assert_eq!(log.head().await.unwrap(), Position::new(1));
        assert_eq!(log.find_command(command_id(2)).await.unwrap(), None);
    }
    abort();
}

#[tokio::test]
async fn what_was_answered_as_not_recorded_is_not_there_after_a_crash() {
    let place = tempfile::tempdir().unwrap();
    play("settled", place.path());
    let log = open(place.path());
    assert_eq!(log.find_command(command_id(2)).await.unwrap(), None);
    assert_eq!(log.head().await.unwrap(), Position::new(1));
    assert_eq!(log.append(one(2, "a")).await.unwrap().position, Position::new(2));
    assert!(matches!(log.append(one(2, "a")).await, Err(AppendError::DuplicateCommand(_))));
    check_log(&log, 2);
}

/// Nobody was told what became of it, so that both is right.
#[tokio::test]
async fn what_a_crash_leaves_in_doubt_happens_once() {
    let place = tempfile::tempdir().unwrap();
    play("in doubt", place.path());
    let log = open(place.path());
    let position = match log.find_command(command_id(2)).await.unwrap() {
        Some(recorded) => recorded.position,
        None => log.append(one(2, "a")).await.unwrap().position,
    };
    assert_eq!(position, Position::new(2));
    assert!(matches!(log.append(one(2, "a")).await, Err(AppendError::DuplicateCommand(_))));
    check_log(&log, 2);
}

#[tokio::test]
async fn a_full_disk_leaves_no_doubt() {
    let place = tempfile::tempdir().unwrap();
    play("full", place.path());
    let log = open(place.path());
    assert_eq!(log.find_command(command_id(2)).await.unwrap(), None);
    assert_eq!(log.append(one(2, "a")).await.unwrap().position, Position::new(2));
    check_log(&log, 2);
}

#[test]
fn a_first_start_may_crash_anywhere() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    let library = compile(&place);
    for crash_at in 1.. {
        let started = child("create", &place, &library).env(CRASH_AT, crash_at.to_string()).output().unwrap();
        let data = DataDirectory::open(&place.join("of/many/levels"))
            .unwrap_or_else(|error| panic!("after a crash at {crash_at}: {error:?}"));
        SqliteLog::open(&data, Arc::new(SystemClock)).unwrap();
        if started.status.code() != Some(CRASHED) {
            must_have_ended(&started);
            assert!(crash_at > 20, "{crash_at}");
            break;
        }
        fs::remove_dir_all(place.join("of")).unwrap();
    }
}

#[test]
fn the_name_of_every_new_directory_is_durable() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().canonicalize().unwrap();
    File::create(place.join("trace")).unwrap();
    play("create", &place);
    let trace = fs::read_to_string(place.join("trace")).unwrap();
    for parent in [&place, &place.join("of"), &place.join("of/many")] {
        assert!(trace.lines().any(|line| Path::new(line) == parent), "{}: {trace}", parent.display());
    }
}
