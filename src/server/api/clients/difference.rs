//! `GET /environments/{environment}/clients/{client_id}/difference`: what became of a client between two moments.

use actix_web::{HttpResponse, http::StatusCode};
use domain::Client;
use projections::as_of::{self, Moment};
use serde::Deserialize;
use utoipa::IntoParams;

use super::moment;
use crate::{
    api::audit::recorded,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Difference, audit::corrupt},
};

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

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("What became of a client between two moments")
        .parameters::<Parameters>()
        .json::<Difference>(StatusCode::OK, "What differs, and what happened")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, context, .. } = read;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let from = moment::past(&service.app, "from", &parameters.from).await?;
    let to = match parameters.to.as_deref() {
        Some(to) => moment::past(&service.app, "to", to).await?,
        None => Moment::Time(service.app.log().now()),
    };
    let log = service.app.log().as_ref();
    let found = as_of::difference(log, client_id, (from, to), Difference::MOST_EVENTS).await?;
    let reversed = || Problem::in_query("to", "out_of_range", "must not be before `from`");
    // By the moments alone, until it is known that the client is one of here.
    let before = match (from, to) {
        (Moment::Position(from), Moment::Position(to)) => from > to,
        (Moment::Position(_) | Moment::Time(_), Moment::Position(_) | Moment::Time(_)) => {
            found.from.at > found.to.at
        }
    };
    if before {
        return Err(reversed());
    }
    let known = found.to.row.as_ref().filter(|row| row.client.environment == environment);
    if known.is_none() {
        return Err(moment::not_yet(&service.app, &environment, client_id).await?);
    }
    // Of a position and a time at one moment, too.
    if found.from.revision() > found.to.revision() {
        return Err(reversed());
    }
    let stream = format!("{}-{client_id}", Client::CATEGORY);
    recorded(&service, &context, app::AuditQuery::of("client.difference").about(stream)).await?;
    Ok(HttpResponse::Ok().json(Difference::try_from(found).map_err(corrupt)?))
}
