//! `PATCH /client_types/{name}`: changes what is given (RFC 7396), leaves what is not.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, present, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::ClientType,
};

/// What shall be otherwise.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeClientType {
    /// What it is for, in plain words.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 200)]
    description: Option<String>,
    /// All scopes that its clients can hold from now on; those there are keep theirs.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, min_items = 1, max_items = 100)]
    scopes: Option<Vec<String>>,
    /// How many tokens each of its clients can get in a UTC day; null takes the quota away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, minimum = 1)]
    daily_quota: Option<Option<u32>>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeClientType);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Change description, scopes or daily quota of a client type")
        .if_match()
        .body::<ChangeClientType>()
        .json::<ClientType>(StatusCode::OK, "The client type")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<ChangeClientType>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let ChangeClientType { description, scopes, daily_quota, .. } = body;
    let change = domain::client_type::ChangeClientType {
        description,
        scopes,
        daily_quota,
        ..domain::client_type::ChangeClientType::default()
    };
    let changed = service.app.change_client_type(context, path::name(&http), if_match, change).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &changed).await.json(ClientType::from(changed)))
}
