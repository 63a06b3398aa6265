//! `GET /audit/verify/{verification_id}`: how far a verification is, or what it found.

use actix_web::{HttpResponse, http::StatusCode};
use app::AuditQuery;
use domain::VerificationId;
use jiff::Timestamp;
use projections::{Difference, Finding, Stage, Verdict, VerifiedView};
use serde::Serialize;
use store::Position;
use utoipa::ToSchema;

use super::recorded;
use crate::{
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    verifications::{State, Verification},
};

/// A verification of log and views. This node remembers the newest ten until it stops; the log has how each began and
/// ended.
#[derive(Debug, Serialize, ToSchema)]
struct AuditVerification {
    #[schema(value_type = String, format = Uuid)]
    verification_id: VerificationId,
    #[schema(value_type = String, pattern = "^(running|done|failed)$")]
    status: &'static str,
    /// What is looked at, or was last: the log, row by row, or the views, by folding the log again. Null at first, while the
    /// database looks at its own structure.
    #[schema(value_type = Option<String>, pattern = "^(log|views)$")]
    stage: Option<&'static str>,
    /// The last position of that stage.
    #[schema(value_type = u64)]
    position: Position,
    /// The last position there was when it began.
    #[schema(value_type = u64)]
    head: Position,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Null until it is done.
    #[schema(value_type = Option<String>, pattern = "^(sound|log_damaged|views_differ|views_incomplete)$")]
    verdict: Option<&'static str>,
    /// How much in the log is not as the log writes it.
    defects: u64,
    /// How many rows of the views are not what the log says.
    differing_rows: u64,
    /// The first thousand of both.
    findings: Vec<VerificationFinding>,
    /// The views that were compared.
    views: Vec<ComparedView>,
    /// Where the log has what was found; null until then.
    #[schema(value_type = Option<u64>)]
    recorded_at_position: Option<Position>,
}

/// A defect of the log, or a row of a view.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum VerificationFinding {
    /// In words that name the place.
    Defect(String),
    /// A row that differs, is missing, or is too many.
    Row(VerifiedRow),
}

/// A row of a view.
#[derive(Debug, Serialize, ToSchema)]
struct VerifiedRow {
    view: &'static str,
    table: &'static str,
    /// Its primary key.
    key: String,
}

/// A view that was compared, or could not be.
#[derive(Debug, Serialize, ToSchema)]
struct ComparedView {
    view: &'static str,
    #[schema(value_type = u64)]
    position: Position,
    /// Why it goes no further; null if it does.
    halted: Option<String>,
    /// Why it could not be compared; null if it was.
    incomparable: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("How far a verification is, or what it found")
        .json::<AuditVerification>(StatusCode::OK, "The verification")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let id = path::verification_id(&read.http)?;
    let found = read.service.verifications.get(id).ok_or_else(|| path::not_found("verification"))?;
    let query = AuditQuery::of("audit.verification").filter("verification_id", Some(id));
    recorded(&read.service, &read.context, query).await?;
    Ok(HttpResponse::Ok().json(AuditVerification::from(&*found)))
}

impl From<&Verification> for AuditVerification {
    fn from(verification: &Verification) -> Self {
        let State { stage, reached, defects, differing_rows, findings, views, end } = verification.state();
        let verdict = end.and_then(|end| end.verdict);
        Self {
            verification_id: verification.id,
            status: match (end, verdict) {
                (None, _) => "running",
                (Some(_), None) => "failed",
                (Some(_), Some(_)) => "done",
            },
            stage: stage.map(|stage| match stage {
                Stage::Log => "log",
                Stage::Views => "views",
            }),
            position: reached,
            head: verification.head,
            started_at: verification.started_at,
            ended_at: end.map(|end| end.at),
            verdict: verdict.map(Verdict::as_str),
            defects,
            differing_rows,
            findings: findings.into_iter().map(VerificationFinding::from).collect(),
            views: views.into_iter().map(ComparedView::from).collect(),
            recorded_at_position: end.and_then(|end| end.recorded),
        }
    }
}

impl From<Finding> for VerificationFinding {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Defect(text) => Self::Defect(text),
            Finding::Row(Difference { projection, table, key, live: _, replayed: _ }) => {
                Self::Row(VerifiedRow { view: projection, table, key })
            }
        }
    }
}

impl From<VerifiedView> for ComparedView {
    fn from(view: VerifiedView) -> Self {
        let VerifiedView { checkpoint, incomparable } = view;
        Self {
            view: checkpoint.projection,
            position: checkpoint.position,
            halted: checkpoint.halt.map(|halt| halt.cause),
            incomparable,
        }
    }
}
