//! `POST /environments/{environment}/clients/{client_id}/reveal`: shows the signing secrets, after recording who sees
//! them.

use actix_web::{HttpResponse, http::StatusCode};
use app::RevealedSigningSecrets;
use crypto::ExposeSecret;
use domain::ClientId;
use jiff::Timestamp;
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
    /// The one before it, as long as it verifies too.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<PreviousSigningSecret>,
}

/// A signing secret that was replaced and still verifies.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviousSigningSecret {
    signing_secret: String,
    /// It verifies nothing from here on.
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Reveal the signing secret, and the one before it while it verifies")
        .each_time()
        .optional_body::<Why>()
        .json::<RevealedSigningSecret>(StatusCode::OK, "The signing secret")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let RevealedSigningSecrets { client, secret, previous } =
        service.app.reveal_signing_secret(context, environment, client_id).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &client).await.json(RevealedSigningSecret {
        client_id,
        signing_secret: secret.expose_secret().to_owned(),
        signing_secret_id: client.registration.signing_secret.id.to_string(),
        previous: previous.map(|(secret, expires_at)| PreviousSigningSecret {
            signing_secret: secret.expose_secret().to_owned(),
            expires_at,
        }),
    }))
}
