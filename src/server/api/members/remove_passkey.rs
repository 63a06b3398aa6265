//! `DELETE /members/{member_id}/passkeys/{passkey_id}`: takes a passkey away.

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
        .summary("Take a member's passkey away")
        .optional_body::<WithCurrentPassword>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::NoSuchPasskey, Kind::GrantExceeds])
}

pub(crate) async fn handle(command: Command<WithCurrentPassword>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let (member_id, passkey_id) = (path::member_id(&http)?, path::secret_id(&http, "passkey_id"));
    let member = service.app.remove_passkey(context, member_id, passkey_id, body.current_password).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
