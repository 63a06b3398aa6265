//! `DELETE /members/{member_id}/totp`: takes device and recovery codes away.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    answer,
    api::members::remove_password::WithCurrentPassword,
    extract::{Command, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Member,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Take a member's device and recovery codes away")
        .optional_body::<WithCurrentPassword>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::NoTotp, Kind::GrantExceeds])
}

pub(crate) async fn handle(command: Command<WithCurrentPassword>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let member = service.app.remove_totp(context, path::member_id(&http)?, body.current_password).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
