//! Where the services of the tests keep their logs: in embedded files, or, with `MUNIMENT_TEST_LOG=postgres`, each in a
//! database of its own on a PostgreSQL that is started when the first one is needed.

use std::ffi::OsString;

use store::testing::{PostgresServer, TestDatabase};

const VARIABLE: &str = "MUNIMENT_TEST_LOG";

/// Names the database.
pub const LOG_URL: &str = "MUNIMENT_LOG__URL";

/// What a service finds in its environment.
pub type Environment = Vec<(&'static str, OsString)>;

/// What a fresh service finds in its environment.
pub async fn fresh() -> Environment {
    match std::env::var(VARIABLE).as_deref() {
        Ok("postgres") => on(&PostgresServer::shared().database().await),
        Ok("embedded") | Err(_) => Vec::new(),
        Ok(other) => panic!("{VARIABLE} is `{other}`, and must be `embedded` or `postgres`"),
    }
}

/// The environment of a service whose log is in this database.
pub fn on(database: &TestDatabase<'_>) -> Environment {
    vec![(LOG_URL, database.url().into())]
}
