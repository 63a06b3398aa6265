//! `POST /environments/{environment}/clients/{client_id}/redirect_exceptions`: lets it be sent to a scheme of its own.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::changed;
use crate::{
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

/// Which scheme. There must be a reason, whatever the environment asks for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRedirectException {
    /// The scheme of a native app: a domain in reverse (RFC 8252 section 7.1).
    #[serde(default)]
    #[schema(required, max_length = 100, example = "com.example.app")]
    scheme: String,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(GrantRedirectException);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let one client be sent to a scheme of its own")
        .body::<GrantRedirectException>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<GrantRedirectException>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let client = service.app.grant_redirect_exception(context, environment, client_id, body.scheme).await?;
    Ok(changed(&service, &client).await)
}
