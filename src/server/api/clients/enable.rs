//! `POST /environments/{environment}/clients/{client_id}/enable`: gives it tokens again.

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
        .summary("Give a deactivated client tokens again")
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::ClientNotInactive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let client = service.app.enable_client(context, environment, client_id).await?;
    Ok(changed(&service, &client).await)
}
