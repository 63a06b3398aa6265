//! What the machine gives: the least program that answers a client with a token once its record is durable, the same
//! without a record, and a bare answer.

use std::{
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::header,
    web::{Data, Form, get, post},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use crypto::{Entropy, SystemEntropy};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use crate::{measure::Result, peers::said_listening};

/// As many records share a transaction at most.
const MAX_BATCH: usize = 1_024;

/// A record, and who waits until it is durable.
type Waiting = (String, oneshot::Sender<bool>);

struct Ceiling {
    id: String,
    secret: [u8; 32],
    writer: Mutex<mpsc::Sender<Waiting>>,
}

#[derive(Deserialize)]
struct Asked {
    grant_type: String,
    scope: String,
}

/// As much as a record of ours says.
#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    client: &'a str,
    grant_type: &'a str,
    scope: &'a str,
    token: &'a str,
    credential: &'static str,
    request_id: &'a str,
    source: &'static str,
}

#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u32,
    scope: &'a str,
}

/// Serves until the process is ended.
pub fn serve(folder: &Path, id: &str, secret: &str) -> Result<()> {
    let (writer, waiting) = mpsc::channel();
    let database = rusqlite::Connection::open(folder.join("ceiling.db"))?;
    database.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE records (position INTEGER PRIMARY KEY, client TEXT NOT NULL, record TEXT NOT NULL) STRICT;",
    )?;
    let client = id.to_owned();
    thread::spawn(move || write(&database, &client, &waiting));
    let ceiling = Data::new(Ceiling {
        id: id.to_owned(),
        secret: Sha256::digest(secret).into(),
        writer: Mutex::new(writer),
    });
    actix_web::rt::System::new().block_on(async move {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(Data::clone(&ceiling))
                .route("/hello", get().to(hello))
                .route("/token", post().to(recorded))
                .route("/unrecorded", post().to(unrecorded))
        });
        let server = server.bind(("127.0.0.1", 0))?;
        said_listening(server.addrs().first());
        Ok(server.run().await?)
    })
}

async fn hello() -> HttpResponse {
    HttpResponse::Ok().json(["hello"])
}

async fn unrecorded(http: HttpRequest, asked: Form<Asked>, ceiling: Data<Ceiling>) -> HttpResponse {
    match (is_known(&http, &ceiling), token()) {
        (true, Ok(token)) => given(&token, &asked.scope),
        (false, _) => HttpResponse::Unauthorized().finish(),
        (true, Err(_)) => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn recorded(http: HttpRequest, asked: Form<Asked>, ceiling: Data<Ceiling>) -> HttpResponse {
    if !is_known(&http, &ceiling) {
        return HttpResponse::Unauthorized().finish();
    }
    match issue(&asked, &ceiling).await {
        Ok(token) => given(&token, &asked.scope),
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn issue(asked: &Asked, ceiling: &Ceiling) -> Result<String> {
    let token = token()?;
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&token));
    let record = serde_json::to_string(&Record {
        kind: "token",
        client: &ceiling.id,
        grant_type: &asked.grant_type,
        scope: &asked.scope,
        token: &digest,
        credential: "3kTMd9sFz0aQ",
        request_id: &digest[..36],
        source: "203.0.113.7 billing-worker/4.2.1 (+https://example.com)",
    })?;
    let (durable, is_durable) = oneshot::channel();
    let writer = ceiling.writer.lock().unwrap_or_else(PoisonError::into_inner).clone();
    writer.send((record, durable))?;
    if is_durable.await? { Ok(token) } else { Err("the record is not durable".into()) }
}

fn is_known(http: &HttpRequest, ceiling: &Ceiling) -> bool {
    let known = || {
        let value = http.headers().get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let pair = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
        let (id, secret) = pair.split_once(':')?;
        Some(id == ceiling.id && <[u8; 32]>::from(Sha256::digest(secret)) == ceiling.secret)
    };
    known().unwrap_or(false)
}

fn token() -> Result<String> {
    let random: [u8; 32] = <dyn Entropy>::array(&SystemEntropy)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

fn given(token: &str, scope: &str) -> HttpResponse {
    let tokens = Tokens { access_token: token, token_type: "Bearer", expires_in: 3_600, scope };
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(tokens)
}

/// Group commit: all that wait at one moment share a transaction.
fn write(database: &rusqlite::Connection, client: &str, waiting: &mpsc::Receiver<Waiting>) {
    while let Ok(first) = waiting.recv() {
        let batch: Vec<Waiting> =
            std::iter::once(first).chain(waiting.try_iter().take(MAX_BATCH - 1)).collect();
        let written = || -> rusqlite::Result<()> {
            database.execute_batch("BEGIN IMMEDIATE")?;
            let mut insert =
                database.prepare_cached("INSERT INTO records (client, record) VALUES (?1, ?2)")?;
            for (record, _) in &batch {
                insert.execute((client, record))?;
            }
            database.execute_batch("COMMIT")
        };
        let durable = written().is_ok();
        for (_, answer) in batch {
            let _ = answer.send(durable);
        }
    }
}
