//! `GET /environments/{environment}/signing_keys`: every key there is and was.

use actix_web::{HttpResponse, http::StatusCode};

use super::SigningKeyList;
use crate::{
    extract::{NoParameters, Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("The keys that tokens of an environment are signed with")
        .json::<SigningKeyList>(StatusCode::OK, "The keys")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<NoParameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, .. } = read;
    let keys = service.app.signing_keys(path::environment(&http)?).await?;
    Ok(HttpResponse::Ok().json(SigningKeyList::of(&keys, service.app.log().now())))
}
