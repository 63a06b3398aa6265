//! One redirect URI more or less: what both have in common.

use actix_web::{HttpResponse, http::StatusCode};
use app::{ChangeClientRequest, RedirectUriEdit};
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

/// Which one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneRedirectUri {
    #[schema(example = "https://app.example.com/callback")]
    redirect_uri: String,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(OneRedirectUri);

pub(super) fn document(operation: Operation, summary: &str) -> Operation {
    operation
        .summary(summary)
        .if_match()
        .body::<OneRedirectUri>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(super) async fn edit(
    command: Command<OneRedirectUri>,
    edit: fn(String) -> RedirectUriEdit,
) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let redirect_uri_edit = Some(edit(body.redirect_uri));
    let request = ChangeClientRequest { redirect_uri_edit, ..ChangeClientRequest::default() };
    let client = service.app.change_client(context, environment, client_id, if_match, request).await;
    let client = client.map_err(|error| Problem::from(error).pointing("/redirect_uris", "/redirect_uri"))?;
    Ok(changed(&service, &client).await)
}
