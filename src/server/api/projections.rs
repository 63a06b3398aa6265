//! `GET /projections`: how the views of this node stand.

pub(crate) mod rebuild;

use actix_web::{HttpResponse, http::StatusCode};
use projections::RebuildProgress;
use serde::Serialize;
use store::Position;
use utoipa::ToSchema;

use crate::{extract::Read, openapi::Operation, problem::Problem, representation::projection::Projection};

/// Every view.
#[derive(Debug, Serialize, ToSchema)]
struct Projections {
    items: Vec<Projection>,
    /// How far the rebuild under way has come; null if there is none.
    rebuild: Option<Progress>,
}

/// A rebuild under way.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RebuildProgress)]
struct Progress {
    /// The last event folded.
    #[schema(value_type = u64)]
    folded: Position,
    /// The last event there was when it began.
    #[schema(value_type = u64)]
    head: Position,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation.summary("How the views of this node stand").json::<Projections>(StatusCode::OK, "Every view")
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let items = read.service.views.status().await?.into_iter().map(Projection::from).collect();
    let progress = read.service.views.rebuild_progress();
    let rebuild = progress.map(|RebuildProgress { folded, head }| Progress { folded, head });
    Ok(HttpResponse::Ok().json(Projections { items, rebuild }))
}
