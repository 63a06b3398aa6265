//! Changing something as who one is on this host: through the control socket of the service, or, if none runs, on the
//! files themselves, by the same routes.

use std::{
    io,
    os::unix::{ffi::OsStrExt, net::UnixStream},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, bail};
use projections::Views;
use reqwest::{
    Method,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use server::{ControlSocket, Metrics, Server};
use store::Position;

use crate::{
    backend::must_be_there,
    config::Config,
    instance::{Instance, command_runtime},
};

/// The longest path that the system's address of a socket holds.
const LONGEST_PATH: usize = 107;
/// Demands that the views have come so far.
const POSITION: HeaderName = HeaderName::from_static("muniment-position");
/// Only names the service in the request; the socket says where it is.
const BASE: &str = "http://muniment.invalid";

/// Speaks to the API over the control socket.
pub struct Client {
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: reqwest::StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

/// Listens for commands of the host; the caller holds the data directory.
///
/// # Errors
/// If the path is too long, taken, or refused.
pub fn bind(config: &Config) -> anyhow::Result<ControlSocket> {
    check_path(config)?;
    let path = config.control_socket();
    ControlSocket::bind(&path)
        .with_context(|| format!("listening on the control socket `{}`", path.display()))
}

/// Refuses a path that no socket can have.
///
/// # Errors
/// If it is too long.
pub fn check_path(config: &Config) -> anyhow::Result<()> {
    let path = config.control_socket();
    let length = path.as_os_str().as_bytes().len();
    if length > LONGEST_PATH {
        bail!(
            "the path of the control socket `{}` has {length} bytes, and the system allows {LONGEST_PATH}: set data.control_socket to a shorter one",
            path.display()
        );
    }
    Ok(())
}

/// Does `work` with the API: of the service that runs, or of one that runs only for this.
///
/// # Errors
/// Those of `work`; and if neither the service answers nor the instance can be opened.
pub fn with_api<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let path = config.control_socket();
    if service_listens(&path)? {
        return with_service(&path, work);
    }
    must_be_there(config)?;
    let commands = command_runtime(config)?;
    let handle = commands.handle().clone();
    actix_web::rt::System::new().block_on(async {
        let instance = Instance::open(config, handle).await.with_context(|| {
            format!("no service listens on `{}`, so this command opens the instance itself", path.display())
        })?;
        let views = Arc::new(
            Views::open(&config.data.directory, Arc::clone(&instance.log)).context("opening the views")?,
        );
        views.start().context("following the log")?;
        let client = Client::new(&path)?;
        let control = bind(config)?;
        let server = Server::bind_control(
            config.settings(),
            control,
            instance.app.clone(),
            Arc::clone(&views),
            Metrics::new(),
        )?;
        let mut done = None;
        let served = server.run_until(async { done = Some(work(&client).await) }).await;
        views.stop();
        instance.close().await;
        served?;
        done.context("the service ended before the answer")?
    })
}

/// Does `work` with the API of the service that listens there.
///
/// # Errors
/// Those of `work`.
pub fn with_service<T>(
    path: &Path,
    work: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work(&Client::new(path)?))
}

/// Whether somebody answers there. A socket that nobody listens on is what a killed service leaves.
///
/// # Errors
/// If the system refuses for another reason, as it does to who may not use the socket.
pub fn service_listens(path: &Path) -> anyhow::Result<bool> {
    match UnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Ok(false)
        }
        Err(error) => {
            let denied = error.kind() == io::ErrorKind::PermissionDenied;
            let only = if denied { ": only the user whom the service runs as may" } else { "" };
            Err(error).with_context(|| format!("connecting to the control socket `{}`{only}", path.display()))
        }
    }
}

impl Client {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .unix_socket(path)
            .build()
            .context("preparing to speak over the control socket")?;
        Ok(Self { http })
    }

    /// Sends a request and reads the answer to its end, whatever its status is.
    ///
    /// # Errors
    /// If no whole answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method, format!("{BASE}{path}"));
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        }
        let response = request.headers(headers).send().await.context("asking over the control socket")?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.context("reading the answer from the control socket")?;
        Ok(Answer { status, headers, text })
    }

    /// The same with JSON both ways.
    ///
    /// # Errors
    /// If no whole answer came, or it is a problem.
    pub async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut headers = HeaderMap::new();
        // Who gives a command at the host means it, whatever revision it is at.
        if method == Method::PUT || method == Method::PATCH {
            headers.insert(reqwest::header::IF_MATCH, HeaderValue::from_static("*"));
        }
        let body = body.map(|body| body.to_string().into_bytes());
        self.successful(method, path, headers, body).await
    }

    /// Reads what has come as far as `position`.
    ///
    /// # Errors
    /// If no whole answer came, or it is a problem.
    pub async fn read_at(&self, path: &str, position: Position) -> anyhow::Result<Value> {
        let headers = HeaderMap::from_iter([(POSITION, HeaderValue::from(position.get()))]);
        self.successful(Method::GET, path, headers, None).await
    }

    async fn successful(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Option<Vec<u8>>,
    ) -> anyhow::Result<Value> {
        let answer = self.send(method, path, headers, body).await?;
        if !answer.status.is_success() {
            bail!(refusal(&answer));
        }
        serde_json::from_str(&answer.text).context("reading the answer")
    }
}

/// A problem of RFC 9457 in a few lines.
fn refusal(answer: &Answer) -> String {
    let Ok(problem) = serde_json::from_str::<Value>(&answer.text) else {
        return format!("the service answered {}", answer.status);
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = format!("{}: {}", text(&problem["title"]), text(&problem["detail"]));
    for error in problem["errors"].as_array().into_iter().flatten() {
        lines.push_str(&format!("\n  {}: {}", text(&error["pointer"]), text(&error["detail"])));
    }
    lines
}
