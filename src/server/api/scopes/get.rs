//! `GET /scopes/{name}`: one scope, as the log stands now.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

use crate::{
    answer,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Scope,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation.summary("One scope").json::<Scope>(StatusCode::OK, "The scope").problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let now = read.service.app.scope(&path::name(&read.http)).await?;
    let etag = (header::ETAG, answer::etag(now.revision));
    Ok(HttpResponse::Ok().insert_header(etag).json(Scope::from(now)))
}
