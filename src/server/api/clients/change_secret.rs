//! `PATCH /environments/{environment}/clients/{client_id}/secrets/{secret_id}`: another label, or an earlier end
//! (RFC 7396).

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use domain::client;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::changed;
use crate::{
    extract::{Command, path, present, present_time, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

/// What shall be otherwise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeSecret {
    /// What it is called; null takes the label away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100)]
    label: Option<Option<String>>,
    /// When it expires: earlier than now planned, never later.
    #[serde(default, deserialize_with = "present_time")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    expires_at: Option<Timestamp>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeSecret);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Change the label of a secret, or let it expire earlier")
        .if_match()
        .body::<ChangeSecret>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::NoSuchSecret, Kind::Gone, Kind::SecretNotUsable])
}

pub(crate) async fn handle(command: Command<ChangeSecret>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let secret_id = path::secret_id(&http, "secret_id");
    let change = client::ChangeSecret { secret_id, label: body.label, expires_at: body.expires_at };
    let client = service.app.change_secret(context, environment, client_id, if_match, change).await?;
    Ok(changed(&service, &client).await)
}
