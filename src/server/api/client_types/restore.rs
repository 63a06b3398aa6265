//! `POST /client_types/{name}/restore`: takes new clients of it again.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::ClientType,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Take new clients of a type again")
        .optional_body::<Why>()
        .json::<ClientType>(StatusCode::OK, "The client type")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let changed = service.app.restore_client_type(context, path::name(&http)).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &changed).await.json(ClientType::from(changed)))
}
