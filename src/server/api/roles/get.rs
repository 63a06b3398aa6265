//! `GET /roles/{role}`: one role, as the log stands now.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::KnownRole;

use crate::{
    answer,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Role,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One role")
        .json::<Role>(StatusCode::OK, "The role")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let name = path::role(&read.http)?;
    let role = read.service.app.role(&name).await?;
    let mut answer = HttpResponse::Ok();
    if let KnownRole::Own(role) = &role {
        answer.insert_header((header::ETAG, answer::etag(role.revision)));
    }
    Ok(answer.json(Role::from(role)))
}
