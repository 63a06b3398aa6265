//! `POST /environments/{environment}/clients/{client_id}/reveal`: shows the signing secret, after recording who sees it.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::ExposeSecret;
use domain::ClientId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// The signing secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevealedSigningSecret {
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    signing_secret: String,
    /// The id of this signing secret.
    signing_secret_id: String,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Reveal the signing secret")
        .optional_body::<Why>()
        .json::<RevealedSigningSecret>(StatusCode::OK, "The signing secret")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let (client, secret) = service.app.reveal_signing_secret(context, environment, client_id).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &client).await.json(RevealedSigningSecret {
        client_id,
        signing_secret: secret.expose_secret().to_owned(),
        signing_secret_id: client.registration.signing_secret.id.to_string(),
    }))
}
