//! Who asks: the member whose token the request carries, or the person at the host.

use actix_web::{HttpRequest, http::header};
use app::{Actor, AuthenticationError};

use super::source;
use crate::{
    compatibility, control,
    middleware::request_id::RequestId,
    problem::{Kind, Problem},
    service::Service,
};

/// Who asks, if not too much; a request of its own.
pub(super) async fn authenticate(service: &Service, http: &HttpRequest) -> Result<Actor, Problem> {
    let actor = who(service, http).await?;
    if control::host(http).is_none() {
        service.limits.spend(&actor, !http.method().is_safe())?;
    }
    Ok(actor)
}

/// The member behind `Authorization: Bearer` (RFC 6750 section 2.1), or who is at the other end of the control socket.
/// Whatever is wrong with a token, the answer is the same.
pub(crate) async fn who(service: &Service, http: &HttpRequest) -> Result<Actor, Problem> {
    if let Some(host) = control::host(http) {
        return Ok(host);
    }
    let Some(token) = token(http) else {
        // Nobody tried anything.
        service.metrics.authentication_failure("missing");
        return Err(Problem::new(Kind::Unauthenticated));
    };
    let reason = match service.app.authenticate(token).await {
        Ok(principal) => {
            service.app.token_used(&principal, RequestId::of(http).0, source(service, http)).await;
            return Ok(Actor::Member(principal));
        }
        Err(AuthenticationError::Malformed) => "malformed",
        Err(AuthenticationError::Unknown) => "unknown",
        Err(AuthenticationError::NotLive) => "not_live",
        Err(AuthenticationError::Fault(fault)) => return Err(fault.into()),
    };
    service.metrics.authentication_failure(reason);
    service.app.refused_sign_in(reason, RequestId::of(http).0, source(service, http)).await?;
    Err(Problem::new(Kind::Unauthenticated))
}

/// The credentials, if there is exactly one header with the scheme `Bearer`; where the compatibility API is, also
/// without a scheme (behaviour D2).
fn token(http: &HttpRequest) -> Option<&str> {
    let mut headers = http.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else { return None };
    let value = value.to_str().ok()?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) => scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()),
        None => Some(value).filter(|value| !value.is_empty() && compatibility::is_spoken_at(http.path())),
    }
}
