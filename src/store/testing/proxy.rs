//! A network that does what networks do: between a client and a server, it loses, delays and cuts.
#![expect(clippy::unwrap_used, reason = "a network that does not fail as it is told is a failed test")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Listens in the place of a server, and hands on what is sent.
pub struct Proxy {
    port: u16,
    network: Arc<Network>,
}

#[derive(Default)]
struct Network {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    paused: bool,
    fault: Option<Fault>,
    connections: Vec<[TcpStream; 2]>,
}

/// A message, and the connection to its server.
type Waiting = Arc<Mutex<Option<(TcpStream, Vec<u8>)>>>;

/// What happens to the next message with these bytes.
struct Fault {
    bytes: Vec<u8>,
    kind: Kind,
}

enum Kind {
    LoseAnswer,
    HoldBack(Waiting),
}

/// A message on its way, whose sender has given up.
pub struct HeldBack(Waiting);

impl Proxy {
    /// A proxy before the server on this port.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let network = Arc::new(Network::default());
        let of_thread = Arc::clone(&network);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", server))) else {
                    continue;
                };
                of_thread.connect(client, server);
            }
        });
        Self { port, network }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing arrives, in either direction, and nobody is told.
    pub fn pause(&self) {
        self.network.state().paused = true;
    }

    /// What was sent in the pause arrives.
    pub fn resume(&self) {
        self.network.state().paused = false;
        self.network.changed.notify_all();
    }

    /// Cuts every connection there is.
    pub fn cut(&self) {
        for ends in self.network.state().connections.drain(..) {
            for end in ends {
                let _ = end.shutdown(Shutdown::Both);
            }
        }
    }

    /// The next message to the server that holds `bytes` arrives, and its answer does not: the connection is cut instead.
    pub fn lose_answer_to(&self, bytes: &[u8]) {
        self.network.state().fault = Some(Fault { bytes: bytes.to_vec(), kind: Kind::LoseAnswer });
    }

    /// The next message to the server that holds `bytes` is held back, and its sender cut off.
    #[must_use]
    pub fn hold_back(&self, bytes: &[u8]) -> HeldBack {
        let held = Arc::default();
        let kind = Kind::HoldBack(Arc::clone(&held));
        self.network.state().fault = Some(Fault { bytes: bytes.to_vec(), kind });
        HeldBack(held)
    }
}

impl HeldBack {
    /// The message arrives after all; answers what the server says to it.
    ///
    /// # Panics
    /// If no message was held back.
    #[must_use]
    pub fn release(self) -> Vec<u8> {
        let (mut server, message) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap();
        server.write_all(&message).unwrap();
        let mut answer = vec![0; 65_536];
        let length = server.read(&mut answer).unwrap();
        answer.truncate(length);
        answer
    }
}

impl Network {
    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let copy = |stream: &TcpStream| stream.try_clone().unwrap();
        self.state().connections.push([copy(&client), copy(&server)]);
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let (to_client, from_server) = (copy(&client), copy(&server));
        let mute = Arc::<AtomicBool>::default();
        let (network, muted) = (Arc::clone(self), Arc::clone(&mute));
        thread::spawn(move || network.answer(from_server, to_client, &muted));
        let network = Arc::clone(self);
        thread::spawn(move || network.ask(client, server, &mute));
    }

    fn ask(&self, mut client: TcpStream, mut server: TcpStream, mute: &AtomicBool) {
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length @ 1..) = client.read(&mut buffer) {
            let message = &buffer[..length];
            self.wait();
            match self.take_fault(message) {
                None => {
                    if server.write_all(message).is_err() {
                        break;
                    }
                }
                Some(Kind::LoseAnswer) => {
                    mute.store(true, Ordering::SeqCst);
                    let _ = server.write_all(message);
                    return;
                }
                Some(Kind::HoldBack(held)) => {
                    let waiting = (server.try_clone().unwrap(), message.to_vec());
                    *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
                    let _ = client.shutdown(Shutdown::Both);
                    return;
                }
            }
        }
        let _ = server.shutdown(Shutdown::Both);
    }

    fn answer(&self, mut server: TcpStream, mut client: TcpStream, mute: &AtomicBool) {
        let mut buffer = vec![0; 1 << 16];
        // A client that was cut off leaves the answers to whoever holds its message.
        while let Ok(length @ 1..) = server.peek(&mut buffer) {
            self.wait();
            if mute.load(Ordering::SeqCst) || client.write_all(&buffer[..length]).is_err() {
                break;
            }
            let _ = server.read(&mut buffer[..length]);
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    fn take_fault(&self, message: &[u8]) -> Option<Kind> {
        let mut state = self.state();
        let strikes = |fault: &Fault| message.windows(fault.bytes.len()).any(|window| window == fault.bytes);
        if state.fault.as_ref().is_some_and(strikes) {
            state.fault.take().map(|fault| fault.kind)
        } else {
            None
        }
    }

    fn wait(&self) {
        let _awake = self
            .changed
            .wait_while(self.state(), |state| state.paused)
            .unwrap_or_else(PoisonError::into_inner);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
