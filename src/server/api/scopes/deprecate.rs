//! `POST /scopes/{name}/deprecate`: gives it to no more clients.

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
        .summary("Give a scope to no more clients")
        .optional_body::<Why>()
        .json::<Scope>(StatusCode::OK, "The scope")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let changed = service.app.deprecate_scope(context, path::name(&http)).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &changed).await.json(Scope::from(changed)))
}
