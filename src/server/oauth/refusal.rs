//! Refusals in the dialect of the protocol (RFC 6749 section 5.2).

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;

use super::answer;

/// The answer to a request that is refused.
pub(super) type Refused = HttpResponse;

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    error_description: &'a str,
}

/// An error with what its developer should know.
pub(super) fn refused(status: StatusCode, error: &str, error_description: &str) -> Refused {
    answer(status).json(Body { error, error_description })
}
