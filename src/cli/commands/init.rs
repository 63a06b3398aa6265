//! `muniment init`: fill an empty data directory.

use std::{
    io::{IsTerminal, Write, stdout},
    path::{Path, PathBuf},
};

use anyhow::anyhow;
use app::{App, Bootstrapped, CommandError, FirstAdministrator, TokenSink};
use crypto::{ExposeSecret, Personal, SecretString};
use domain::Violation;
use serde_json::{Value, json};

use crate::{
    arguments::Init,
    config::{BootstrapSection, Config},
    exit::Exit,
    instance::{Instance, command_runtime, host_context},
    password_file, telemetry,
    token_file::{ShownOnly, TokenFile},
};

/// Where the token goes when nobody says so and nobody is looking.
const TOKEN_FILE: &str = "bootstrap-token";

/// Runs the command.
///
/// # Errors
/// Whatever kept the directory from being filled; it is as empty as before then.
pub fn run(init: &Init) -> anyhow::Result<Exit> {
    let config = Config::for_init(init)?;
    telemetry::start(&config.telemetry)?;
    let runtime = command_runtime(&config)?;
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        let instance = Instance::open(&config, handle).await?;
        let named = init.bootstrap_token_file.as_deref();
        let about = json!({ "data_directory": config.data.directory });
        let first = first_start(&instance.app, &config, named, init.json.then_some(&about)).await?;
        if first.is_none() {
            let nothing =
                || format!("`{}` has been filled before: nothing to do", config.data.directory.display());
            say(&if init.json { about.to_string() } else { nothing() })?;
        }
        instance.close().await;
        Ok(Exit::Done)
    })
}

/// Fills an empty log and tells who can sign in, and how: to a person, or in the JSON object `about` what was done.
///
/// # Errors
/// A token that could not be kept, or a log that could not be written.
pub async fn first_start(
    app: &App,
    config: &Config,
    named: Option<&Path>,
    about: Option<&Value>,
) -> anyhow::Result<Option<Bootstrapped>> {
    let (file, sink) = token_destination(config, named);
    if let Some(file) = &file {
        file.finish_pending(app).await?;
        if app.log().head().await? == store::Position::ORIGIN {
            file.must_be_new()?;
        }
    }
    let empty = app.log().head().await? == store::Position::ORIGIN;
    let who = if empty { first_administrator(&config.bootstrap)? } else { FirstAdministrator::default() };
    let bootstrapped = app.bootstrap(host_context("init"), who, sink).await;
    let Some(first) = bootstrapped.map_err(first_refused)? else {
        // Another node was faster, if this one has written a token down.
        if let Some(file) = &file {
            file.finish_pending(app).await?;
        }
        return Ok(None);
    };
    announce(file.as_ref(), &first.token, about)?;
    Ok(Some(first))
}

/// Who the first administrator is to be. The file of its password is of no account once there is a log, and may be gone.
fn first_administrator(section: &BootstrapSection) -> anyhow::Result<FirstAdministrator> {
    let BootstrapSection { name, email, password_file } = section;
    let mut first = FirstAdministrator::default();
    if let Some(name) = name {
        first.name = Personal::new(name.clone());
    }
    if let Some(email) = email {
        first.email = Personal::new(email.clone());
    }
    first.password = password_file.as_deref().map(password_file::read).transpose()?;
    Ok(first)
}

/// What is wrong with the first administrator, in words.
fn first_refused(error: CommandError) -> anyhow::Error {
    let CommandError::Invalid(wrong) = error else { return error.into() };
    let line = |one: &Violation| format!("{}: {}", one.pointer.trim_start_matches('/'), one.detail);
    let lines: Vec<_> = wrong.iter().map(line).collect();
    anyhow!("the first administrator cannot be enrolled:\n  {}", lines.join("\n  "))
}

/// A file if one is named or nobody is looking, else the terminal.
pub fn token_destination(config: &Config, named: Option<&Path>) -> (Option<TokenFile>, Box<dyn TokenSink>) {
    let path = match named {
        Some(path) => Some(path.to_owned()),
        None if stdout().is_terminal() => None,
        None => Some(default_token_file(config)),
    };
    match path {
        Some(path) => {
            let file = TokenFile::new(&path);
            (Some(file.clone()), Box::new(file))
        }
        None => (None, Box::new(ShownOnly)),
    }
}

/// Tells where a new token is, or, on a terminal, what it is: once. In a JSON object it goes with what is known `about` it.
///
/// # Errors
/// If the file cannot be given its name, or nothing can be printed.
pub fn announce(file: Option<&TokenFile>, token: &SecretString, about: Option<&Value>) -> anyhow::Result<()> {
    if let Some(file) = file {
        file.complete()?;
    }
    if let Some(about) = about {
        let mut told = about.clone();
        match file {
            Some(file) => told["token_file"] = json!(file.path()),
            None => told["token"] = json!(token.expose_secret()),
        }
        return say(&told.to_string());
    }
    match file {
        Some(file) => {
            say(&format!("administrator's token: in `{}`, readable by you alone", file.path().display()))
        }
        None => say(&format!(
            "administrator's token, shown this once (lost it? run `muniment recover`):\n\n  {}\n",
            token.expose_secret()
        )),
    }
}

fn default_token_file(config: &Config) -> PathBuf {
    config.data.directory.join(TOKEN_FILE)
}

/// Prints for the person who started the command.
///
/// # Errors
/// If standard output is closed.
pub fn say(text: &str) -> anyhow::Result<()> {
    writeln!(stdout(), "{text}")?;
    Ok(())
}
