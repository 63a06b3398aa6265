//! `GET /environments/{environment}/initial_access_tokens`: those there are, and were not long ago.

use actix_web::{HttpResponse, http::StatusCode};

use super::InitialAccessTokens;
use crate::{
    extract::{NoParameters, Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("The tokens by which clients register themselves in an environment")
        .json::<InitialAccessTokens>(StatusCode::OK, "The tokens")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<NoParameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, .. } = read;
    let admission = service.app.admission(path::environment(&http)?).await?;
    Ok(HttpResponse::Ok().json(InitialAccessTokens::of(&admission, service.app.log().now())))
}
