//! `POST /environments/{environment}/terms`: publishes a version of the developer terms.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Environment,
};

/// A version of the developer terms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishTerms {
    /// What it is called: new clients must accept it from now on.
    #[serde(default)]
    #[schema(required, max_length = 64, example = "2026-06")]
    terms: String,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(PublishTerms);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Publish a version of the developer terms")
        .body::<PublishTerms>()
        .json::<Environment>(StatusCode::OK, "The environment")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<PublishTerms>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let name = path::environment(&http)?.to_string();
    let changed = service.app.publish_terms(context, name, body.terms).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &changed).await.json(Environment::from(changed)))
}
