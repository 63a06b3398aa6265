//! `GET /environments/{environment}/clients/{client_id}/difference`: what became of a client between two moments.

use std::collections::BTreeSet;

use actix_web::{HttpResponse, http::StatusCode};
use domain::{ClientId, client::SecretState};
use jiff::Timestamp;
use projections::{
    as_of::{self, Moment},
    clients::ClientRow,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Revision, StreamName};
use utoipa::{IntoParams, ToSchema};

use super::moment;
use crate::{
    api::audit::recorded,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{AuditEvent, Client, Secret, audit::corrupt},
    service::Service,
};

/// Events that are shown; `history` has all of them.
const MOST_EVENTS: usize = 500;
/// What follows from other fields, or is told in a way of its own.
const NOT_COMPARED: [&str; 6] =
    ["client_secret_expires_at", "position", "revision", "secrets", "signing_secrets", "updated_at"];

/// Between which moments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The earlier one: a time of RFC 3339, or a position of the log.
    #[param(example = "2026-11-20T22:13:25.123456Z")]
    from: String,
    /// The later one; now, if left out.
    to: Option<String>,
}

/// What became of a client between two moments.
#[derive(Debug, Serialize, ToSchema)]
struct Difference {
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    from: Side,
    to: Side,
    /// The fields that differ.
    changes: Vec<FieldChange>,
    /// Secrets that it has only at the later moment.
    secrets_added: Vec<Secret>,
    /// Secrets that worked or were to work at the earlier moment, and do not at the later one.
    secrets_ended: Vec<Secret>,
    /// What happened between them, in the order of the log; the first 500.
    events: Vec<AuditEvent>,
    /// Whether there are more than these.
    more: bool,
}

/// A client at one of the moments.
#[derive(Debug, Serialize, ToSchema)]
struct Side {
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// 0 if it did not exist yet.
    #[schema(value_type = u64)]
    revision: Revision,
}

/// A field that differs; null on the side where it did not exist.
#[derive(Debug, Serialize, ToSchema)]
struct FieldChange {
    field: String,
    old: Value,
    new: Value,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("What became of a client between two moments")
        .parameters::<Parameters>()
        .json::<Difference>(StatusCode::OK, "What differs, and what happened")
        .problems(&[Kind::NotFound])
}

/// A client as it was at a moment.
struct Seen {
    at: Timestamp,
    row: Option<ClientRow>,
    client: Option<Client>,
}

impl Seen {
    async fn at(service: &Service, client_id: ClientId, moment: Moment) -> Result<Self, Problem> {
        let at = moment::time_of(&service.app, moment).await?;
        let row = as_of::client_as_of(service.app.log().as_ref(), client_id, moment).await?;
        let client = row.as_ref().map(|row| Client::viewed(service, row, at));
        Ok(Self { at, row, client })
    }

    fn revision(&self) -> Revision {
        self.row.as_ref().map_or(Revision::NONE, |row| row.revision)
    }

    fn side(&self) -> Side {
        Side { at: self.at, revision: self.revision() }
    }

    fn secrets(&self) -> &[Secret] {
        self.client.as_ref().map_or(&[], |client| &client.secrets)
    }

    fn fields(&self) -> Result<Value, Problem> {
        serde_json::to_value(&self.client).map_err(corrupt)
    }
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, context, .. } = read;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let from = moment::past(&service.app, "from", &parameters.from).await?;
    let to = match parameters.to.as_deref() {
        Some(to) => moment::past(&service.app, "to", to).await?,
        None => Moment::Time(service.app.log().now()),
    };
    let (from, to) = (Seen::at(&service, client_id, from).await?, Seen::at(&service, client_id, to).await?);
    if from.revision() > to.revision() {
        return Err(Problem::in_query("to", "out_of_range", "must not be before `from`"));
    }
    let known = to.row.as_ref().filter(|row| row.client.environment == environment);
    known.ok_or_else(|| path::not_found("client"))?;
    let stream = StreamName::new(domain::Client::CATEGORY, &client_id.to_string());
    let stream = stream.map_err(|_| path::not_found("client"))?;
    recorded(&service, &context, app::AuditQuery::of("client.difference").about(stream.to_string())).await?;
    let between = usize::try_from(to.revision().get() - from.revision().get()).unwrap_or(usize::MAX);
    let shown = between.min(MOST_EVENTS);
    let events = service.app.log().read_stream(&stream, from.revision(), shown).await?;
    let events = events.into_iter().map(|event| AuditEvent::new(event.position, event.entry));
    let difference = Difference {
        client_id,
        from: from.side(),
        to: to.side(),
        changes: changes(&from.fields()?, &to.fields()?),
        secrets_added: added(from.secrets(), to.secrets()),
        secrets_ended: ended(from.secrets(), to.secrets()),
        events: events.collect::<Result<_, _>>()?,
        more: between > shown,
    };
    Ok(HttpResponse::Ok().json(difference))
}

/// Field by field.
fn changes(old: &Value, new: &Value) -> Vec<FieldChange> {
    let names = |side: &Value| side.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>());
    let fields: BTreeSet<_> = [names(old), names(new)].into_iter().flatten().flatten().collect();
    let compared = fields.into_iter().filter(|field| !NOT_COMPARED.contains(&field.as_str()));
    compared
        .filter_map(|field| {
            let side = |side: &Value| side.get(&field).cloned().unwrap_or_default();
            let (old, new) = (side(old), side(new));
            (old != new).then_some(FieldChange { field, old, new })
        })
        .collect()
}

fn added(from: &[Secret], to: &[Secret]) -> Vec<Secret> {
    to.iter().filter(|secret| from.iter().all(|known| known.id != secret.id)).cloned().collect()
}

fn ended(from: &[Secret], to: &[Secret]) -> Vec<Secret> {
    let worked = |id: &str| from.iter().any(|secret| secret.id == id && is_usable(secret.state));
    to.iter().filter(|secret| !is_usable(secret.state) && worked(&secret.id)).cloned().collect()
}

fn is_usable(state: SecretState) -> bool {
    matches!(state, SecretState::Active | SecretState::Pending)
}
