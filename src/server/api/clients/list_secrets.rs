//! `GET /environments/{environment}/clients/{client_id}/secrets`: the secrets of a client, newest first.

use actix_web::{HttpResponse, http::StatusCode};
use domain::client::Status;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{get::gone, viewed};
use crate::{
    extract::{Read, page, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Secret,
};

/// How many, and from where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// Some of a client's secrets.
#[derive(Debug, Serialize, ToSchema)]
struct Secrets {
    /// Those that can be used, and the newest 200 of those that ended; the history has all there ever were.
    items: Vec<Secret>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List the secrets of a client, newest first")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Secrets>(StatusCode::OK, "Some of the list")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, .. } = read;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let scope = format!("secrets/{client_id}");
    let limit = page::limit(parameters.limit)?;
    let cursors = service.app.cursor_key();
    let after: Option<String> =
        parameters.cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let (row, freshness) = viewed(&service, &environment, client_id).await?;
    if row.client.status == Status::Deleted {
        return Err(
            freshness.problem(gone(&format!("/api/v1/environments/{environment}/clients/{client_id}")))
        );
    }
    // Secrets only come at the new end, so that the place of one is where it was.
    let place = |id: &String| row.client.secrets.iter().position(|secret| secret.id.0 == *id);
    let older = after.map_or(row.client.secrets.len(), |id| place(&id).unwrap_or(0));
    let now = service.app.log().now();
    let newest_first = row.client.secrets[..older].iter().rev();
    let mut items: Vec<_> = newest_first.take(limit).map(|secret| Secret::new(secret, now)).collect();
    Secret::show_uses(&service, items.iter_mut().collect()).await?;
    let last = items.last().filter(|_| items.len() < older);
    let next = last.map(|last| page::cursor(cursors, &scope, &last.id)).transpose()?;
    Ok(freshness.ok().json(Secrets { items, next }))
}
