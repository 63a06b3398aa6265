//! `POST /legal_holds/{legal_hold_id}/release`: ends a hold.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::LegalHold,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("End a legal hold")
        .optional_body::<Why>()
        .json::<LegalHold>(StatusCode::OK, "The legal hold")
        .problems(&[Kind::NotFound, Kind::LegalHoldReleased])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let released = service.app.release_legal_hold(context, path::legal_hold_id(&http)?).await?;
    let mut answer =
        answer::to_final_command(&service, StatusCode::OK, released.position, released.replayed).await;
    Ok(answer.json(LegalHold::from(released.hold)))
}
