//! Whose token the request carries.

use actix_web::{HttpRequest, http::header};
use app::{AuthenticationError, Principal};

use crate::{
    problem::{Kind, Problem},
    service::Service,
};

/// The member behind `Authorization: Bearer` (RFC 6750 section 2.1). Whatever is wrong with a token, the answer is the
/// same.
pub(super) async fn authenticate(service: &Service, http: &HttpRequest) -> Result<Principal, Problem> {
    let refused = |reason| {
        service.metrics.authentication_failure(reason);
        Problem::new(Kind::Unauthenticated)
    };
    let token = bearer(http).ok_or_else(|| refused("missing"))?;
    service.app.authenticate(token).await.map_err(|error| match error {
        AuthenticationError::Malformed => refused("malformed"),
        AuthenticationError::Unknown => refused("unknown"),
        AuthenticationError::NotLive => refused("not_live"),
        AuthenticationError::Fault(fault) => fault.into(),
    })
}

/// The credentials, if there is exactly one header with the scheme `Bearer`.
fn bearer(http: &HttpRequest) -> Option<&str> {
    let mut headers = http.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
