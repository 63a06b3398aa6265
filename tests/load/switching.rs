//! Commands as a load: clients that are switched off and on.

use std::ops::ControlFlow;

use tests::{Service, http::CLIENTS};

use crate::{
    connection::Connection,
    measure::{Caller, Result},
};

/// Clients that each connection switches off and on in turn.
const CLIENTS_OF_CONNECTION: usize = 4;

/// A connection to a service for each of these groups of clients.
pub async fn connect(service: &Service, clients: Vec<Vec<Switched>>) -> Result<Vec<Switching>> {
    let address = service.base.trim_start_matches("http://");
    let mut connections = Vec::with_capacity(clients.len());
    for clients in clients {
        connections.push(Switching { connection: Connection::open(address).await?, clients, turn: 0 });
    }
    Ok(connections)
}

/// Clients of its own for each of so many connections.
pub async fn create_clients(service: &Service, connections: usize) -> Vec<Vec<Switched>> {
    let host = service.base.trim_start_matches("http://");
    let mut clients = Vec::with_capacity(connections);
    for connection in 0..connections {
        let mut of_connection = Vec::with_capacity(CLIENTS_OF_CONNECTION);
        for client in 0..CLIENTS_OF_CONNECTION {
            let (id, _) =
                service.create_client(&format!("Load {host} {connections} {connection} {client}")).await;
            let request = |action| post(host, &service.token, &format!("{CLIENTS}/{id}/{action}"));
            of_connection.push(Switched {
                active: true,
                deactivate: request("deactivate"),
                enable: request("enable"),
            });
        }
        clients.push(of_connection);
    }
    clients
}

fn post(host: &str, token: &str, path: &str) -> Vec<u8> {
    let body = r#"{"reason":"the old one was seen in a build log"}"#;
    format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nuser-agent: muniment-load\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A connection, and what it asks for.
pub struct Switching {
    connection: Connection,
    pub clients: Vec<Switched>,
    turn: usize,
}

/// A client, and the requests that switch it.
pub struct Switched {
    active: bool,
    deactivate: Vec<u8>,
    enable: Vec<u8>,
}

impl Caller for Switching {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        let turn = self.turn % self.clients.len();
        let client = &mut self.clients[turn];
        self.turn += 1;
        let request = if client.active { &client.deactivate } else { &client.enable };
        client.active = !client.active;
        self.connection.ask(request, b"HTTP/1.1 200 ").await?;
        Ok(ControlFlow::Continue(()))
    }
}
