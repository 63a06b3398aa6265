//! Requests as a load: the same one again and again.

use std::ops::ControlFlow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    connection::Connection,
    measure::{Caller, Result},
};

/// A client that asks for itself.
pub fn own(host: &str, id: &str, secret: &str) -> Vec<u8> {
    let credentials = STANDARD.encode(format!("{id}:{secret}"));
    format!(
        "GET /sandbox/client HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {credentials}\r\n\
         user-agent: muniment-load\r\n\r\n"
    )
    .into_bytes()
}

/// A request, and how its answer begins.
#[derive(Clone)]
pub struct Asked {
    pub request: Vec<u8>,
    pub expected: &'static [u8],
}

pub struct Asking {
    connection: Connection,
    asked: Asked,
}

impl Caller for Asking {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        self.connection.ask(&self.asked.request, self.asked.expected).await?;
        Ok(ControlFlow::Continue(()))
    }
}

pub async fn asking(address: &str, asked: &[Asked]) -> Result<Vec<Asking>> {
    let mut asking = Vec::with_capacity(asked.len());
    for asked in asked {
        asking.push(Asking { connection: Connection::open(address).await?, asked: asked.clone() });
    }
    Ok(asking)
}
