//! `POST /scopes`: puts a scope into the catalog.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Scope,
};

/// A new scope.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateScope {
    /// The scope-token of RFC 6749, of letters, digits and `_.:~-`.
    #[serde(default)]
    #[schema(required, max_length = 100, example = "matters:read")]
    name: String,
    /// What it allows, in the words that a person consents to.
    #[serde(default)]
    #[schema(required, max_length = 200)]
    description: String,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(CreateScope);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Put a scope into the catalog")
        .body::<CreateScope>()
        .json::<Scope>(StatusCode::CREATED, "The scope")
        .problems(&[Kind::Taken])
}

pub(crate) async fn handle(command: Command<CreateScope>) -> Result<HttpResponse, Problem> {
    let Command { service, context, body: CreateScope { name, description, .. }, .. } = command;
    let created = service.app.create_scope(context, name, description).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &created).await;
    let location = format!("/api/v1/scopes/{}", created.name);
    Ok(answer.insert_header((header::LOCATION, location)).json(Scope::from(created)))
}
