//! `GET /expiring_secrets` and `GET /environments/{environment}/expiring_secrets`: which secrets end soon, and whose they
//! are.

use actix_web::{HttpResponse, http::StatusCode};
use domain::{ClientId, client::Status};
use jiff::{SignedDuration, Timestamp};
use projections::{
    QueryError, Reader,
    clients::{
        self,
        expiring::{self, ExpiringPage, ExpiringSecret, Key},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Freshness,
    api::clients::list::exists,
    extract::{Read, page, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// Days ahead if nothing is said, and at most.
const WITHIN_DAYS: (u32, u32) = (30, 3_650);

/// How soon.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Only secrets that end within so many days; those that have ended are never listed.
    #[param(minimum = 1, maximum = 3650, default = 30)]
    within_days: Option<u32>,
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// Some of the list.
#[derive(Debug, Serialize, ToSchema)]
struct ExpiringSecrets {
    items: Vec<Expiring>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// A secret that would work but for its time, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExpiringSecret)]
struct Expiring {
    secret_id: String,
    label: Option<String>,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    environment: String,
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    client_name: String,
    /// An inactive client's secrets work again once it is enabled.
    #[schema(value_type = String, pattern = "^(active|inactive)$")]
    status: Status,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List secrets that end soon, those that end first first")
        .reads_views()
        .parameters::<Parameters>()
        .json::<ExpiringSecrets>(StatusCode::OK, "Some of the list")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, .. } = read;
    let named = http.match_info().get("environment").is_some();
    let environment = named.then(|| path::environment(&http)).transpose()?;
    let scope = format!("expiring_secrets/{}", environment.as_ref().map_or("*", |name| name.as_str()));
    let limit = page::limit(parameters.limit)?;
    let until = until(service.app.log().now(), parameters.within_days)?;
    let cursors = service.app.cursor_key();
    let after: Option<Key> =
        parameters.cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let freshness = Freshness::of(&service, clients::NAME).await;
    let (now, listed) = (service.app.log().now(), environment.clone());
    let query = move |reader: &Reader| {
        let ExpiringPage { items, next } =
            expiring::list(reader, listed.as_ref(), (now, until), after.as_ref(), limit)?;
        let items = items.into_iter().map(|secret| described(reader, secret));
        Ok((items.collect::<Result<Vec<_>, QueryError>>()?, next))
    };
    let (items, next) = service.views.read(query).await?;
    if let Some(environment) = environment.filter(|_| items.is_empty())
        && !exists(&service, &environment).await?
    {
        return Err(path::not_found("environment"));
    }
    let items = items.into_iter().flatten().collect();
    let next = next.map(|key| page::cursor(cursors, &scope, &key)).transpose()?;
    Ok(freshness.ok().json(ExpiringSecrets { items, next }))
}

fn until(now: Timestamp, within_days: Option<u32>) -> Result<Timestamp, Problem> {
    let (usual, most) = WITHIN_DAYS;
    let days = within_days.unwrap_or(usual);
    if !(1..=most).contains(&days) {
        return Err(Problem::in_query("within_days", "out_of_range", format!("must be 1 to {most}")));
    }
    let later = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days)));
    Ok(later.unwrap_or(Timestamp::MAX))
}

/// The secret with what its client says of it, from the same moment of the views.
fn described(reader: &Reader, secret: ExpiringSecret) -> Result<Option<Expiring>, QueryError> {
    let ExpiringSecret { secret_id, client_id, environment, expires_at } = secret;
    let Some(row) = clients::get(reader, client_id)? else { return Ok(None) };
    let of_client = row.client.secrets.into_iter().find(|secret| secret.id == secret_id);
    Ok(Some(Expiring {
        label: of_client.and_then(|secret| secret.label),
        secret_id: secret_id.0,
        expires_at,
        environment,
        client_id,
        client_name: row.client.client_name,
        status: row.client.status,
    }))
}
