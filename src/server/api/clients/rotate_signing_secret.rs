//! `POST /environments/{environment}/clients/{client_id}/signing_secret`: a new signing secret in place of the old one.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use crypto::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Client, client},
};

/// A signing secret that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedSigningSecret {
    /// Left out in the answer to a repeated request; it can be revealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
    client: Client,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Replace the signing secret")
        .optional_body::<Why>()
        .json::<RotatedSigningSecret>(StatusCode::CREATED, "The new signing secret")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let (client, secret) = service.app.rotate_signing_secret(context, environment, client_id).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &client).await;
    Ok(answer.insert_header((header::LOCATION, client::path(&client))).json(RotatedSigningSecret {
        signing_secret: secret.map(|secret| secret.expose_secret().to_owned()),
        client: Client::changed(&service, &client),
    }))
}
