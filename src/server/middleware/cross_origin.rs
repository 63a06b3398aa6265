//! Answers to pages of other origins (Fetch, section 3.3): the same for all of them, so that nothing is decided here.
//!
//! A page may read what a client with no browser could read as well. None of these endpoints looks at a cookie, and no browser lets a
//! page read an answer that says `*` to a request that had some.

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
};

use crate::routes::Methods;

/// What a page may send beside what every page may: `DPoP` is of RFC 9449.
const ALLOWED: HeaderValue = HeaderValue::from_static("authorization, content-type, dpop");
/// What a page may read of the headers of an answer.
const EXPOSED: HeaderValue = HeaderValue::from_static("www-authenticate, retry-after, x-request-id");
/// The longest that any browser keeps the answer to a preflight request, in seconds.
const KEPT: HeaderValue = HeaderValue::from_static("86400");

/// The answer to what a browser asks before it lets a page ask.
pub(crate) async fn preflight(http: HttpRequest) -> HttpResponse {
    let mut response: HttpResponseBuilder = HttpResponse::build(StatusCode::NO_CONTENT);
    if let Some(methods) = http.app_data::<Methods>() {
        response.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods.allow()));
    }
    response.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED));
    response.insert_header((header::ACCESS_CONTROL_MAX_AGE, KEPT));
    response.finish()
}

/// Lets a page of any origin read the answer.
pub(super) fn permit(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}
