//! Bearer tokens (RFC 6750): read from the header alone, and the challenges to who has none that is good.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};

use super::{answer, refusal::refused};

/// The token of the one `Authorization` header, of no other place.
pub(super) fn token(http: &HttpRequest) -> Option<String> {
    let mut headers = http.headers().get_all(header::AUTHORIZATION);
    let (Some(value), None) = (headers.next(), headers.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// The answer to a token that is not good for this (RFC 6750 section 3.1).
pub(super) fn challenged(status: StatusCode, error: &str, description: &str) -> HttpResponse {
    let mut response = refused(status, error, description);
    let challenge = format!("Bearer error=\"{error}\", error_description=\"{description}\"");
    if let Ok(value) = header::HeaderValue::from_str(&challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The answer to who presents nothing: only the scheme is told (RFC 6750 section 3.1).
pub(super) fn missing() -> HttpResponse {
    answer(StatusCode::UNAUTHORIZED).insert_header((header::WWW_AUTHENTICATE, "Bearer")).finish()
}
