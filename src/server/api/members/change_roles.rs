//! `PUT /members/{member_id}/roles`: gives a member other roles.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::GivenRole;
use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Member,
};

/// All of its roles from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeRoles {
    /// Each a name, or an object with `role` and `environments`: at least one.
    roles: Vec<GivenRole>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeRoles);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Give a member other roles")
        .if_match()
        .body::<ChangeRoles>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::GrantExceeds, Kind::MemberErased, Kind::LastAdministrator])
}

pub(crate) async fn handle(command: Command<ChangeRoles>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let roles = body.roles.into_iter().map(Into::into).collect();
    let member = service.app.change_roles(context, path::member_id(&http)?, if_match, roles).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
