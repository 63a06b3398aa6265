//! `muniment member`: enrols members, gives them passwords, and lists them, from the host.

use anyhow::Context;
use comfy_table::{Table, TableStyle};
use crypto::ExposeSecret;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    arguments::{CreateMember, Member, MemberCommand, SetPassword, Verify},
    backend::log_to_read,
    commands::init::say,
    config::Config,
    control::{self, Client},
    exit::Exit,
    password_file, telemetry,
};

/// The members, as many as there can be in a page.
const LIST: &str = "/api/v1/members?limit=500";

/// Runs the command.
///
/// # Errors
/// If the service refuses, or neither it nor the instance can be reached.
pub fn run(member: &Member) -> anyhow::Result<Exit> {
    match &member.command {
        MemberCommand::Create(arguments) => create(arguments),
        MemberCommand::SetPassword(arguments) => set_password(arguments),
        MemberCommand::List(arguments) => list(arguments),
    }
}

fn create(arguments: &CreateMember) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    telemetry::start_quietly()?;
    let mut body = json!({
        "name": arguments.name, "email": arguments.email, "roles": arguments.roles,
        "reason": arguments.why.reason, "ticket": arguments.why.ticket,
    });
    if let Some(file) = &arguments.password_file {
        body["password"] = json!(password_file::read(file)?.expose_secret());
    }
    let created = control::with_api(&config, async |client| {
        client.json(Method::POST, "/api/v1/members", Some(&body)).await
    })?;
    if arguments.json {
        say(&created.to_string())?;
    } else {
        let id = created["member_id"].as_str().unwrap_or_default();
        say(&format!(
            "member {id}; a token for it: muniment api POST /api/v1/members/{id}/tokens --data @-"
        ))?;
    }
    Ok(Exit::Done)
}

fn set_password(arguments: &SetPassword) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    telemetry::start_quietly()?;
    let body = json!({
        "password": password_file::read(&arguments.password_file)?.expose_secret(),
        "reason": arguments.why.reason, "ticket": arguments.why.ticket,
    });
    let member = control::with_api(&config, async |client| {
        let id = match (&arguments.member, &arguments.email) {
            (Some(id), _) => id.clone(),
            (None, email) => member_of_email(client, email.as_deref().unwrap_or_default()).await?,
        };
        client.json(Method::PUT, &format!("/api/v1/members/{id}/password"), Some(&body)).await
    })?;
    if arguments.json {
        say(&member.to_string())?;
    } else {
        say(&format!("member {}: its password is set", member["member_id"].as_str().unwrap_or_default()))?;
    }
    Ok(Exit::Done)
}

async fn member_of_email(client: &Client, email: &str) -> anyhow::Result<String> {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("email", email).finish();
    let found = client.json(Method::GET, &format!("/api/v1/members?{query}"), None).await?;
    let id = found["items"][0]["member_id"].as_str();
    id.map(str::to_owned)
        .context("mail reaches no member there; `muniment member list` names them by their ids")
}

fn list(arguments: &Verify) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    telemetry::start_quietly()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    // Whoever was enrolled before this command began is in the list.
    let head = runtime.block_on(log_to_read(&config)?.head())?;
    let members = control::with_api(&config, async |client| {
        let mut members = Vec::new();
        let mut path = LIST.to_owned();
        loop {
            let page = client.read_at(&path, head).await?;
            members.extend(page["items"].as_array().cloned().unwrap_or_default());
            let Some(next) = page["next"].as_str() else { return Ok(members) };
            path = format!("{LIST}&cursor={next}");
        }
    })?;
    if arguments.json {
        say(&json!({ "items": members }).to_string())?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(["member_id", "status", "roles", "created_at"]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for member in &members {
        let roles: Vec<_> = member["roles"].as_array().into_iter().flatten().map(role).collect();
        let [id, status, created_at] = ["member_id", "status", "created_at"].map(|key| text(&member[key]));
        table.add_row([id, status, roles.join(", "), created_at]);
    }
    say(&table.to_string())?;
    Ok(Exit::Done)
}

/// A role, and where it reaches unless that is everywhere.
fn role(grant: &Value) -> String {
    let name = grant["role"].as_str().unwrap_or_default();
    let environments: Vec<_> =
        grant["environments"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if environments.is_empty() { name.to_owned() } else { format!("{name} ({})", environments.join(", ")) }
}
