//! `muniment member`: enrols members from the host.

use reqwest::Method;
use serde_json::json;

use crate::{
    arguments::{CreateMember, Member, MemberCommand},
    commands::init::say,
    config::Config,
    control,
    exit::Exit,
    telemetry,
};

/// Runs the command.
///
/// # Errors
/// If the service refuses, or neither it nor the instance can be reached.
pub fn run(member: &Member) -> anyhow::Result<Exit> {
    match &member.command {
        MemberCommand::Create(arguments) => create(arguments),
    }
}

fn create(arguments: &CreateMember) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.place)?;
    telemetry::start_quietly()?;
    let body = json!({
        "name": arguments.name, "email": arguments.email, "roles": arguments.roles,
        "reason": arguments.why.reason, "ticket": arguments.why.ticket,
    });
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
