//! `GET /environments/{environment}/clients/{client_id}`: one client, now or at any moment of the past.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use domain::client::Status;
use projections::as_of;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{moment, viewed};
use crate::{
    answer::{self, Freshness},
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

/// When, and how much.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The client as it was then: a time of RFC 3339, or a position of the log.
    #[param(example = "2026-11-20T22:13:25.123456Z")]
    at: Option<String>,
    /// `private` names the contacts, as they were then; needs audit:read_private, and is recorded.
    #[param(inline)]
    include: Option<Include>,
}

/// What is left out unless it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Include {
    /// What tells about people.
    Private,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One client, now or as it was")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, context, .. } = read;
    let environment = path::environment(&http)?;
    let client_id = path::client_id(&http)?;
    let ((row, freshness), now) = match parameters.at.as_deref() {
        None => (viewed(&service, &environment, client_id).await?, service.app.log().now()),
        Some(at) => {
            let moment = moment::past(&service.app, "at", at).await?;
            let row = as_of::client_as_of(service.app.log().as_ref(), client_id, moment).await?;
            let row = row.filter(|row| row.client.environment == environment);
            let Some(row) = row else {
                return Err(moment::not_yet(&service.app, &environment, client_id).await?);
            };
            ((row, Freshness::OF_THE_LOG), moment.time(service.app.log().as_ref()).await?)
        }
    };
    if row.client.status == Status::Deleted {
        return Err(freshness.problem(gone(http.path())));
    }
    let mut client = Client::viewed(&service, &row, now);
    if parameters.at.is_none() {
        Client::show_uses(&service, std::slice::from_mut(&mut client)).await?;
    }
    if parameters.include.is_some() {
        client.name_contacts(&service.app.open_contacts(context, client_id, row.revision).await?);
    }
    Ok(freshness.ok().insert_header((header::ETAG, answer::etag(row.revision))).json(client))
}

/// The client was deleted; `path` is where it was.
pub(super) fn gone(path: &str) -> Problem {
    let detail = "it was deleted: `history` says by whom, and `?at=` shows it as it was before";
    Problem::new(Kind::Gone)
        .detail(detail)
        .member("resource", "client")
        .member("history", format!("{path}/history"))
}
