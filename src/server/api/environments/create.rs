//! `POST /environments`: opens an environment.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::policy::PolicySettings;
use crate::{
    answer,
    extract::{Command, Object, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Environment,
};

/// A new environment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateEnvironment {
    /// Its name, also in its issuer. It cannot be changed later.
    #[serde(default)]
    #[schema(required, pattern = "^[a-z][a-z0-9_]{0,31}$", example = "staging")]
    name: String,
    /// Versions of its developer terms, newest last; the newest must be accepted by new clients.
    #[serde(default)]
    #[schema(required, min_items = 1, max_items = 100, example = json!(["2026-01"]))]
    terms: Vec<String>,
    #[serde(default)]
    #[schema(value_type = Option<PolicySettings>)]
    policy: Option<Object<PolicySettings>>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(CreateEnvironment);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Open an environment")
        .body::<CreateEnvironment>()
        .json::<Environment>(StatusCode::CREATED, "The environment")
        .problems(&[Kind::Taken])
}

pub(crate) async fn handle(command: Command<CreateEnvironment>) -> Result<HttpResponse, Problem> {
    let Command { service, context, body: CreateEnvironment { name, terms, policy, .. }, .. } = command;
    let policy = policy.map_or_else(PolicySettings::default, |Object(settings)| settings).into();
    let create = domain::environment::CreateEnvironment { name, terms, policy };
    let created = service.app.create_environment(context, create).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &created).await;
    let location = format!("/api/v1/environments/{}", created.name);
    Ok(answer.insert_header((header::LOCATION, location)).json(Environment::from(created)))
}
