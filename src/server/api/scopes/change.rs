//! `PATCH /scopes/{name}`: describes it in other words.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, present, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Scope,
};

/// What shall be otherwise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeScope {
    /// What it allows, in the words that a person consents to.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 200)]
    description: Option<String>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeScope);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Describe a scope in other words")
        .if_match()
        .body::<ChangeScope>()
        .json::<Scope>(StatusCode::OK, "The scope")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<ChangeScope>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let changed = service.app.change_scope(context, path::name(&http), if_match, body.description).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &changed).await.json(Scope::from(changed)))
}
