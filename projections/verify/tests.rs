use std::time::Duration;

use store::Position;

use super::*;
use crate::testing::{IntoEvent as _, TestLog, client, created, happens};
use crate::views::Views;
use crate::{Rebuilt, audit_trail, clients, inspect, rebuild};

async fn viewed() -> TestLog {
    let log = TestLog::new();
    for number in 1..=3 {
        log.client(client(number), created(&format!("Client {number}")).into_event()).await;
        log.client(client(number), happens(number)).await;
    }
    rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    log
}

/// Changes the live views behind everybody's back.
fn meddle(log: &TestLog, sql: &str) {
    rusqlite::Connection::open(inspect(log.path()).unwrap().file).unwrap().execute_batch(sql).unwrap();
}

fn equal(rebuilt: &Rebuilt) -> Vec<bool> {
    rebuilt.views.iter().map(|view| view.comparison.as_ref().unwrap().is_equal()).collect()
}

fn differences(log: &TestLog) -> Vec<Difference> {
    let mut found = Vec::new();
    verify(&ViewsDirectory::of(log.path()), &*log.log, &|_| (), &mut |difference| found.push(difference))
        .unwrap();
    found
}

#[tokio::test]
async fn a8_views_that_nobody_touched_are_verified_and_nothing_is_left_behind() {
    let log = viewed().await;
    let reached = verify(&ViewsDirectory::of(log.path()), &*log.log, &|_| (), &mut |difference| {
        panic!("{difference:?}")
    })
    .unwrap();
    assert!(reached.iter().all(|view| view.checkpoint.position == Position::new(6)));
    let mut names: Vec<_> =
        std::fs::read_dir(log.path().join("views")).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.retain(|name| {
        !name.to_string_lossy().ends_with("-wal") && !name.to_string_lossy().ends_with("-shm")
    });
    names.sort();
    assert_eq!(names, ["live", "views-1.db"]);
}

#[tokio::test]
async fn a8_verify_names_each_row_that_differs() {
    let log = viewed().await;
    let id = |number| client(number).to_string();
    meddle(
        &log,
        &format!("UPDATE clients SET status = 'deleted', revision = 9 WHERE client_id = '{}'", id(1)),
    );
    meddle(&log, &format!("DELETE FROM clients WHERE client_id = '{}'", id(2)));
    meddle(&log, "INSERT INTO audit_words (word) VALUES ('planted')");
    meddle(&log, "UPDATE audit_events SET refused = 1 WHERE position = 4");

    let found = differences(&log);
    let named: Vec<_> = found.iter().map(|row| (row.projection, row.table, row.key.as_str())).collect();
    let planted = found[3].key.clone();
    assert_eq!(
        named,
        [
            (clients::NAME, "clients", id(1).as_str()),
            (clients::NAME, "clients", id(2).as_str()),
            (audit_trail::NAME, "audit_events", "4"),
            (audit_trail::NAME, "audit_words", planted.as_str()),
        ]
    );
    assert_eq!(found[0].live.as_deref(), Some(r#"{"revision":9,"status":"deleted"}"#));
    assert_eq!(found[0].replayed.as_deref(), Some(r#"{"revision":2,"status":"active"}"#));
    assert_eq!(found[1].live, None, "the row is missing");
    assert!(found[1].replayed.as_ref().unwrap().contains("Client 2"));
    assert_eq!(found[2].live.as_deref(), Some(r#"{"refused":1}"#));
    assert!(found[3].live.as_ref().unwrap().contains("planted"));
    assert_eq!(found[3].replayed, None, "the row is too many");
}

#[tokio::test]
async fn a8_a_rebuild_finds_the_difference_by_digest_and_mends_it() {
    let log = viewed().await;
    meddle(&log, "UPDATE clients SET updated_at = 0");
    let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    assert_eq!(equal(&rebuilt)[..2], [false, true]);
    assert_eq!(differences(&log), []);
}

#[tokio::test]
async fn live_views_that_lag_are_compared_where_they_are() {
    let log = viewed().await;
    log.client(client(1), happens(5)).await;
    assert_eq!(differences(&log), []);
    let rebuilt = rebuild(log.path(), &*log.log, &|_| ()).unwrap();
    assert!(equal(&rebuilt).iter().all(|equal| *equal), "{rebuilt:?}");
    assert!(rebuilt.views.iter().all(|view| view.position == Position::new(7)));
    assert!(rebuilt.views.iter().all(|view| view.comparison.as_ref().unwrap().position == Position::new(6)));
}

#[tokio::test]
async fn views_can_be_verified_while_they_are_followed() {
    let log = viewed().await;
    let views = Views::open(log.path(), log.shared()).unwrap();
    views.start().unwrap();
    let position = log.client(client(2), happens(3)).await;
    assert!(views.wait_for(position, Duration::from_secs(20)).await);
    assert_eq!(differences(&log), []);
}

#[tokio::test]
async fn the_live_file_can_be_emptied_of_its_write_ahead_log_while_the_log_is_folded() {
    let log = viewed().await;
    let live = inspect(log.path()).unwrap().file;
    let refused = std::cell::Cell::new(None);
    let empty = |_| {
        let live = rusqlite::Connection::open(&live).unwrap();
        let touch = "UPDATE checkpoint SET position = position; PRAGMA busy_timeout = 0";
        live.execute_batch(touch).unwrap();
        let busy =
            live.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0)).unwrap();
        refused.set(Some(refused.get().unwrap_or(false) || busy));
    };
    let directory = ViewsDirectory::of(log.path());
    verify(&directory, &*log.log, &empty, &mut |difference| panic!("{difference:?}")).unwrap();
    assert_eq!(refused.get(), Some(false));
}

#[tokio::test]
async fn without_views_there_is_nothing_to_verify() {
    let log = TestLog::new();
    let error = verify(&ViewsDirectory::of(log.path()), &*log.log, &|_| (), &mut |_| ()).unwrap_err();
    assert!(matches!(error, ViewsError::Missing(_)), "{error:?}");
    assert!(!log.path().join("views").exists());
}

#[tokio::test]
async fn a7_views_of_a_log_with_a_hole_are_compared_as_far_as_it_is_whole() {
    let log = viewed().await;
    log.lose(Position::new(4));
    let verified = verify(&ViewsDirectory::of(log.path()), &*log.log, &|_| (), &mut |difference| {
        panic!("{difference:?}")
    })
    .unwrap();
    let why = "reading the log at position 4: the event is missing, position 5 follows";
    assert!(verified.iter().all(|view| view.incomparable.as_deref() == Some(why)), "{verified:?}");

    std::fs::remove_dir_all(log.path().join("views")).unwrap();
    let views = Views::open(log.path(), log.shared()).unwrap();
    views.start().unwrap();
    assert!(!views.wait_for(Position::new(4), Duration::from_secs(20)).await);
    let verified = verify(&ViewsDirectory::of(log.path()), &*log.log, &|_| (), &mut |difference| {
        panic!("{difference:?}")
    })
    .unwrap();
    for view in verified {
        assert_eq!((view.checkpoint.position, view.incomparable), (Position::new(3), None));
    }
    meddle(&log, "UPDATE clients SET updated_at = 0");
    assert_eq!(differences(&log).len(), 2);
}
