//! `GET /environments/{environment}`: one environment, as the log stands now.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

use crate::{
    answer,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Environment,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One environment: its policy and its developer terms")
        .json::<Environment>(StatusCode::OK, "The environment")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let now = read.service.app.environment(path::environment(&read.http)?.as_str()).await?;
    let etag = (header::ETAG, answer::etag(now.revision));
    Ok(HttpResponse::Ok().insert_header(etag).json(Environment::from(now)))
}
