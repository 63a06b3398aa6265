//! The smallest honest server of the protocol, in this process: streams are appended to, read, truncated and deleted as the
//! published protocol and the open server of version 24.6 say, and faults happen when a test wants them.
//!
//! What it cannot show: elections and what they lose, reads of followers, TLS, users and their rights, scavenging, pages of
//! the server's own, back-pressure, and whatever a real server does otherwise than it is understood here. For that there is
//! [`crate::check_server`].

mod protocol;
mod service;
mod streams;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Builder, Runtime};

use self::streams::Streams;

/// What happens to a call instead of what should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An append is not done, and the server says that it is unavailable.
    Unavailable,
    /// An append is done, and the server says that it is unavailable.
    AppendThenUnavailable,
    /// An append is done, and nobody answers.
    AppendThenSilence,
    /// An append is sent to another node, which is this one.
    NotLeader,
    /// An append is not allowed.
    Denied,
    /// A read fails after so many messages.
    ReadFailsAfter(usize),
    /// A read ends after so many messages as if that were all.
    ReadEndsAfter(usize),
    /// A read is answered by nobody.
    ReadInSilence,
}

/// A server in this process.
pub struct KurrentServer {
    streams: Arc<Mutex<Streams>>,
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl KurrentServer {
    /// Starts a server with nothing in it.
    ///
    /// # Errors
    /// When it gets no port or no thread.
    pub fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let mut server = Self { streams: Arc::default(), address, runtime: None };
        server.serve(listener)?;
        Ok(server)
    }

    /// The connection string.
    #[must_use]
    pub fn url(&self) -> String {
        format!("esdb://{}?tls=false", self.address)
    }

    /// Meets the next call that it is for.
    pub fn put(&self, fault: Fault) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.leader = self.address;
        streams.faults.push(fault);
    }

    /// How often it was read.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).reads
    }

    /// The metadata of the event at a revision, as it was proposed.
    #[must_use]
    pub fn metadata(&self, stream: &str, revision: usize) -> Option<Vec<u8>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).custom_metadata(stream, revision)
    }

    /// Cuts all connections, and answers nobody until [`Self::serve_again`].
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Serves what it held before.
    ///
    /// # Errors
    /// When it does not get its port back.
    pub fn serve_again(&mut self) -> std::io::Result<()> {
        self.serve(TcpListener::bind(self.address)?)
    }

    fn serve(&mut self, listener: TcpListener) -> std::io::Result<()> {
        listener.set_nonblocking(true)?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        runtime.spawn(service::serve(listener, Arc::clone(&self.streams)));
        self.runtime = Some(runtime);
        Ok(())
    }
}

impl Drop for KurrentServer {
    fn drop(&mut self) {
        self.stop();
    }
}
