//! `PUT /roles/{role}/permissions`: lets the holders of a role do other things.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Role,
};

/// All that its holders may do from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePermissions {
    /// At least one.
    permissions: Vec<String>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangePermissions);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let the holders of a role do other things, from the next request on")
        .if_match()
        .body::<ChangePermissions>()
        .json::<Role>(StatusCode::OK, "The role")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::GrantExceeds, Kind::BuiltInRole])
}

pub(crate) async fn handle(command: Command<ChangePermissions>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let name = path::role(&http)?;
    let role = service.app.change_role_permissions(context, name, if_match, body.permissions).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &role).await.json(Role::from(role)))
}
