//! `GET /projections`: how the views of this node stand.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{extract::Read, openapi::Operation, problem::Problem, representation::projection::Projection};

/// Every view.
#[derive(Debug, Serialize, ToSchema)]
struct Projections {
    items: Vec<Projection>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation.summary("How the views of this node stand").json::<Projections>(StatusCode::OK, "Every view")
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let items = read.service.views.status().await?.into_iter().map(Projection::from).collect();
    Ok(HttpResponse::Ok().json(Projections { items }))
}
