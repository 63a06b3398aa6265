//! `DELETE /members/{member_id}/password`: takes a member's password away.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::{Personal, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Member,
};

/// That a member who changes how it signs in is the one who does it, and why.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithCurrentPassword {
    /// The password that the member has; a member who does this to itself must say it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    pub(crate) current_password: Option<SecretString>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(WithCurrentPassword, or_nothing, secrets["current_password"]);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Take a member's password away")
        .optional_body::<WithCurrentPassword>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::NoPassword, Kind::GrantExceeds])
}

pub(crate) async fn handle(command: Command<WithCurrentPassword>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let member_id = path::member_id(&http)?;
    let member = service.app.remove_password(context, member_id, body.current_password).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
