//! `GET /client_types`: client types, by name.

use actix_web::{HttpResponse, http::StatusCode};
use projections::catalog;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::listed::{self, Parameters},
    extract::Read,
    openapi::Operation,
    problem::Problem,
    representation::ClientType,
};

/// Some of the list.
#[derive(Debug, Serialize, ToSchema)]
struct ClientTypes {
    items: Vec<ClientType>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List client types, by name")
        .reads_views()
        .parameters::<Parameters>()
        .json::<ClientTypes>(StatusCode::OK, "Some of the list")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let state = |state| match state {
        domain::ClientType::Listed(listed) => Some(listed),
        domain::ClientType::Absent => None,
    };
    let (mut answer, items, next) =
        listed::by_name(read, "client_types", catalog::client_types, state).await?;
    Ok(answer.json(ClientTypes { items, next }))
}
