//! `GET` and `POST /{environment}/userinfo`: who signed in (OpenID Connect Core section 5.3).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use app::{MalformedRequest, ProtocolEndpoint, UserinfoError, UserinfoRequest};

pub(crate) use super::undocumented as document;
use super::{
    answer,
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
    let Some(token) = bearer(&http) else {
        let asking = Asking {
            service: &service,
            http: &http,
            endpoint: ProtocolEndpoint::Userinfo,
            environment: &environment,
        };
        asking.malformed(None, MalformedRequest::NoToken).await?;
        // Nothing was presented: only the scheme is told (RFC 6750 section 3.1).
        return Ok(answer(StatusCode::UNAUTHORIZED)
            .insert_header((header::WWW_AUTHENTICATE, "Bearer"))
            .finish());
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
        Err(UserinfoError::InvalidToken) => {
            challenged(StatusCode::UNAUTHORIZED, "invalid_token", "the token is unknown or good no longer")
        }
        Err(UserinfoError::InsufficientScope) => {
            challenged(StatusCode::FORBIDDEN, "insufficient_scope", "the token has not the scope openid")
        }
        Err(UserinfoError::Failed(error)) => unavailable(&http, &error),
    })
}

/// The token of the one `Authorization` header, of no other place.
fn bearer(http: &HttpRequest) -> Option<String> {
    let mut headers = http.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn challenged(status: StatusCode, error: &str, description: &str) -> HttpResponse {
    let mut response = refused(status, error, description);
    let challenge = format!("Bearer error=\"{error}\", error_description=\"{description}\"");
    if let Ok(value) = header::HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
