//! `DELETE /environments/{environment}/clients/{client_id}/secrets/{secret_id}`: stops one secret.

use actix_web::{HttpResponse, http::StatusCode};

use super::{Lockout, changed};
use crate::{
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Revoke one client secret")
        .parameters::<Lockout>()
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::NoSuchSecret, Kind::Gone, Kind::SecretNotUsable, Kind::LastSecret])
}

pub(crate) async fn handle(command: Command<Why, Lockout>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, parameters, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let secret_id = path::secret_id(&http, "secret_id");
    let app = &service.app;
    let client =
        app.revoke_secret(context, environment, client_id, secret_id, parameters.allow_lockout).await?;
    Ok(changed(&service, &client).await)
}
