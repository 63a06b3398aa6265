//! `GET` and `POST /{environment}/userinfo`: who signed in (OpenID Connect Core section 5.3).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use app::{MalformedRequest, ProtocolEndpoint, UserinfoError, UserinfoRequest};

pub(crate) use super::undocumented as document;
use super::{
    answer, bearer,
    refusal::{Asking, refused},
    unavailable,
};
use crate::{
    extract::{path, source},
    middleware::request_id::RequestId,
    problem::Problem,
    service::Service,
};

pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let Some(token) = bearer::token(&http) else {
        let asking = Asking {
            service: &service,
            http: &http,
            endpoint: ProtocolEndpoint::Userinfo,
            environment: &environment,
        };
        asking.malformed(None, MalformedRequest::NoToken).await?;
        return Ok(bearer::missing());
    };
    let request = UserinfoRequest {
        issuer: service.issuer(&environment),
        environment,
        token,
        key_thumbprint: None,
        request_id: RequestId::of(&http).0,
        source: source(&service, &http),
    };
    Ok(match service.app.userinfo(request).await {
        Ok(claims) => answer(StatusCode::OK).json(claims),
        Err(UserinfoError::NoSuchEnvironment) => {
            refused(StatusCode::NOT_FOUND, "invalid_request", "there is no such environment")
        }
        Err(UserinfoError::InvalidToken) => bearer::challenged(
            StatusCode::UNAUTHORIZED,
            "invalid_token",
            "the token is unknown or good no longer",
        ),
        Err(UserinfoError::InsufficientScope) => bearer::challenged(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "the token has not the scope openid",
        ),
        Err(UserinfoError::Failed(error)) => unavailable(&http, &error),
    })
}
