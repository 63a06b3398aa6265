//! `DELETE /environments/{environment}/clients/{client_id}`: ends a client for good; its history stays.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Delete a client for good")
        .optional_body::<Why>()
        .nothing(StatusCode::NO_CONTENT, "It is gone; its history stays")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let client = service.app.delete_client(context, environment, client_id).await?;
    Ok(answer::to_command(&service, StatusCode::NO_CONTENT, &client).await.finish())
}
