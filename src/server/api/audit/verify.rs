//! `POST /audit/verify`: has the log, and the views of this node, verified; it goes on when the answer has left.

use std::sync::Arc;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use domain::VerificationId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, Why},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// A verification that has begun.
#[derive(Debug, Serialize, ToSchema)]
struct StartedVerification {
    #[schema(value_type = String, format = Uuid)]
    verification_id: VerificationId,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Have the log and the views verified in the background")
        .optional_body::<Why>()
        .json::<StartedVerification>(StatusCode::ACCEPTED, "It has begun")
        .problems(&[Kind::VerificationRunning])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { service, context, .. } = command;
    let (views, verifications) = (Arc::clone(&service.views), Arc::clone(&service.verifications));
    let log = Arc::clone(service.app.log());
    let begin = move |id, head| {
        let turn = verifications.begin(id, head, log.now())?;
        Ok(async move {
            let found = views.verify_all(turn.progress(), turn.report()).await;
            turn.ended(found, log.now())
        })
    };
    let started = service.app.verify_audit(context, begin).await?;
    let id = started.verification_id;
    let mut response =
        answer::to_final_command(&service, StatusCode::ACCEPTED, started.position, started.replayed).await;
    response.insert_header((header::LOCATION, format!("/api/v1/audit/verify/{id}")));
    Ok(response.json(StartedVerification { verification_id: id }))
}
