//! `DELETE /environments/{environment}/clients/{client_id}/redirect_exceptions/{scheme}`: ends the exception at once.

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
        .summary("End an exception, and take away the redirect URIs that live by it")
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let scheme = path::scheme(&http);
    let client = service.app.withdraw_redirect_exception(context, environment, client_id, scheme).await?;
    Ok(changed(&service, &client).await)
}
