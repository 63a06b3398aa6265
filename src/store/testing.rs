//! What tests are run against.

mod postgres_server;

pub use postgres_server::{PostgresServer, TestDatabase};
