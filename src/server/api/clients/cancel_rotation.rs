//! `POST /environments/{environment}/clients/{client_id}/secrets/{secret_id}/cancel`: takes this secret back, and
//! gives those that it replaces the time that they had.

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
        .summary("Take a rotation back")
        .parameters::<Lockout>()
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::NoSuchSecret, Kind::Gone, Kind::NoRotation, Kind::LastSecret])
}

pub(crate) async fn handle(command: Command<Why, Lockout>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, parameters, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let (secret_id, lockout) = (path::secret_id(&http, "secret_id"), parameters.allow_lockout);
    let client = service.app.cancel_rotation(context, environment, client_id, secret_id, lockout).await?;
    Ok(changed(&service, &client).await)
}
