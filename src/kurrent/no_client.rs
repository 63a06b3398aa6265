//! What a build without the client can do: say so.

use std::sync::Arc;

use store::Engine;
use uuid::Uuid;

use crate::check::Check;
use crate::error::ConnectError;

/// The log in this stream of a server, in a build that has a client.
///
/// # Errors
/// Always [`ConnectError::NoClient`].
pub fn open(_url: &str, _stream: &str) -> Result<Arc<dyn Engine>, ConnectError> {
    Err(ConnectError::NoClient)
}

/// Looks whether a connection string is one, in a build that has a client.
///
/// # Errors
/// Always [`ConnectError::NoClient`].
pub fn check_connection_string(_url: &str) -> Result<(), ConnectError> {
    Err(ConnectError::NoClient)
}

/// Asks a server for everything that the log relies on, in a build that has a client.
///
/// # Errors
/// Always [`ConnectError::NoClient`].
pub fn check_server(_url: &str, _run: Uuid, _report: &mut dyn FnMut(Check)) -> Result<(), ConnectError> {
    Err(ConnectError::NoClient)
}
