//! `GET /audit/events/{position}`: one event.

use actix_web::{HttpResponse, http::StatusCode};
use app::AuditQuery;
use domain::{EnvironmentName, Permission};
use serde::Deserialize;
use store::Position;
use utoipa::IntoParams;

use super::{disclosed, recorded};
use crate::{
    api::clients::get::Include,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{AuditEvent, audit::corrupt},
};

/// How much of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// `private` opens private parts; needs audit:read_private, and is recorded.
    #[param(inline)]
    include: Option<Include>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One event")
        .parameters::<Parameters>()
        .json::<AuditEvent>(StatusCode::OK, "The event")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, mut context, .. } = read;
    let position = path::position(&http)?;
    let found = service.app.log().read_all(Position::new(position.get() - 1), 1).await?;
    // Who reads the audit of some environments reads each event of theirs, and does not hear what else there is.
    let environment = match found.first() {
        Some(event) => event.envelope().map_err(corrupt)?.environment,
        None => None,
    };
    context.environment = environment.and_then(|name| EnvironmentName::parse(&name).ok());
    service.app.demand(context.clone(), Permission::AuditRead).await?;
    let event = found.into_iter().next().ok_or_else(|| path::not_found("event"))?;
    let asked = AuditQuery::of("audit.event").filter("environment", context.environment.as_ref());
    recorded(&service, &context, asked).await?;
    let mut event = AuditEvent::new(event.position, &event.entry)?;
    if parameters.include.is_some() {
        let opened = disclosed(&service, context, "audit.event", None, vec![event]).await?;
        event = opened.into_iter().next().ok_or_else(|| path::not_found("event"))?;
    }
    Ok(HttpResponse::Ok().json(event))
}
