//! `POST /members/{member_id}/totp/recovery_codes`: other recovery codes.

use actix_web::{HttpResponse, http::StatusCode};

use super::RecoveryCodes;
use crate::{
    answer,
    api::members::remove_password::WithCurrentPassword,
    extract::{Command, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Issue recovery codes, in place of those there were")
        .optional_body::<WithCurrentPassword>()
        .json::<RecoveryCodes>(StatusCode::OK, "The member, and the recovery codes for the only time")
        .problems(&[Kind::NotFound, Kind::NoTotp, Kind::GrantExceeds, Kind::MemberErased])
}

pub(crate) async fn handle(command: Command<WithCurrentPassword>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let member_id = path::member_id(&http)?;
    let issued = service.app.issue_recovery_codes(context, member_id, body.current_password).await?;
    let mut answer = answer::to_command(&service, StatusCode::OK, &issued.member).await;
    Ok(answer.json(RecoveryCodes::new(&service, &issued)))
}
