//! `POST /environments/{environment}/clients/{client_id}/secrets`: a new secret, beside the others, in their
//! place, or in their place after an overlap.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::{IssueSecretRequest, IssuedClientSecret};
use crypto::{ExposeSecret, Personal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret_recovery;
use crate::{
    answer,
    extract::{Command, path, time, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Client, Secret},
};

/// A new secret.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssueSecret {
    /// How long the other secrets go on working: 0 is not at all. Left out, they are not touched. More than 0 is refused
    /// while an overlap is under way.
    #[serde(default)]
    overlap_seconds: Option<u32>,
    /// How long it lives; left out, what the environment says.
    #[serde(default)]
    #[schema(minimum = 1)]
    expires_in_seconds: Option<u32>,
    /// It does not authenticate before.
    #[serde(default, deserialize_with = "time")]
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// What it is called.
    #[serde(default)]
    label: Option<String>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(IssueSecret, or_nothing);

/// A secret that was just issued. Its text is shown here and never again.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedSecret {
    /// Left out in the answer to a repeated request.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// The new one among `client.secrets`.
    secret: Option<Secret>,
    client: Client,
    /// In the answer to a repeated request: where a new secret is made if the first answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_recovery: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Issue or rotate a client secret")
        .optional_body::<IssueSecret>()
        .json::<IssuedSecret>(StatusCode::CREATED, "The secret, for the only time")
        .problems(&[
            Kind::NotFound,
            Kind::Gone,
            Kind::PublicClient,
            Kind::RotationUnderWay,
            Kind::TooManySecrets,
            Kind::Busy,
        ])
}

pub(crate) async fn handle(command: Command<IssueSecret>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let issued = service.app.issue_secret(context, environment, client_id, body.into()).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &issued.client).await;
    let IssuedClientSecret { client, secret_id, secret } = issued;
    let secrets = secret_recovery(&client);
    let shown = Client::changed(&service, &client);
    Ok(answer.insert_header((header::LOCATION, format!("{secrets}/{secret_id}"))).json(IssuedSecret {
        client_secret: secret.map(|secret| secret.expose_secret().to_owned()),
        secret: shown.secret(&secret_id),
        client: shown,
        secret_recovery: client.replayed.then_some(secrets),
    }))
}

impl From<IssueSecret> for IssueSecretRequest {
    fn from(body: IssueSecret) -> Self {
        Self {
            overlap_seconds: body.overlap_seconds,
            expires_in_seconds: body.expires_in_seconds,
            not_before: body.not_before,
            label: body.label,
        }
    }
}
