//! A client that lives as long as the log, on a runtime of its own.
//!
//! The client's tasks may panic, spin or end: on threads of their own they take nobody with them, and whoever waits for them
//! waits for a bounded time. A client that lost its server for a while never finds it again, so it gets a successor.

use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::client::database::{Client, ClientSettings, Error};
use crate::client::{Meaning, meaning};
use crate::error::ConnectError;
use crate::nagle;

/// A call that took longer may have waited for an acknowledgement that was put off.
const PUT_OFF: Duration = Duration::from_millis(35);
/// The sockets are looked at no more often.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// After its time is up an answer has this long to come from the runtime.
const GRACE: Duration = Duration::from_secs(1);

/// The way to the server.
pub(crate) struct Connection {
    settings: ClientSettings,
    client: Mutex<Option<Client>>,
    looked_at_sockets: Mutex<Option<Instant>>,
    /// Until it is dropped.
    runtime: Option<Runtime>,
}

impl Connection {
    pub(crate) fn new(url: &str) -> Result<Self, ConnectError> {
        let settings = settings(url)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("log-engine")
            .enable_all()
            .build()
            .map_err(ConnectError::Thread)?;
        Ok(Self {
            settings,
            client: Mutex::default(),
            looked_at_sockets: Mutex::default(),
            runtime: Some(runtime),
        })
    }

    /// Runs something with the client, and blocks the thread for so long at most.
    pub(crate) fn call<T, F>(&self, within: Duration, work: impl FnOnce(Client) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let runtime = self.runtime.as_ref().ok_or(Error::ConnectionClosed)?;
        let work = work(self.client(runtime)?);
        let (answer, answered) = mpsc::sync_channel(1);
        let begun = Instant::now();
        let task = runtime.spawn(async move {
            // The client leaves deadlines to the server, and a server that is gone keeps none.
            let outcome = tokio::time::timeout(within, work).await;
            let _ = answer.send(outcome.unwrap_or(Err(Error::DeadlineExceeded)));
        });
        let outcome = match answered.recv_timeout(within + GRACE) {
            Ok(outcome) => outcome,
            Err(mpsc::RecvTimeoutError::Timeout) => Err(Error::DeadlineExceeded),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Error::ConnectionClosed),
        };
        task.abort();
        if begun.elapsed() > PUT_OFF {
            self.send_at_once();
        }
        if let Err(error) = &outcome
            && matches!(meaning(error), Meaning::Disconnected)
        {
            *self.slot() = None;
        }
        outcome
    }

    fn client(&self, runtime: &Runtime) -> Result<Client, Error> {
        let mut slot = self.slot();
        if let Some(client) = &*slot {
            return Ok(client.clone());
        }
        let client = Client::with_runtime_handle(runtime.handle().clone(), self.settings.clone())
            .map_err(|error| Error::InitializationError(error.to_string()))?;
        Ok(slot.insert(client).clone())
    }

    /// Connections come and go inside the client, which tells nobody.
    fn send_at_once(&self) {
        // Who looks now does it for all.
        let Ok(mut looked) = self.looked_at_sockets.try_lock() else { return };
        if looked.is_some_and(|at| at.elapsed() < BETWEEN_LOOKS) {
            return;
        }
        match nagle::turn_off() {
            Ok(connections) => tracing::debug!(connections, "sending at once"),
            Err(error) => tracing::debug!(%error, "looking for connections that do not send at once"),
        }
        *looked = Some(Instant::now());
    }

    fn slot(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Waiting for its tasks could take for ever, and may not be done everywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Looks whether a connection string is one, and its files are there. Nothing is asked of a server.
///
/// # Errors
/// What is wrong with it.
pub fn check_connection_string(url: &str) -> Result<(), ConnectError> {
    settings(url).map(drop)
}

/// What the client makes of the connection string, by either name of the scheme. The client panics over files that it cannot
/// read, so they are read here first.
fn settings(url: &str) -> Result<ClientSettings, ConnectError> {
    let url = match url.strip_prefix("kurrentdb") {
        Some(rest) => format!("esdb{rest}"),
        None => url.to_owned(),
    };
    let settings: ClientSettings = url.parse().map_err(|_| ConnectError::Invalid)?;
    let user = settings.user_certificate().into_iter().flat_map(|(certificate, key)| [certificate, key]);
    for path in settings.tls_ca_file().into_iter().chain(user) {
        std::fs::read(path).map_err(|source| ConnectError::File { path: path.clone(), source })?;
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_checked_before_the_client_panics_over_it() {
        for good in [
            "esdb://127.0.0.1:2113?tls=false",
            "kurrentdb://admin:changeit@a:2113,b:2113,c:2113",
            "kurrentdb+discover://cluster.example:2113",
        ] {
            assert!(settings(good).is_ok(), "{good}");
        }
        let secret = "esdb://admin:changeit";
        for bad in ["postgres://127.0.0.1", "esdb://", "esdb://a:port", secret] {
            let refused = settings(bad).map(drop).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("changeit"), "{refused:?}");
        }
        let missing = settings("esdb://a:2113?tlsCaFile=/nowhere/ca.pem").map(drop).unwrap_err();
        assert!(matches!(missing, ConnectError::File { path, .. } if path == "/nowhere/ca.pem"));
    }
}
