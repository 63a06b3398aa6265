//! `POST /environments/{environment}/clients/{client_id}/deactivate`: gives it no more tokens until it is enabled.

use actix_web::{HttpResponse, http::StatusCode};

use super::changed;
use crate::{
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Give a client no more tokens until it is enabled")
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::ClientNotActive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let client = service.app.deactivate_client(context, environment, client_id).await?;
    Ok(changed(&service, &client).await)
}
