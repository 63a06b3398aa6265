//! `PATCH /members/{member_id}`: calls a member otherwise, or reaches it elsewhere (RFC 7396).

use actix_web::{HttpResponse, http::StatusCode};
use app::ChangeDetailsRequest;
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, present, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Member,
};

/// What shall be otherwise; sealed. Nothing here can be removed, so null is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeMember {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, nullable = false, max_length = 200)]
    name: Option<Personal<String>>,
    /// Unique among members.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, nullable = false, max_length = 254)]
    email: Option<Personal<String>>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeMember);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Change a member's name or e-mail")
        .if_match()
        .body::<ChangeMember>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::GrantExceeds, Kind::MemberErased, Kind::Taken])
}

pub(crate) async fn handle(command: Command<ChangeMember>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let request = ChangeDetailsRequest { name: body.name, email: body.email };
    let app = &service.app;
    let member = app.change_member_details(context, path::member_id(&http)?, if_match, request).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
