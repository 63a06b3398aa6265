//! The entries of the log on KurrentDB or EventStoreDB.
//!
//! One stream of the server holds the whole log; what is beside the entries stays with the node, see
//! [`store::RemoteLog`]. The client is a feature, under its old name or its new one; without either this crate is empty.
#![cfg(any(feature = "eventstore", feature = "kurrentdb"))]

#[cfg(all(feature = "eventstore", feature = "kurrentdb"))]
compile_error!("`eventstore` and `kurrentdb` are one client under two names: choose one");

mod checks;
mod client;
mod connection;
mod engine;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;

pub use checks::{Check, Outcome, check_server};
pub use connection::ConnectError;
pub use engine::{KurrentEngine, LOG_STREAM};
