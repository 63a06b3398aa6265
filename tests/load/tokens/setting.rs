//! The registry that is measured: ten thousand clients, some of which ask, and members who have allowed them something.

use std::{fs, path::Path};

use serde_json::json;
use tests::{
    Service,
    http::{CLIENTS, client_body},
    oauth::{Application, Visitor},
};
use tokio::task::JoinSet;

use crate::{connection::Connection, measure::Result, requests::Client};

/// Clients that are there.
pub const CLIENTS_THERE: usize = 10_000;
/// Clients of an environment that ask, and members who sign in.
pub const ASKING: usize = 32;
/// Connections over which clients are created.
const CREATING: usize = 16;
const OPAQUE: &str = "/api/v1/environments/production";

/// Who asks.
pub struct Setting {
    /// Clients whose tokens are opaque.
    pub opaque: Vec<Client>,
    /// Clients whose tokens are JWTs.
    pub jwt: Vec<Client>,
    /// For each of those a request for a code by the browser of a member who has allowed it everything.
    pub authorize: Vec<Vec<u8>>,
}

impl Setting {
    pub async fn of(service: &Service) -> Result<Self> {
        let policy = json!({ "policy": { "access_token_format": "opaque" }, "reason": "measuring" });
        service.patch(OPAQUE, "*", &policy).await.expect(200);
        let mut setting = Self { opaque: Vec::new(), jwt: Vec::new(), authorize: Vec::new() };
        for place in 0..ASKING {
            let mut body = client_body(&format!("Opaque {place}"));
            body["grant_types"] = json!(["client_credentials"]);
            let created = service.post(&format!("{OPAQUE}/clients"), &body).await.expect(201);
            setting.opaque.push(Client {
                issuer: "/production".into(),
                id: created.text_of("/client_id").into(),
                secret: created.text_of("/client_secret").into(),
            });
            let application = service.application(&format!("Load {place}")).await;
            let member = service.visitor(&format!("Member {place}")).await;
            setting.authorize.push(remembered(service, &member, &application).await);
            let Application { id, secret } = application;
            setting.jwt.push(Client { issuer: "/sandbox".into(), id, secret });
        }
        create_others(service, CLIENTS_THERE - 2 * ASKING).await?;
        Ok(setting)
    }
}

/// The member signs in and allows all that the client asks for, for good. Answers what its browser sends from then on.
async fn remembered(service: &Service, member: &Visitor<'_>, application: &Application) -> Vec<u8> {
    let page = member.authorize(&application.request()).await.expect(200);
    let page = member.sign_in(&page).await.expect(200);
    member.decide(&page, "allow", true).await.expect(303);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(application.request()).finish();
    let cookies: Vec<_> =
        member.cookies().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!(
        "GET /sandbox/authorize?{query} HTTP/1.1\r\nhost: {}\r\nuser-agent: a browser\r\ncookie: {}\r\n\r\n",
        service.base.trim_start_matches("http://"),
        cookies.join("; ")
    )
    .into_bytes()
}

/// Clients that are there and ask nothing. They are public: the verifier of a secret takes Argon2 a quarter of a minute for
/// a thousand of them.
async fn create_others(service: &Service, clients: usize) -> Result<()> {
    let host = service.base.trim_start_matches("http://").to_owned();
    let mut creating = JoinSet::new();
    for own in 0..CREATING {
        let (host, token) = (host.clone(), service.token.clone());
        creating.spawn(async move {
            let mut connection = Connection::open(&host).await?;
            for number in (own..clients).step_by(CREATING) {
                let mut body = client_body(&format!("Integration {number}"));
                body["token_endpoint_auth_method"] = json!("none");
                let body = body.to_string();
                let request = format!(
                    "POST {CLIENTS} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
                     content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                connection.ask(request.as_bytes(), b"HTTP/1.1 201 ").await?;
            }
            Result::Ok(())
        });
    }
    while let Some(created) = creating.join_next().await {
        created??;
    }
    Ok(())
}

/// A copy of all files of a stopped service.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
