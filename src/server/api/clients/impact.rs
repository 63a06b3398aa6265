//! `GET /environments/{environment}/clients/{client_id}/impact`: what would stop if the client were deactivated now.

use actix_web::{HttpResponse, http::StatusCode};
use app::Fault;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use store::{ActivityFilter, ActivityPage, Outcome, Position};
use utoipa::ToSchema;

use super::viewed;
use crate::{
    extract::{NoParameters, Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// Tokens that are counted at most.
const MOST: usize = 10_000;

/// What would stop.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Impact {
    /// Members who allow it something now.
    live_grants: u64,
    /// Tokens that it was issued in the last 24 hours; 10,000 is that many or more.
    tokens_last_day: u64,
    /// When a secret of it was last used; null is never.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("What would stop if the client were deactivated now")
        .reads_views()
        .json::<Impact>(StatusCode::OK, "Who and what uses it")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<NoParameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, .. } = read;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    viewed(&service, &environment, client_id).await?;
    let live_grants =
        service.views.read(move |reader| projections::grants::count_of_client(reader, client_id)).await?;
    let id = client_id.to_string();
    let filter = ActivityFilter {
        kind: Some("token".to_owned()),
        outcome: Some(Outcome::Done),
        client: Some(id.clone()),
        from: Some(service.app.log().now() - SignedDuration::from_hours(24)),
        ..ActivityFilter::default()
    };
    let page = ActivityPage { ascending: false, after: Position::ORIGIN, before: None, limit: MOST };
    let activity = service.app.activity();
    let tokens = activity.read(&filter, page).await.map_err(Fault::from)?;
    let used = activity.last_used_by(std::slice::from_ref(&id)).await.map_err(Fault::from)?;
    let impact =
        Impact { live_grants, tokens_last_day: tokens.len() as u64, last_used_at: used.get(&id).copied() };
    Ok(HttpResponse::Ok().json(impact))
}
