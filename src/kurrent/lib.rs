//! The entries of the log on KurrentDB or EventStoreDB.
//!
//! One stream of the server holds the whole log; what is beside the entries stays with the node, see
//! [`store::RemoteLog`]. The client is a feature, under its old name or its new one; a build without either refuses every
//! connection string.

#[cfg(all(feature = "eventstore", feature = "kurrentdb"))]
compile_error!("`eventstore` and `kurrentdb` are one client under two names: choose one");

mod check;
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
mod checks;
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
mod client;
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
mod connection;
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
mod engine;
mod error;
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
mod nagle;
#[cfg(not(any(feature = "eventstore", feature = "kurrentdb")))]
mod no_client;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;

pub use check::{Check, Outcome};
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
pub use checks::check_server;
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
pub use connection::check_connection_string;
#[cfg(any(feature = "eventstore", feature = "kurrentdb"))]
pub use engine::{KurrentEngine, open};
pub use error::ConnectError;
#[cfg(not(any(feature = "eventstore", feature = "kurrentdb")))]
pub use no_client::{check_connection_string, check_server, open};

/// The stream that holds the log, unless another is named.
pub const LOG_STREAM: &str = "muniment-log";
