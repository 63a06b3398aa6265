//! `GET /environments/{environment}/clients/{client_id}/credentials`: who could authenticate as a client at a moment.

use actix_web::{HttpResponse, http::StatusCode};
use domain::{ClientId, client::Status};
use jiff::Timestamp;
use projections::as_of::{self, Issuer};
use serde::{Deserialize, Serialize};
use store::{ActorKind, Position};
use utoipa::{IntoParams, ToSchema};

use super::moment;
use crate::{
    api::audit::recorded,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Secret,
};

/// When.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// A time of RFC 3339, or a position of the log.
    #[param(example = "2026-11-20T22:13:25.123456Z")]
    at: String,
}

/// The credentials of a client at a moment.
#[derive(Debug, Serialize, ToSchema)]
struct Credentials {
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    environment: String,
    /// The time that the states are judged by.
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The client's own; of one that is not active nothing authenticates.
    #[schema(value_type = String, pattern = "^(active|inactive|deleted)$")]
    status: Status,
    /// Whether anything authenticated it.
    can_authenticate: bool,
    /// Every secret that could be used then, and the newest of those that had ended, oldest first.
    secrets: Vec<Credential>,
}

/// A secret, and where it came from.
#[derive(Debug, Serialize, ToSchema)]
struct Credential {
    #[serde(flatten)]
    secret: Secret,
    /// Whether it authenticated the client at that moment.
    authenticates: bool,
    issued_by: Option<IssuedBy>,
}

/// Who issued a secret, and with which event.
#[derive(Debug, Serialize, ToSchema)]
struct IssuedBy {
    /// Pseudonym of who acted.
    actor: String,
    #[schema(value_type = String, pattern = "^(member|client|host|system|anonymous)$")]
    kind: ActorKind,
    /// The credential that was acted through.
    via: Option<String>,
    #[schema(value_type = u64)]
    position: Position,
}

impl From<&Issuer> for IssuedBy {
    fn from(issuer: &Issuer) -> Self {
        let Issuer { secret_id: _, actor, kind, via, position } = issuer;
        Self { actor: actor.clone(), kind: *kind, via: via.clone(), position: *position }
    }
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Which secrets authenticated a client at a moment, and who issued them")
        .parameters::<Parameters>()
        .json::<Credentials>(StatusCode::OK, "Its credentials, as they were")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, context, .. } = read;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let moment = moment::past(&service.app, "at", &parameters.at).await?;
    let found = as_of::credentials_as_of(service.app.log().as_ref(), client_id, moment).await?;
    let found = found.filter(|(row, _)| row.client.environment == environment);
    let Some((row, issuers)) = found else {
        return Err(moment::not_yet(&service.app, &environment, client_id).await?);
    };
    let asked =
        app::AuditQuery::of("client.credentials").about(format!("{}-{client_id}", domain::Client::CATEGORY));
    recorded(&service, &context, asked).await?;
    let at = moment.time(service.app.log().as_ref()).await?;
    let secrets = row.client.secrets.iter().map(|secret| Credential {
        authenticates: row.client.live_secrets(at).any(|live| live.id == secret.id),
        issued_by: issuers.iter().find(|issuer| issuer.secret_id == secret.id).map(IssuedBy::from),
        secret: Secret::new(secret, at),
    });
    let secrets: Vec<_> = secrets.collect();
    Ok(HttpResponse::Ok().json(Credentials {
        client_id,
        environment: environment.to_string(),
        at,
        status: row.client.status,
        can_authenticate: secrets.iter().any(|secret| secret.authenticates),
        secrets,
    }))
}
