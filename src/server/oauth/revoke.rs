//! `POST /{environment}/revoke`: a client gives a token up (RFC 7009).

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use app::RevocationError;

pub(crate) use super::undocumented as document;
use super::{answer, form::Form, introspect::question, refusal::refused, token::refusal};
use crate::{extract::path, problem::Problem, service::Service};

pub(crate) async fn handle(
    http: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let form = match Form::read(&service, &http, payload).await? {
        Ok(form) => form,
        Err(refused) => return Ok(refused.respond()),
    };
    let question = match question(&service, &http, &environment, &form) {
        Ok(question) => question,
        Err(refused) => return Ok(refused.respond()),
    };
    Ok(match service.app.end_token(question).await {
        Ok(()) => answer(StatusCode::OK).finish(),
        Err(RevocationError::AnotherClients) => {
            refused(StatusCode::BAD_REQUEST, "unauthorized_client", "the token is of another client")
        }
        Err(RevocationError::Asking(error)) => refusal(&service, &http, &environment, &error),
    })
}
