//! `GET /scopes`: scopes, by name.

use actix_web::{HttpResponse, http::StatusCode};
use domain::ScopeDefinition;
use projections::catalog;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::listed::{self, Parameters},
    extract::Read,
    openapi::Operation,
    problem::Problem,
    representation::Scope,
};

/// Some of the list.
#[derive(Debug, Serialize, ToSchema)]
struct Scopes {
    items: Vec<Scope>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List scopes, by name")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Scopes>(StatusCode::OK, "Some of the list")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let state = |state| match state {
        ScopeDefinition::Listed(scope) => Some(scope),
        ScopeDefinition::Absent => None,
    };
    let (mut answer, items, next) = listed::by_name(read, "scopes", catalog::scopes, state).await?;
    Ok(answer.json(Scopes { items, next }))
}
