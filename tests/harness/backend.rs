//! Where the services of the tests keep their logs, which `MUNIMENT_TEST_LOG` says:
//!
//! - `embedded`, unless it is set: in files; several nodes share a database;
//! - `postgres`: each in a database of its own, on a PostgreSQL that is started when the first one is needed;
//! - `kurrentdb`: each in a stream of its own on the server that `MUNIMENT_TEST_KURRENTDB` names, or on one of the same protocol
//!   that is started from `MUNIMENT_TEST_KURRENT_SERVER`; several nodes share a companion in a database.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use store::testing::{PostgresServer, TestDatabase};

const VARIABLE: &str = "MUNIMENT_TEST_LOG";
const REAL_SERVER: &str = "MUNIMENT_TEST_KURRENTDB";
const SERVER: &str = "MUNIMENT_TEST_KURRENT_SERVER";

/// Names the place of the log.
pub const LOG_URL: &str = "MUNIMENT_LOG__URL";
const COMPANION: &str = "MUNIMENT_LOG__COMPANION";
/// Names the stream of the log.
pub const STREAM: &str = "MUNIMENT_LOG__STREAM";

/// What a service finds in its environment.
pub type Environment = Vec<(&'static str, OsString)>;

/// Where the logs of this run are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Embedded,
    Postgres,
    Kurrent,
}

fn kept() -> Kept {
    match std::env::var(VARIABLE).as_deref() {
        Ok("embedded") | Err(_) => Kept::Embedded,
        Ok("postgres") => Kept::Postgres,
        Ok("kurrentdb") => Kept::Kurrent,
        Ok(other) => panic!("{VARIABLE} is `{other}`, and must be `embedded`, `postgres` or `kurrentdb`"),
    }
}

/// What a fresh service finds in its environment.
pub async fn fresh() -> Environment {
    match kept() {
        Kept::Embedded => Vec::new(),
        Kept::Postgres => on(&PostgresServer::shared().database().await),
        Kept::Kurrent => on_a_new_stream(),
    }
}

/// The environment of a service with its log in the database at this address.
pub fn in_database(url: &str) -> Environment {
    vec![(LOG_URL, url.into())]
}

/// The environment of the nodes that share this database: with the log in it, or beside a log on a server of events.
pub fn on(database: &TestDatabase<'_>) -> Environment {
    match kept() {
        Kept::Embedded | Kept::Postgres => in_database(&database.url()),
        Kept::Kurrent => {
            let mut environment = on_a_new_stream();
            environment.push((COMPANION, database.url().into()));
            environment
        }
    }
}

/// Whether a variable of this name is about the place of the log.
pub fn says_where_the_log_is(name: &str) -> bool {
    matches!(name, LOG_URL | STREAM | COMPANION)
}

/// The same environment for a node that reaches the database by another address.
pub fn reaching_it_by(environment: &Environment, url: &str) -> Environment {
    let of_database = |name: &&str| matches!(*name, LOG_URL | COMPANION);
    let names = environment.iter().map(|(name, _)| *name);
    let name =
        names.filter(of_database).max_by_key(|name| *name == COMPANION).expect("nodes share a database");
    environment.iter().cloned().chain([(name, url.into())]).collect()
}

/// The environment of one node with its log in a stream of its own on a server of events.
pub fn on_a_new_stream() -> Environment {
    static STREAMS: AtomicUsize = AtomicUsize::new(0);
    let number = STREAMS.fetch_add(1, Ordering::Relaxed);
    // Streams of earlier runs stay on a real server.
    let stream = format!("muniment_test-{:032x}-{number}", fastrand::u128(..));
    vec![(LOG_URL, server_of_events().into()), (STREAM, stream.into())]
}

/// The value of a variable.
pub fn value<'e>(environment: &'e Environment, name: &str) -> &'e str {
    let found = environment.iter().rev().find(|(found, _)| *found == name);
    found.and_then(|(_, value)| value.to_str()).expect("the variable is set")
}

/// The connection string of the server for all tests of this process, with which it ends.
fn server_of_events() -> &'static str {
    static RUNNING: OnceLock<(Option<Child>, String)> = OnceLock::new();
    let (_, url) = RUNNING.get_or_init(|| match std::env::var(REAL_SERVER) {
        Ok(url) => (None, url),
        Err(_) => {
            let program = std::env::var_os(SERVER).unwrap_or_else(|| panic!("{SERVER} names no program"));
            let mut server = Command::new(program)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the server of events starts");
            let mut url = String::new();
            let said = server.stdout.take().expect("its standard output");
            BufReader::new(said).read_line(&mut url).expect("its connection string");
            (Some(server), url.trim().to_owned())
        }
    });
    url
}
