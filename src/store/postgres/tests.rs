//! The suite on a real PostgreSQL, and what only Postgres, or several nodes, can get wrong.

mod activity;
mod aggregates;
mod faults;
mod keys;
mod nodes;
mod order;

use super::*;
use crate::activity::ActivityLog;
use crate::clock::ManualClock;
use crate::conformance::sample::{credential, one};
use crate::conformance::{Fixture, check_log};
use crate::keys::KeyStore;
use crate::testing::{PostgresServer, TestDatabase};

pub(super) struct PostgresFixture {
    pub(super) test: TestDatabase<'static>,
    pub(super) database: PostgresDatabase,
    pub(super) clock: Arc<ManualClock>,
    opened: Option<Arc<PostgresLog>>,
    activity: Option<Arc<PostgresActivity>>,
}

impl PostgresFixture {
    pub(super) async fn new() -> Self {
        let test = PostgresServer::shared().database().await;
        let database = PostgresDatabase::open(&test.url()).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-20T22:13:25.123456Z".parse().unwrap()));
        Self { test, database, clock, opened: None, activity: None }
    }

    /// One more node on the same database.
    pub(super) fn node(&self) -> Arc<PostgresLog> {
        Arc::new(PostgresLog::open(&self.database, Arc::clone(&self.clock) as _).unwrap())
    }
}

#[async_trait]
impl Fixture for PostgresFixture {
    async fn open(&mut self) -> Arc<dyn EventLog> {
        if let Some(opened) = self.opened.take() {
            opened.close().await;
        }
        let log = self.node();
        self.opened = Some(Arc::clone(&log));
        log
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

#[async_trait]
impl Fixture<dyn ActivityLog> for PostgresFixture {
    async fn open(&mut self) -> Arc<dyn ActivityLog> {
        if let Some(opened) = self.activity.take() {
            opened.close().await;
        }
        let log = Arc::new(PostgresActivity::open(&self.database, Arc::clone(&self.clock) as _).unwrap());
        self.activity = Some(Arc::clone(&log));
        log
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

#[async_trait]
impl Fixture<dyn KeyStore> for PostgresFixture {
    async fn open(&mut self) -> Arc<dyn KeyStore> {
        Arc::new(PostgresKeys::new(&self.database))
    }

    fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

crate::conformance_suite!(PostgresFixture::new().await);
crate::activity_suite!(PostgresFixture::new().await);
crate::key_suite!(PostgresFixture::new().await);

#[tokio::test]
async fn neither_the_service_nor_the_owner_can_change_what_is_recorded() {
    let fixture = PostgresFixture::new().await;
    let log = fixture.node();
    log.append(Commit { credentials: vec![credential("s")], ..one(1, "a") }).await.unwrap();
    for statement in [
        "UPDATE log_events SET entry = '\\x00'",
        "DELETE FROM log_events",
        "TRUNCATE log_events",
        "UPDATE streams SET id = 'b'",
        "DELETE FROM commands",
        "TRUNCATE commands",
        "UPDATE credentials SET sealed = '\\x00'",
        "DELETE FROM disclosures",
        "UPDATE log SET id = gen_random_uuid()",
        "DELETE FROM log_head",
        "UPDATE log_head SET position = 0",
    ] {
        let denied = fixture.test.try_psql("muniment_app", statement).unwrap_err();
        assert!(denied.contains("permission denied"), "{statement}: {denied}");
        let refused = fixture.test.try_psql("muniment_owner", statement).unwrap_err();
        assert!(refused.contains("never") || refused.contains("only advances"), "{statement}: {refused}");
    }
    for (statement, refusal) in [
        ("INSERT INTO log_events VALUES (3, 1, 2, '\\x00')", "are not the next ones"),
        ("INSERT INTO log_events VALUES (1, 1, 2, '\\x00')", "duplicate key"),
        (
            "BEGIN; UPDATE log_head SET position = 2; INSERT INTO log_events VALUES (2, 1, 3, '\\x00')",
            "not the next one of its stream",
        ),
        (
            "BEGIN; UPDATE log_head SET position = 2; INSERT INTO log_events VALUES (2, 1, 1, '\\x00')",
            "duplicate key",
        ),
        ("INSERT INTO log_events VALUES (2, 1, 2, '\\x00')", "are not the next ones"),
    ] {
        let denied = fixture.test.try_psql("muniment_app", statement).unwrap_err();
        assert!(denied.contains("permission denied"), "{statement}: {denied}");
        let refused = fixture.test.try_psql("muniment_owner", statement).unwrap_err();
        assert!(refused.contains(refusal), "{statement}: {refused}");
    }
    check_log(log.as_ref(), 1);
}

#[tokio::test]
async fn only_a_role_that_can_change_nothing_serves() {
    let fixture = PostgresFixture::new().await;
    for role in ["muniment_owner", "postgres"] {
        let refused = PostgresDatabase::open(&fixture.test.url_of(role)).err().unwrap();
        assert!(matches!(&refused, PostgresError::Privileged(refused) if refused == role), "{refused}");
    }
}

#[tokio::test]
async fn migrations_are_taken_once_and_never_edited() {
    let test = PostgresServer::shared().empty_database();
    let refused = PostgresDatabase::open(&test.url()).err().unwrap();
    assert!(matches!(refused, PostgresError::NotMigrated), "{refused}");
    let refused = migrate_postgres(&test.owner_url(), "nobody_like_this").await.unwrap_err();
    assert!(matches!(refused, PostgresError::NoSuchRole(_)), "{refused}");
    let (owner, role) = (test.owner_url(), "muniment_app");
    let both = tokio::join!(migrate_postgres(&owner, role), migrate_postgres(&owner, role));
    let (first, second) = (both.0.unwrap(), both.1.unwrap());
    assert!(first.is_empty() != second.is_empty(), "one of them takes the steps: {first:?}, {second:?}");
    drop(PostgresDatabase::open(&test.url()).unwrap());

    test.psql("UPDATE migrations SET checksum = '\\x00' WHERE number = 2");
    for refused in [
        migrate_postgres(&owner, role).await.unwrap_err(),
        PostgresDatabase::open(&test.url()).err().unwrap(),
    ] {
        assert!(
            matches!(&refused, PostgresError::ChangedStep(step) if step == "0002_create_commands"),
            "{refused}"
        );
    }
    test.psql("DELETE FROM migrations WHERE number = 1");
    let refused = PostgresDatabase::open(&test.url()).err().unwrap();
    assert!(matches!(refused, PostgresError::ChangedStep(_)), "{refused}");
    test.psql("DELETE FROM migrations WHERE number > 1");
    let refused = PostgresDatabase::open(&test.url()).err().unwrap();
    assert!(matches!(refused, PostgresError::OlderSchema { found: 0, .. }), "{refused}");
}
