//! `POST /{environment}/revoke`: a client gives a token up (RFC 7009).

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use app::{ProtocolEndpoint, RevocationError};

pub(crate) use super::undocumented as document;
use super::{
    answer,
    form::Form,
    introspect::question,
    refusal::{Asking, refused},
    token::refusal,
};
use crate::{extract::path, problem::Problem, service::Service};

pub(crate) async fn handle(
    http: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let asking = Asking {
        service: &service,
        http: &http,
        endpoint: ProtocolEndpoint::Revocation,
        environment: &environment,
    };
    let question = match Form::asked(asking, payload, |form| question(&asking, form)).await? {
        Ok(question) => question,
        Err(answer) => return Ok(answer),
    };
    Ok(match service.app.end_token(question).await {
        Ok(()) => answer(StatusCode::OK).finish(),
        Err(RevocationError::AnotherClients) => {
            refused(StatusCode::BAD_REQUEST, "unauthorized_client", "the token is of another client")
        }
        Err(RevocationError::Asking(error)) => refusal(&service, &http, &environment, &error),
    })
}
