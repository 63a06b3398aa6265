//! `GET /environments`: environments, by name.

use actix_web::{HttpResponse, http::StatusCode};
use projections::catalog;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::listed::{self, Parameters},
    extract::Read,
    openapi::Operation,
    problem::Problem,
    representation::Environment,
};

/// Some of the list.
#[derive(Debug, Serialize, ToSchema)]
struct Environments {
    items: Vec<Environment>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List environments, by name")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Environments>(StatusCode::OK, "Some of the list")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let state = |state| match state {
        domain::Environment::Open(open) => Some(*open),
        domain::Environment::Absent => None,
    };
    let (mut answer, items, next) =
        listed::by_name(read, "environments", catalog::environments, state).await?;
    Ok(answer.json(Environments { items, next }))
}
