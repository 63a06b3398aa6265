//! `DELETE /api/v2/oauth/clients/{client_id}`: ends a client for good; its history stays.

use actix_web::{HttpResponse, http::StatusCode};

use super::{Comment, Unread};
use crate::{
    answer,
    compatibility::acting_in,
    extract::{Command, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Delete a client for good, in the words of another product")
        .optional_body::<Comment>()
        .nothing(StatusCode::NO_CONTENT, "It is gone; its history stays")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<Comment, Unread>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (acting_in(&context)?, path::client_id(&http)?);
    let client = service.app.delete_client(context, environment, client_id).await?;
    Ok(answer::to_command(&service, StatusCode::NO_CONTENT, &client).await.finish())
}
