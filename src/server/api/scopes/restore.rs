//! `POST /scopes/{name}/restore`: lets it be given to clients again.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Scope,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let a scope be given to clients again")
        .optional_body::<Why>()
        .json::<Scope>(StatusCode::OK, "The scope")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let changed = service.app.restore_scope(context, path::name(&http)).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &changed).await.json(Scope::from(changed)))
}
