//! `DELETE /members/{member_id}/tokens/{token_id}`: stops a personal token.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Member,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Revoke a personal token")
        .optional_body::<Why>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::NoSuchToken, Kind::TokenNotLive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (member_id, token_id) = (path::member_id(&http)?, path::secret_id(&http, "token_id"));
    let member = service.app.revoke_token(context, member_id, token_id).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
