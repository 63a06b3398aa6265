//! `PATCH /environments/{environment}`: changes the settings that are given (RFC 7396), leaves those that are not.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::policy::PolicySettings;
use crate::{
    answer,
    extract::{Command, Object, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Environment,
};

/// What shall be otherwise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeEnvironment {
    #[schema(value_type = PolicySettings)]
    policy: Object<PolicySettings>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeEnvironment);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Change what an environment demands")
        .if_match()
        .body::<ChangeEnvironment>()
        .json::<Environment>(StatusCode::OK, "The environment")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<ChangeEnvironment>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let (name, Object(settings)) = (path::environment(&http)?.to_string(), body.policy);
    let changed = service.app.change_policy(context, name, if_match, settings.into()).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &changed).await.json(Environment::from(changed)))
}
