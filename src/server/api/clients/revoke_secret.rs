//! `DELETE /environments/{environment}/clients/{client_id}/secrets/{secret_id}`: stops one secret.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use super::changed;
use crate::{
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

/// How far to go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Whether it may be the last secret that works.
    #[serde(default)]
    allow_lockout: bool,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Revoke one client secret")
        .parameters::<Parameters>()
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::NoSuchSecret, Kind::Gone, Kind::SecretNotUsable, Kind::LastSecret])
}

pub(crate) async fn handle(command: Command<Why, Parameters>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, parameters, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let secret_id = path::secret_id(&http, "secret_id");
    let app = &service.app;
    let client =
        app.revoke_secret(context, environment, client_id, secret_id, parameters.allow_lockout).await?;
    Ok(changed(&service, &client).await)
}
