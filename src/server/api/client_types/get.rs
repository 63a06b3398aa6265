//! `GET /client_types/{name}`: one client type, as the log stands now.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

use crate::{
    answer,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::ClientType,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One client type")
        .json::<ClientType>(StatusCode::OK, "The client type")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let now = read.service.app.client_type(&path::name(&read.http)).await?;
    let etag = (header::ETAG, answer::etag(now.revision));
    Ok(HttpResponse::Ok().insert_header(etag).json(ClientType::from(now)))
}
