//! A connection between a node and its database that can be cut.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Passes on whatever comes to its port, until it is cut.
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    cut: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Passes on to a port of this machine.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cut = Arc::new(watch::Sender::new(false));
        let state = Arc::clone(&cut);
        #[expect(clippy::disallowed_methods, reason = "it runs no command")]
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut cut = state.subscribe();
                tokio::spawn(async move {
                    // Nobody is told: who waits for an answer waits until the connection is dropped.
                    if *cut.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Self { address, cut, task }
    }

    /// Ends every connection, and each new one at once.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Passes on again.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
