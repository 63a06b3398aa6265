//! `DELETE /roles/{role}`: lets a role give nothing any more.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let a role give nothing any more, to whoever holds it; its name is not used again")
        .optional_body::<Why>()
        .nothing(StatusCode::NO_CONTENT, "It gives nothing any more")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::GrantExceeds, Kind::BuiltInRole])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let name = path::role(&http)?;
    let role = service.app.delete_role(context, name).await?;
    Ok(answer::to_command(&service, StatusCode::NO_CONTENT, &role).await.finish())
}
