//! What tests are run against.

mod memory_engine;
mod postgres_server;

pub use memory_engine::{Fault, MemoryEngine};
pub use postgres_server::{PostgresServer, TestDatabase};
