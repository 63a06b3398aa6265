//! `POST /environments/{environment}/clients/{client_id}/signing_secret`: a new signing secret in place of the old one, at
//! once or after an overlap.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use crypto::{ExposeSecret, Personal};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Client, client},
};

/// How to go about it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateSigningSecret {
    /// How long the old one goes on verifying; 0, which is what is meant if it is left out, is not at all. More than 0 is
    /// refused while an overlap is under way.
    #[serde(default)]
    overlap_seconds: u32,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(RotateSigningSecret, or_nothing);

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
        .optional_body::<RotateSigningSecret>()
        .json::<RotatedSigningSecret>(StatusCode::CREATED, "The new signing secret")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::RotationUnderWay])
}

pub(crate) async fn handle(command: Command<RotateSigningSecret>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let app = &service.app;
    let (client, secret) =
        app.rotate_signing_secret(context, environment, client_id, body.overlap_seconds).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &client).await;
    Ok(answer.insert_header((header::LOCATION, client::path(&client))).json(RotatedSigningSecret {
        signing_secret: secret.map(|secret| secret.expose_secret().to_owned()),
        client: Client::changed(&service, &client),
    }))
}
