//! `muniment recover`: a new token for an administrator who has lost theirs.

use std::ops::ControlFlow;

use anyhow::{Context, bail};
use crypto::SecretString;
use domain::{BuiltInRole, Event, MemberEvent, MemberId, member::MemberStatus};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use store::{Envelope, EventLog, Position};

use crate::{
    arguments::Recover,
    backend::{log_to_read, must_be_there},
    commands::init::{announce, token_destination},
    config::Config,
    control::{self, Client},
    exit::Exit,
    instance::{Instance, command_runtime, host_context},
    telemetry,
};

/// How long the new token lives, in seconds: 90 days.
const LIFETIME: u32 = 90 * 24 * 60 * 60;

/// Runs the command.
///
/// # Errors
/// If no administrator is found or several are, or the token could not be kept.
pub fn run(recover: &Recover) -> anyhow::Result<Exit> {
    let config = Config::load(&recover.place)?;
    if control::service_listens(&config.control_socket())? {
        return of_running_service(recover, &config);
    }
    must_be_there(&config)?;
    telemetry::start(&config.telemetry)?;
    let runtime = command_runtime(&config)?;
    let handle = runtime.handle().clone();
    runtime.block_on(async {
        let instance = Instance::open(&config, handle).await?;
        let member_id = chosen(recover, instance.log.as_ref())?;
        let (file, sink) = token_destination(&config, recover.bootstrap_token_file.as_deref());
        if let Some(file) = &file {
            file.finish_pending(&instance.app).await?;
            file.must_be_new()?;
        }
        let recovered = instance.app.recover(host_context("recover"), member_id, sink).await?;
        announce(file.as_ref(), &recovered.token, about(recover, member_id).as_ref())?;
        instance.close().await;
        Ok(Exit::Done)
    })
}

/// The same through the service, which has the log to itself. The token's file is made before the token is, so that a
/// file that cannot be written costs nothing.
fn of_running_service(recover: &Recover, config: &Config) -> anyhow::Result<Exit> {
    telemetry::start_quietly()?;
    let member_id = chosen(recover, log_to_read(config)?.as_ref())?;
    let (file, mut sink) = token_destination(config, recover.bootstrap_token_file.as_deref());
    if let Some(file) = &file {
        file.must_be_new()?;
        file.must_be_writable()?;
    }
    let member = format!("/api/v1/members/{member_id}");
    let issued = control::with_api(config, async |client| {
        let found = client.json(Method::GET, &member, None).await?;
        if found["status"] == MemberStatus::Inactive.as_str() {
            client.json(Method::POST, &format!("{member}/enable"), None).await?;
        }
        let mut roles = found["roles"].as_array().cloned().unwrap_or_default();
        let administrator = json!({ "role": BuiltInRole::Administrator.as_str() });
        if !roles.contains(&administrator) {
            roles.retain(|grant| grant["role"] != administrator["role"]);
            let mut roles = still_there(client, roles).await?;
            roles.push(administrator);
            client.json(Method::PUT, &format!("{member}/roles"), Some(&json!({ "roles": roles }))).await?;
        }
        let token = json!({ "label": "recovered at the command line", "expires_in_seconds": LIFETIME });
        client.json(Method::POST, &format!("{member}/tokens"), Some(&token)).await
    })?;
    let token = SecretString::from(issued["token"].as_str().context("the answer has no token")?);
    sink.keep(&token)
        .context("keeping the token; it works, so run this again and revoke the one that was lost")?;
    announce(file.as_ref(), &token, about(recover, member_id).as_ref())?;
    Ok(Exit::Done)
}

/// Those of these grants whose role there still is: one that was deleted in the meantime keeps nobody out.
async fn still_there(client: &Client, grants: Vec<Value>) -> anyhow::Result<Vec<Value>> {
    let mut there = Vec::with_capacity(grants.len());
    for grant in grants {
        let role = grant["role"].as_str().context("the answer has a role without a name")?;
        let found =
            client.send(Method::GET, &format!("/api/v1/roles/{role}"), HeaderMap::new(), None).await?;
        if found.status != StatusCode::GONE {
            there.push(grant);
        }
    }
    Ok(there)
}

/// What a script is told beside where the token is.
fn about(recover: &Recover, member_id: MemberId) -> Option<Value> {
    recover.json.then(|| json!({ "member_id": member_id }))
}

fn chosen(recover: &Recover, log: &dyn EventLog) -> anyhow::Result<MemberId> {
    match &recover.member {
        Some(id) => id.parse().context("reading --member"),
        None => only_administrator(log),
    }
}

/// The administrator, if there is exactly one.
fn only_administrator(log: &dyn EventLog) -> anyhow::Result<MemberId> {
    let mut members: Vec<(MemberId, bool)> = Vec::new();
    let mut failed = None;
    log.scan(Position::ORIGIN, &mut |event| match member_event(event.entry) {
        Ok(Some((member, administrator))) => {
            members.retain(|(known, _)| *known != member);
            members.push((member, administrator));
            ControlFlow::Continue(())
        }
        Ok(None) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    let ids = |chosen: &dyn Fn(bool) -> bool| {
        let ids =
            members.iter().filter(|(_, administrator)| chosen(*administrator)).map(|(id, _)| id.to_string());
        ids.collect::<Vec<_>>().join("\n  ")
    };
    let administrators: Vec<_> = members.iter().filter(|(_, administrator)| *administrator).collect();
    match administrators.as_slice() {
        [(member, _)] => Ok(*member),
        [] if members.is_empty() => {
            bail!("the log has no members: start the service on an empty directory, or run `muniment init`")
        }
        [] => bail!(
            "no member is an administrator any more; make one of them one with --member:\n  {}",
            ids(&|_| true)
        ),
        _ => bail!(
            "there are several administrators; say which one with --member:\n  {}",
            ids(&|chosen| chosen)
        ),
    }
}

/// A member whose roles an event sets, and whether it is an administrator from there on.
fn member_event(entry: &[u8]) -> anyhow::Result<Option<(MemberId, bool)>> {
    let envelope = Envelope::parse(entry)?;
    let Some(id) = envelope.stream.strip_prefix("member-") else { return Ok(None) };
    let event = Event::decode(&envelope.event_type, envelope.event_version, envelope.data.get())?;
    let roles = match event {
        Event::Member(MemberEvent::Created(created)) => created.roles,
        Event::Member(MemberEvent::RolesChanged(changed)) => changed.roles.new,
        Event::Member(
            MemberEvent::DetailsChanged(_)
            | MemberEvent::Deactivated(_)
            | MemberEvent::Enabled(_)
            | MemberEvent::TokenIssued(_)
            | MemberEvent::TokenRevoked(_)
            | MemberEvent::PasswordSet(_)
            | MemberEvent::PasswordRemoved(_)
            | MemberEvent::TotpEnrolled(_)
            | MemberEvent::TotpRemoved(_)
            | MemberEvent::PasskeyRegistered(_)
            | MemberEvent::PasskeyRemoved(_)
            | MemberEvent::RecoveryCodesIssued(_),
        )
        | Event::Client(_)
        | Event::Environment(_)
        | Event::ClientType(_)
        | Event::Scope(_)
        | Event::Erasure(_)
        | Event::LegalHold(_)
        | Event::Role(_)
        | Event::SigningKey(_)
        | Event::Admission(_)
        | Event::Grant(_)
        | Event::Registry(_) => return Ok(None),
    };
    Ok(Some((id.parse()?, roles.contains(&BuiltInRole::Administrator.into()))))
}
