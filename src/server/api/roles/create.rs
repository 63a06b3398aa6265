//! `POST /roles`: makes a role.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::CreateRoleRequest;
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Role,
};

/// A new role. It gives no more than its maker holds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateRole {
    /// `[a-z][a-z0-9_]{0,63}`; never used again, not even after the role is deleted.
    #[serde(default)]
    #[schema(required, max_length = 64)]
    name: String,
    /// What it is for, in plain words.
    #[serde(default)]
    #[schema(required, max_length = 200)]
    description: String,
    /// What its holder may do: at least one.
    #[serde(default)]
    #[schema(required)]
    permissions: Vec<String>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(CreateRole);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Make a role")
        .body::<CreateRole>()
        .json::<Role>(StatusCode::CREATED, "The role")
        .problems(&[Kind::GrantExceeds, Kind::RoleExists])
}

pub(crate) async fn handle(command: Command<CreateRole>) -> Result<HttpResponse, Problem> {
    let Command { service, context, body: CreateRole { name, description, permissions, .. }, .. } = command;
    let request = CreateRoleRequest { name, description, permissions };
    let created = service.app.create_role(context, request).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &created).await;
    let location = format!("/api/v1/roles/{}", created.name);
    Ok(answer.insert_header((header::LOCATION, location)).json(Role::from(created)))
}
