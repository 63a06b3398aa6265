//! `GET /legal_holds`: every hold, newest first, released ones too.

use actix_web::{HttpResponse, http::StatusCode};
use domain::LegalHoldId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    extract::{Read, page},
    openapi::Operation,
    problem::Problem,
    representation::LegalHold,
};

const CURSORS: &str = "legal_holds";

/// Which part of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// `true` leaves out those that were released, `false` the others.
    active: Option<bool>,
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// Some legal holds.
#[derive(Debug, Serialize, ToSchema)]
struct LegalHolds {
    items: Vec<LegalHold>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Legal holds, newest first")
        .parameters::<Parameters>()
        .json::<LegalHolds>(StatusCode::OK, "Some of them")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { service, parameters, .. } = read;
    let Parameters { active, limit, cursor } = parameters;
    let limit = page::limit(limit)?;
    let cursors = service.app.cursor_key();
    let from = cursor.map(|cursor| page::place::<LegalHoldId>(cursors, CURSORS, &cursor)).transpose()?;
    let mut holds = service.app.legal_holds().await?;
    // Holds are never removed, so that the one a cursor names is there for ever.
    if let Some(end) = from.and_then(|from| holds.iter().position(|hold| hold.id == from)) {
        holds.truncate(end);
    }
    holds.retain(|hold| active.is_none_or(|active| active == hold.released_at.is_none()));
    let more = holds.len() > limit;
    let items: Vec<_> = holds.into_iter().rev().take(limit).collect();
    let next = match items.last() {
        Some(last) if more => Some(page::cursor(cursors, CURSORS, &last.id)?),
        Some(_) | None => None,
    };
    Ok(HttpResponse::Ok().json(LegalHolds { items: items.into_iter().map(LegalHold::from).collect(), next }))
}
