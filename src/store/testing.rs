//! What tests are run against.

mod memory_engine;
mod postgres_server;
mod proxy;

pub use memory_engine::{Fault, MemoryEngine};
pub use postgres_server::{PostgresServer, TestDatabase};
pub use proxy::{HeldBack, Proxy};
