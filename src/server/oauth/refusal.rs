//! Refusals in the dialect of the protocol (RFC 6749 section 5.2).

use std::borrow::Cow;

use actix_web::{HttpResponse, http::StatusCode};
use domain::EnvironmentName;
use serde::Serialize;

use super::{answer, invalid_client};

/// Why a request is refused, before it is written.
#[derive(Debug)]
pub(super) enum Refused {
    /// The client has not proved who it is.
    Client(EnvironmentName),
    /// Something else is wrong.
    Request {
        /// The status of the answer.
        status: StatusCode,
        /// The `error`.
        error: &'static str,
        /// What its developer should know.
        description: Cow<'static, str>,
    },
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

impl Refused {
    /// A request that is not in the form that it needs.
    pub(super) fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::Request {
            status: StatusCode::BAD_REQUEST,
            error: "invalid_request",
            description: description.into(),
        }
    }

    /// The answer.
    pub(super) fn respond(self) -> HttpResponse {
        match self {
            Self::Client(environment) => invalid_client(&environment),
            Self::Request { status, error, description } => refused(status, error, &description),
        }
    }
}

/// An error with what its developer should know.
pub(super) fn refused(status: StatusCode, error: &str, error_description: &str) -> HttpResponse {
    answer(status).json(Body { error, error_description })
}
