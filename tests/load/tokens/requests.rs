//! What clients ask, as it goes over the wire.

use std::ops::ControlFlow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tests::oauth::{CALLBACK, VERIFIER};

use crate::{
    asking::Asked,
    connection::Connection,
    measure::{Caller, Result},
};

pub const TOKEN_FORM: &str = "grant_type=client_credentials&scope=matters%3Aread";

/// A client, and where it asks.
#[derive(Clone, Debug)]
pub struct Client {
    /// `/sandbox`; empty at a peer.
    pub issuer: String,
    pub id: String,
    pub secret: String,
}

impl Client {
    /// A form for an endpoint, with the secret in a header.
    pub fn form(&self, host: &str, endpoint: &str, body: &str) -> Vec<u8> {
        let credentials = STANDARD.encode(format!("{}:{}", self.id, self.secret));
        format!(
            "POST {}/{endpoint} HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {credentials}\r\n\
             user-agent: billing-worker/4.2.1\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             content-length: {}\r\n\r\n{body}",
            self.issuer,
            body.len()
        )
        .into_bytes()
    }

    pub fn token(&self, host: &str) -> Asked {
        Asked { request: self.form(host, "token", TOKEN_FORM), expected: b"HTTP/1.1 200 " }
    }

    /// Asks about a token that it is issued now.
    pub async fn introspection(&self, host: &str, endpoint: &str) -> Result<Asked> {
        let mut connection = Connection::open(host).await?;
        let asked = self.token(host);
        let answer = connection.ask(&asked.request, asked.expected).await?;
        let body = format!("token={}", between(answer, "\"access_token\":\"", &['"'])?);
        let request = self.form(host, endpoint, &body);
        let known = connection.ask(&request, b"HTTP/1.1 200 ").await?;
        between(known, "\"active\":true", &['}'])?;
        Ok(Asked { request, expected: b"HTTP/1.1 200 " })
    }
}

/// A connection over which a member's browser and a client go through whole flows: a code for what the member allowed
/// before, tokens for the code, tokens for the refresh token.
pub struct Flow {
    connection: Connection,
    host: String,
    authorize: Vec<u8>,
    client: Client,
}

impl Flow {
    pub async fn open(host: &str, client: &Client, authorize: &[u8]) -> Result<Self> {
        Ok(Self {
            connection: Connection::open(host).await?,
            host: host.to_owned(),
            authorize: authorize.to_owned(),
            client: client.clone(),
        })
    }
}

impl Caller for Flow {
    async fn call(&mut self) -> Result<ControlFlow<()>> {
        let sent = self.connection.ask(&self.authorize, b"HTTP/1.1 303 ").await?;
        let code = between(sent, "code=", &['&', '\r'])?;
        let body = format!(
            "grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}"
        );
        let request = self.client.form(&self.host, "token", &body);
        let tokens = self.connection.ask(&request, b"HTTP/1.1 200 ").await?;
        let refresh_token = between(tokens, "\"refresh_token\":\"", &['"'])?;
        let body = format!("grant_type=refresh_token&refresh_token={refresh_token}");
        let request = self.client.form(&self.host, "token", &body);
        self.connection.ask(&request, b"HTTP/1.1 200 ").await?;
        Ok(ControlFlow::Continue(()))
    }
}

/// What stands in an answer after a text, up to one of these characters.
fn between<'a>(answer: &'a [u8], after: &str, ends: &[char]) -> Result<&'a str> {
    let text = str::from_utf8(answer)?;
    let found = text.split_once(after).and_then(|(_, rest)| rest.split(ends).next());
    found.ok_or_else(|| format!("no `{after}` in {text}").into())
}
