//! What tests are run against.

mod forgetful_activity;
mod memory_engine;
mod postgres_server;
mod proxy;

pub use forgetful_activity::ForgetfulActivity;
pub use memory_engine::{Fault, MemoryEngine};
pub use postgres_server::{PostgresServer, TestDatabase, free_port, own, postgres_programs, unprivileged};
pub use proxy::{HeldBack, Proxy};
