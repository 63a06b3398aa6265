//! `POST /audit/events/{position}/redact_reason`: nobody can read any more why it was said to be done.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use store::Position;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// A reason that is gone. The entry is as it was, and every proof of it.
#[derive(Debug, Serialize, ToSchema)]
struct RedactedReason {
    /// The event; the others of its command had the same reason.
    #[schema(value_type = u64)]
    event: Position,
    /// Always true.
    redacted: bool,
    /// The position at which it was so.
    #[schema(value_type = u64)]
    position: Position,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Redact the free text that was given with an event")
        .optional_body::<Why>()
        .json::<RedactedReason>(StatusCode::OK, "It is gone")
        .problems(&[Kind::NotFound, Kind::GrantExceeds, Kind::LegalHold])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let app::RedactedReason { event, position, replayed } =
        service.app.redact_reason(context, path::position(&http)?).await?;
    let mut answer = answer::to_final_command(&service, StatusCode::OK, position, replayed).await;
    Ok(answer.json(RedactedReason { event, redacted: true, position }))
}
