//! `GET` and `POST /{environment}/userinfo`: who signed in (OpenID Connect Core section 5.3).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use app::{KeyProof, MalformedRequest, ProtocolEndpoint, UserinfoError, UserinfoRequest};

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

/// What a proof can be signed with.
const DPOP_ALGORITHMS: &str = "ES256 RS256";

pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let asking = Asking {
        service: &service,
        http: &http,
        endpoint: ProtocolEndpoint::Userinfo,
        environment: &environment,
    };
    let presented = match presented(&asking) {
        Ok(Some(presented)) => presented,
        Ok(None) => {
            asking.malformed(None, MalformedRequest::NoToken).await?;
            let mut missing = bearer::missing();
            let dpop = header::HeaderValue::from_static("DPoP algs=\"ES256 RS256\"");
            missing.headers_mut().append(header::WWW_AUTHENTICATE, dpop);
            return Ok(missing);
        }
        Err(refusal) => {
            asking.malformed(None, refusal).await?;
            let status = StatusCode::UNAUTHORIZED;
            return Ok(challenged(Scheme::Dpop, status, refusal.error(), refusal.description()));
        }
    };
    let scheme = if presented.key_proof.is_some() { Scheme::Dpop } else { Scheme::Bearer };
    let request = UserinfoRequest {
        issuer: service.issuer(&environment),
        environment: environment.clone(),
        token: presented.token,
        key_proof: presented.key_proof,
        request_id: RequestId::of(&http).0,
        source: source(&service, &http),
    };
    let challenged = |status, error, description| challenged(scheme, status, error, description);
    Ok(match service.app.userinfo(request).await {
        Ok(claims) => answer(StatusCode::OK).json(claims),
        Err(UserinfoError::NoSuchEnvironment) => {
            refused(StatusCode::NOT_FOUND, "invalid_request", "there is no such environment")
        }
        Err(UserinfoError::InvalidToken) => {
            challenged(StatusCode::UNAUTHORIZED, "invalid_token", "the token is unknown or good no longer")
        }
        Err(UserinfoError::Proof(refusal)) => {
            challenged(StatusCode::UNAUTHORIZED, refusal.error(), refusal.description())
        }
        Err(UserinfoError::InsufficientScope) => {
            challenged(StatusCode::FORBIDDEN, "insufficient_scope", "the token has not the scope openid")
        }
        Err(UserinfoError::Failed(error)) => unavailable(&http, &error),
    })
}

/// How a token is presented.
#[derive(Clone, Copy)]
enum Scheme {
    /// RFC 6750.
    Bearer,
    /// RFC 9449 section 7.1.
    Dpop,
}

struct Presented {
    token: String,
    key_proof: Option<KeyProof>,
}

/// The token of the one `Authorization` header, of no other place, and the proof that goes with its scheme.
fn presented(asking: &Asking<'_>) -> Result<Option<Presented>, MalformedRequest> {
    let mut headers = asking.http.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else { return Ok(None) };
    let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return Ok(None);
    };
    let token = token.trim().to_owned();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Presented { token, key_proof: None }));
    }
    if !scheme.eq_ignore_ascii_case("dpop") {
        return Ok(None);
    }
    let key_proof = Some(asking.key_proof()?.ok_or(MalformedRequest::NoProof)?);
    Ok(Some(Presented { token, key_proof }))
}

fn challenged(scheme: Scheme, status: StatusCode, error: &str, description: &str) -> HttpResponse {
    let mut response = bearer::challenged(status, error, description);
    let Scheme::Dpop = scheme else { return response };
    let challenge =
        format!("DPoP error=\"{error}\", error_description=\"{description}\", algs=\"{DPOP_ALGORITHMS}\"");
    if let Ok(value) = header::HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
