//! `POST /{environment}/par`: a client hands a request in before it sends a member along (RFC 9126).

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use app::{AuthorizationRequest, ClientProof, MalformedRequest, ProtocolEndpoint, PushError, PushRequest};
use serde::Serialize;

pub(crate) use super::undocumented as document;
use super::{
    answer,
    authorize::parameters,
    client::credentials,
    form::Form,
    refusal::{Asking, refused},
    token::refusal,
};
use crate::{
    extract::{path, source},
    middleware::{anonymous, request_id::RequestId},
    problem::Problem,
    service::Service,
};

/// A request that is kept (RFC 9126 section 2.2).
#[derive(Serialize)]
struct Kept {
    request_uri: String,
    expires_in: i64,
}

pub(crate) async fn handle(
    http: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let asking = Asking {
        service: &service,
        http: &http,
        endpoint: ProtocolEndpoint::PushedAuthorization,
        environment: &environment,
    };
    let push = match Form::asked(asking, payload, |form| push(&asking, form)).await? {
        Ok(push) => push,
        Err(answer) => return Ok(answer),
    };
    if matches!(push.client.proof, ClientProof::None) {
        // Anybody could be a client without a secret, and what is handed in is kept.
        anonymous::spend(&service, &http)?;
    }
    let invalid = |error, description| refused(StatusCode::BAD_REQUEST, error, description);
    Ok(match service.app.push_authorization(push).await {
        Ok(pushed) => answer(StatusCode::CREATED)
            .json(Kept { request_uri: pushed.request_uri, expires_in: pushed.expires_in }),
        Err(PushError::Page(page)) => invalid("invalid_request", page.detail()),
        Err(PushError::Refused(refusal)) => invalid(refusal.error(), refusal.description()),
        Err(PushError::Asking(error)) => refusal(&service, &http, &environment, &error),
    })
}

fn push(asking: &Asking<'_>, form: &Form) -> Result<PushRequest, MalformedRequest> {
    Ok(PushRequest {
        client: credentials(asking, form)?,
        key_proof: asking.key_proof()?,
        request: AuthorizationRequest {
            environment: asking.environment.clone(),
            issuer: asking.service.issuer(asking.environment),
            parameters: parameters(form),
            request_id: RequestId::of(asking.http).0,
            source: source(asking.service, asking.http),
        },
    })
}
