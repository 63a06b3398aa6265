//! `POST /members/{member_id}/enable`: lets a member's tokens work again.

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
        .summary("Let a member's tokens work again")
        .optional_body::<Why>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::GrantExceeds, Kind::MemberErased, Kind::MemberNotInactive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let member = service.app.enable_member(context, path::member_id(&http)?).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
