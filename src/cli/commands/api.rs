//! `muniment api`: any request to the API, as who one is on this host.

use std::io::{Read, stdin};

use anyhow::{Context, bail};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use serde_json::{Value, json};

use crate::{
    arguments::Api,
    commands::init::say,
    config::Config,
    control::{self, Answer},
    exit::{Exit, WrongUsage},
    telemetry,
};

/// Runs the command.
///
/// # Errors
/// If the request cannot be read or sent. An answer that is a problem is printed, and the exit code says that it is one.
pub fn run(api: &Api) -> anyhow::Result<Exit> {
    let config = Config::load(&api.place)?;
    telemetry::start_quietly()?;
    if !api.path.starts_with('/') {
        bail!(WrongUsage("the path must begin with a slash, like /api/v1/projections".to_owned()));
    }
    let method = Method::from_bytes(api.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| WrongUsage(format!("`{}` is no method: GET, POST, PUT, PATCH or DELETE", api.method)))?;
    let headers = headers(&api.headers)?;
    let body = api.data.as_deref().map(body).transpose()?;
    let answer =
        control::with_api(&config, async |client| client.send(method, &api.path, headers, body).await)?;
    print(api, &answer)?;
    Ok(if answer.status.is_success() { Exit::Done } else { Exit::Failed })
}

fn headers(given: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for header in given {
        let (name, value) = header.split_once(':').context("--header must be like 'If-Match: *'")?;
        let name =
            HeaderName::from_bytes(name.trim().as_bytes()).context("reading the name of a --header")?;
        let value = HeaderValue::from_str(value.trim()).context("reading the value of a --header")?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn body(data: &str) -> anyhow::Result<Vec<u8>> {
    match data.strip_prefix('@') {
        Some("-") => {
            let mut body = Vec::new();
            stdin().read_to_end(&mut body).context("reading the body from standard input")?;
            Ok(body)
        }
        Some(file) => std::fs::read(file).with_context(|| format!("reading the body from `{file}`")),
        None => Ok(data.as_bytes().to_vec()),
    }
}

fn print(api: &Api, answer: &Answer) -> anyhow::Result<()> {
    if api.json {
        return say(&whole(answer).to_string());
    }
    if api.include {
        say(&format!("HTTP {}", answer.status))?;
        for (name, value) in &answer.headers {
            say(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))?;
        }
        say("")?;
    }
    if answer.text.is_empty() { Ok(()) } else { say(answer.text.trim_end()) }
}

/// The answer as one object; a body that is no JSON is a text in it.
fn whole(answer: &Answer) -> Value {
    let headers: serde_json::Map<_, _> = answer
        .headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()).into_owned()))
        })
        .collect();
    let body = serde_json::from_str(&answer.text).unwrap_or_else(|_| Value::from(answer.text.clone()));
    json!({ "status": answer.status.as_u16(), "headers": headers, "body": body })
}
