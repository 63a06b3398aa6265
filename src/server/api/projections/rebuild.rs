//! `POST /projections/rebuild`: folds the views of this node anew, beside the live ones, and changes over.

use std::sync::Arc;

use actix_web::{HttpResponse, http::StatusCode};
use app::{CommandError, Fault};
use domain::registry::ViewsRebuilt;
use projections::{RebuildError, Rebuilt};
use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::{
    answer::{POSITION, REPLAYED, VIEWS},
    extract::{Command, Why},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// What a rebuild found: an event of the log as well.
#[derive(Debug, Serialize, ToSchema)]
struct Rebuild {
    views: Vec<RebuiltView>,
    /// The first rows that differed; left out in the answer to a repeated request.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<Difference>>,
}

/// A view, as it was and as the log says.
#[derive(Debug, Serialize, ToSchema)]
struct RebuiltView {
    name: String,
    /// The position at which the two were compared.
    position: u64,
    /// SHA-256 over all rows of the one that was live; null if there was none to compare with.
    from: Option<String>,
    /// The same of the one that is live now.
    to: Option<String>,
    /// How many rows of the old one were not what the log says.
    differing_rows: u64,
}

/// A row that was not what the log says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RebuildDifference)]
struct Difference {
    view: &'static str,
    table: &'static str,
    /// Its primary key.
    key: String,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Fold the views anew beside the live ones, compare them, and change over")
        .optional_body::<Why>()
        .json::<Rebuild>(StatusCode::OK, "What it found")
        .problems(&[Kind::RebuildRunning, Kind::RebuildHalts])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { service, context, .. } = command;
    let (views, metrics) = (Arc::clone(&service.views), service.metrics.clone());
    let (found, differences) = oneshot::channel();
    let work = move || async move {
        let rebuilt = views.rebuild().await;
        metrics.rebuild(result(&rebuilt));
        let rebuilt = rebuilt.map_err(refused)?;
        // Whoever asked may have hung up; the log has the digests all the same.
        let _ = found.send(differing(&rebuilt));
        Ok(recorded(&rebuilt))
    };
    let recorded = service.app.rebuild_views(context, work).await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((POSITION, recorded.position.get()));
    if recorded.replayed {
        answer.insert_header((REPLAYED, "true"));
    }
    if !service.views_at(recorded.position).await {
        answer.insert_header((VIEWS, "behind"));
    }
    let views = recorded.rebuilt.views.into_iter().map(RebuiltView::from).collect();
    Ok(answer.json(Rebuild { views, differences: differences.await.ok() }))
}

fn refused(error: RebuildError) -> CommandError {
    match error {
        RebuildError::Running => CommandError::RebuildRunning,
        RebuildError::HaltsEarlier { .. } => {
            tracing::error!(%error, "the rebuilt views are not taken over");
            CommandError::RebuildHalts
        }
        RebuildError::NotFollowed | RebuildError::Thread(_) | RebuildError::Views(_) => {
            CommandError::Fault(Fault::passing("rebuilding the views", error))
        }
    }
}

/// What the metrics call it.
fn result(rebuilt: &Result<Rebuilt, RebuildError>) -> &'static str {
    match rebuilt {
        Ok(rebuilt) if differing(rebuilt).is_empty() => "equal",
        Ok(_) => "differed",
        Err(RebuildError::Running) => "refused",
        Err(_) => "failed",
    }
}

fn differing(rebuilt: &Rebuilt) -> Vec<Difference> {
    let compared = rebuilt.views.iter().filter_map(|view| view.comparison.as_ref());
    let rows = compared.flat_map(|compared| &compared.differences);
    rows.map(|row| Difference { view: row.projection, table: row.table, key: row.key.clone() }).collect()
}

/// The rebuild as the log has it.
fn recorded(rebuilt: &Rebuilt) -> ViewsRebuilt {
    let views = rebuilt.views.iter().map(|view| domain::registry::RebuiltView {
        name: view.name.to_owned(),
        position: view.comparison.as_ref().map_or(view.position, |compared| compared.position).get(),
        from: view.comparison.as_ref().map(|compared| compared.before.clone()),
        to: view.comparison.as_ref().and_then(|compared| compared.after.clone()),
        differing_rows: view.comparison.as_ref().map_or(0, |compared| compared.differing_rows),
    });
    ViewsRebuilt { views: views.collect() }
}

impl From<domain::registry::RebuiltView> for RebuiltView {
    fn from(view: domain::registry::RebuiltView) -> Self {
        let domain::registry::RebuiltView { name, position, from, to, differing_rows } = view;
        Self { name, position, from, to, differing_rows }
    }
}
