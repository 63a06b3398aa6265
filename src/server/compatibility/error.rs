//! Errors in the dialect of the compatibility API: `{code, message, id}`, always `application/json`.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use domain::Rule;
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::{FieldError, Kind, Place, Problem, RuleName};

/// What is sent as `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "application/json";

/// The body of every answer under `/api/v2` that is an error.
#[derive(Serialize, ToSchema)]
#[schema(as = CompatibleError)]
pub(crate) struct ErrorBody<'a> {
    /// What kind of error it is; never changes.
    #[schema(example = "invalid_request")]
    code: &'a str,
    /// What is wrong, and what to do about it.
    message: String,
    /// The request's id, which the service's own log has too.
    id: &'a str,
}

/// How a kind of problem is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

/// A patch that does not fit.
pub(crate) const PATCH_FAILED: Told = Told {
    status: StatusCode::UNPROCESSABLE_ENTITY,
    code: "patch_failed",
    message: "Unprocessable entity. Could not apply patch.",
};

impl Told {
    /// The dialect has one code for what has many slugs elsewhere; what it knows nothing of keeps its own.
    pub(crate) fn of(kind: Kind) -> Self {
        let told = |status, code, message| Self { status, code, message };
        match kind.status() {
            StatusCode::BAD_REQUEST
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::PRECONDITION_REQUIRED => {
                told(StatusCode::BAD_REQUEST, "invalid_request", "Invalid request body")
            }
            StatusCode::UNAUTHORIZED => {
                told(StatusCode::UNAUTHORIZED, "unauthorized", "Invalid access token")
            }
            StatusCode::FORBIDDEN => told(
                StatusCode::FORBIDDEN,
                "forbidden",
                "Forbidden. Access to the requested resource was denied.",
            ),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                told(StatusCode::NOT_FOUND, "not_found", "Invalid resource identifier")
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                told(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed")
            }
            StatusCode::CONFLICT if kind != Kind::Contended => {
                told(StatusCode::CONFLICT, "conflict", "Conflict")
            }
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => told(
                StatusCode::CONFLICT,
                "optimistic_locking_error",
                "Conflict. Somebody else changed it meanwhile: look at it again, and try again.",
            ),
            StatusCode::TOO_MANY_REQUESTS => told(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "You've exceeded the API rate limit. Wait as long as Retry-After says.",
            ),
            other => told(other, kind.slug(), kind.detail()),
        }
    }

    /// Status and code.
    pub(crate) fn as_pair(self) -> (StatusCode, &'static str) {
        (self.status, self.code)
    }

    /// The same of one problem, which may be a patch that fails.
    fn of_problem(problem: &Problem) -> Self {
        let failed = |error: &FieldError| error.rule == RuleName::Domain(Rule::PatchFailed);
        if problem.errors().iter().any(failed) { PATCH_FAILED } else { Self::of(problem.kind()) }
    }
}

/// The answer, for the request with this id.
pub(crate) fn response(problem: &Problem, request_id: &str) -> HttpResponse {
    let told = Told::of_problem(problem);
    let mut response = HttpResponse::build(told.status);
    for header in problem.headers() {
        response.append_header(header.clone());
    }
    let body = ErrorBody { code: told.code, message: message(told, problem), id: request_id };
    response.insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).json(body)
}

fn message(told: Told, problem: &Problem) -> String {
    let mut reasons: Vec<_> = problem.errors().iter().map(said).collect();
    reasons.extend(problem.own_detail().map(str::to_owned));
    if let Some(permission) = problem.text_member("permission") {
        reasons.push(format!("it takes the permission `{permission}`"));
    }
    match problem.text_member("resource") {
        Some("client") | None => {}
        Some(other) => reasons.push(format!("there is no such {other}")),
    }
    if reasons.is_empty() {
        return told.message.to_owned();
    }
    format!("{}: {}", told.message.trim_end_matches('.'), reasons.join("; "))
}

/// What is wrong at one place, by the name that the place has here.
fn said(error: &FieldError) -> String {
    let detail = &error.detail;
    let name = match &error.place {
        Place::Pointer(pointer) => pointer.trim_start_matches('/'),
        Place::Parameter(name) => name,
        Place::Header(name) => name,
    };
    let first = name.split('/').next().unwrap_or_default();
    match first {
        "" => detail.clone(),
        "client_name" => format!("name: {detail}"),
        "redirect_uris" => format!("redirectUri: {detail}"),
        "reason" => format!("comment: {detail}"),
        number if number.parse::<usize>().is_ok() => format!("operation {number}: {detail}"),
        _ => format!("{name}: {detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Told};

    #[test]
    fn d1_every_kind_of_problem_has_a_code_and_a_status_of_its_dialect() {
        for kind in Kind::ALL {
            let (status, code) = Told::of(*kind).as_pair();
            let known = match status.as_u16() {
                400 => "invalid_request",
                401 => "unauthorized",
                403 => "forbidden",
                404 => "not_found",
                405 => "method_not_allowed",
                429 => "rate_limited",
                409 if *kind == Kind::Contended || *kind == Kind::PreconditionFailed => {
                    "optimistic_locking_error"
                }
                409 => "conflict",
                _ => kind.slug(),
            };
            assert_eq!(code, known, "{kind:?}");
            assert_ne!(status.as_u16(), 410, "what is gone is not there");
        }
    }
}
