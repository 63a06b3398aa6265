//! `PUT /members/{member_id}/password`: gives a member a password.

use actix_web::{HttpResponse, http::StatusCode};
use app::SetPasswordRequest;
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

/// A password. It is never shown, and nothing of it is in the log.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetPassword {
    /// At least 12 characters, at most 1024 bytes; every character counts, blanks among them.
    #[serde(default)]
    #[schema(value_type = String, required, min_length = 12, max_length = 1024)]
    password: SecretString,
    /// The password that the member has; a member who changes its own must say it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    current_password: Option<SecretString>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(SetPassword, secrets ["password", "current_password"]);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Give a member a password, in place of the one that it has")
        .body::<SetPassword>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::GrantExceeds, Kind::MemberErased])
}

pub(crate) async fn handle(command: Command<SetPassword>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let SetPassword { password, current_password, .. } = body;
    let request = SetPasswordRequest { password, current_password };
    let member = service.app.set_password(context, path::member_id(&http)?, request).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
