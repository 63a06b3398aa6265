//! `POST /client_types`: puts a client type into the catalog.

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
    representation::ClientType,
};

/// A new client type.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateClientType {
    #[serde(default)]
    #[schema(required, pattern = "^[a-z][a-z0-9_-]{0,63}$", example = "record-search")]
    name: String,
    /// What it is for, in plain words.
    #[serde(default)]
    #[schema(required, max_length = 200)]
    description: String,
    /// The scopes its clients can hold; each must be in the catalog.
    #[serde(default)]
    #[schema(required, min_items = 1, max_items = 100)]
    scopes: Vec<String>,
    /// Whether an environment can have only one client of it. It cannot be changed later.
    #[serde(default)]
    singleton: bool,
    /// How many tokens each of its clients can get in a UTC day; null or left out is as many as it asks for.
    #[serde(default)]
    #[schema(minimum = 1)]
    daily_quota: Option<u32>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(CreateClientType);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Put a client type into the catalog")
        .body::<CreateClientType>()
        .json::<ClientType>(StatusCode::CREATED, "The client type")
        .problems(&[Kind::Taken])
}

pub(crate) async fn handle(command: Command<CreateClientType>) -> Result<HttpResponse, Problem> {
    let Command { service, context, body, .. } = command;
    let CreateClientType { name, description, scopes, singleton, daily_quota, .. } = body;
    let create = domain::client_type::CreateClientType {
        name,
        description,
        scopes,
        singleton,
        daily_quota,
        ..domain::client_type::CreateClientType::default()
    };
    let created = service.app.create_client_type(context, create).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &created).await;
    let location = format!("/api/v1/client_types/{}", created.name);
    Ok(answer.insert_header((header::LOCATION, location)).json(ClientType::from(created)))
}
