//! What a caller is told when a request did not do what was asked: RFC 9457, `application/problem+json`.
//!
//! The texts are fixed per kind. What happened inside goes to the service's own log, under the request id that the
//! answer carries too.

mod kind;
#[cfg(test)]
mod tests;

use std::{error::Error, fmt};

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use app::{CommandError, Fault};
use domain::{ClientError, ErasureError, Rule, Violation};
use projections::QueryError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

pub(crate) use kind::Kind;

use crate::representation::Changed;

/// What is sent as `Content-Type`.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// An answer that says what went wrong. The last middleware writes it, once the request has its id.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    detail: Option<&'static str>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<String>,
    recorded: bool,
}

/// One thing that is wrong at one place of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    #[serde(flatten)]
    pub(crate) place: Place,
    /// The rule that it breaks; its name never changes.
    #[schema(value_type = String, example = "required")]
    pub(crate) rule: RuleName,
    /// What to do about it.
    pub(crate) detail: String,
}

/// Where in the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// RFC 6901 pointer into the body.
    Pointer(String),
    /// Name of a parameter of the query.
    Parameter(String),
    /// Name of a header.
    Header(&'static str),
}

/// A rule of the domain, or one of the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum RuleName {
    Domain(Rule),
    Wire(&'static str),
}

/// The body of every answer that is an error.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// `urn:muniment:problem:<slug>`; names the kind for ever.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "urn:muniment:problem:not_found")]
    problem_type: String,
    /// What kind of problem it is.
    title: &'a str,
    /// The status of the answer.
    status: u16,
    /// What to do about it; the same text for every problem of the kind.
    detail: &'a str,
    /// Every place of the request that is wrong.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldError>)]
    errors: &'a [FieldError],
    /// The request's id, which the service's own log has too.
    request_id: &'a str,
    /// Members of the kind: `permission`, `current_revision`, `changed`, `history`.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    members: &'a Map<String, Value>,
}

impl Problem {
    pub(crate) fn new(kind: Kind) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: None,
            errors: Vec::new(),
            members: Map::new(),
            headers: kind.headers(),
            cause: None,
            recorded: false,
        }))
    }

    /// The kind that an error of the framework comes closest to.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        Self::new(
            Kind::ALL
                .iter()
                .copied()
                .find(|kind| kind.status() == status)
                .unwrap_or(if status.is_client_error() { Kind::MalformedRequest } else { Kind::Internal }),
        )
    }

    /// A part of the body that is wrong.
    pub(crate) fn in_body(pointer: impl Into<String>, rule: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::InvalidRequest).error(Place::Pointer(pointer.into()), rule, detail)
    }

    /// Parts of the body that are wrong.
    pub(crate) fn of_violations(violations: Vec<Violation>) -> Self {
        Self::new(Kind::InvalidRequest).violations(violations)
    }

    /// The place where the body stops being JSON.
    pub(crate) fn at_body(self, detail: String) -> Self {
        self.error(Place::Pointer(String::new()), "malformed", detail)
    }

    /// A parameter of the query that is wrong.
    pub(crate) fn in_query(name: impl Into<String>, rule: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::InvalidParameter).error(Place::Parameter(name.into()), rule, detail)
    }

    /// A parameter of the query that names nothing there is.
    pub(crate) fn none_like_it(name: &'static str, known: &[String]) -> Self {
        Self::in_query(name, "unknown", format!("there is none like it; there are: {}", known.join(", ")))
    }

    /// A header that is wrong.
    pub(crate) fn in_header(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(Kind::InvalidHeader).error(Place::Header(name), "malformed", detail)
    }

    fn error(mut self, place: Place, rule: &'static str, detail: impl Into<String>) -> Self {
        self.0.errors.push(FieldError { place, rule: RuleName::Wire(rule), detail: detail.into() });
        self
    }

    /// A text in place of that of the kind.
    pub(crate) fn detail(mut self, detail: &'static str) -> Self {
        self.0.detail = Some(detail);
        self
    }

    /// A further member.
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// A further header; left out if the value is none.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers.push((name, value));
        }
        self
    }

    /// What the service's own log says of it, and nobody else hears.
    pub(crate) fn because(mut self, cause: impl Error) -> Self {
        self.0.cause = Some(chain(&cause));
        self
    }

    /// Gives every error in the field `from` and below it the pointer `to`: an endpoint that takes one item of a
    /// list names it in its own way.
    pub(crate) fn pointing(mut self, from: &str, to: &str) -> Self {
        for error in &mut self.0.errors {
            if matches!(&error.place, Place::Pointer(pointer) if pointer.starts_with(from)) {
                error.place = Place::Pointer(to.to_owned());
            }
        }
        self
    }

    /// Whether the refusal that this answers is an event of the log.
    pub(crate) fn is_recorded(&self) -> bool {
        self.0.recorded
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Every place of the request that is wrong.
    pub(crate) fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// The headers that go with it.
    pub(crate) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0.headers
    }

    /// The text that stands in place of that of its kind.
    pub(crate) fn own_detail(&self) -> Option<&'static str> {
        self.0.detail
    }

    /// A further member that is a text.
    pub(crate) fn text_member(&self, name: &str) -> Option<&str> {
        self.0.members.get(name).and_then(Value::as_str)
    }

    /// The answer, for the request with this id.
    pub(crate) fn to_response(&self, request_id: &str) -> HttpResponse {
        let Inner { kind, detail, errors, members, headers, cause: _, recorded: _ } = &*self.0;
        let mut response = HttpResponse::build(kind.status());
        for header in headers {
            response.append_header(header.clone());
        }
        let body = ProblemBody {
            problem_type: kind.urn(),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail: detail.unwrap_or(kind.detail()),
            errors,
            request_id,
            members,
        };
        response.insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(json!(body).to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.kind.slug())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        let mut problem = Self::new(Kind::of(&error));
        problem.0.recorded = error.is_recorded();
        match error {
            CommandError::Denied(permission) | CommandError::GrantsTooMuch(permission) => {
                problem.member("permission", permission.as_str())
            }
            CommandError::Invalid(violations) => problem.violations(violations),
            CommandError::NotFound(what) | CommandError::Gone(what) => problem.member("resource", what),
            CommandError::Taken { pointer } => problem.error(
                Place::Pointer(pointer.to_owned()),
                "taken",
                "another one has this value: choose a different one",
            ),
            CommandError::PreconditionFailed { current, changed } => {
                let changed: Vec<_> = changed.into_iter().map(Changed::from).collect();
                problem.member("current_revision", current.get()).member("changed", json!(changed))
            }
            CommandError::Erasure(ErasureError::Held(hold)) => {
                problem.member("legal_hold_id", hold.id.to_string()).member("ticket", hold.ticket)
            }
            CommandError::Client(ClientError::RotationUnderWay { secret_id, ends_at }) => problem
                .member("secret_id", secret_id.to_string())
                .member("ends_at", domain::time::to_wire(ends_at)),
            CommandError::Throttled { retry_after_seconds } => {
                problem.header(header::RETRY_AFTER, &retry_after_seconds.to_string())
            }
            CommandError::Fault(fault) => problem.fault(&fault),
            CommandError::Unauthenticated
            | CommandError::Client(_)
            | CommandError::Member(_)
            | CommandError::Erasure(ErasureError::MemberActive)
            | CommandError::LegalHold(_)
            | CommandError::SigningKey(_)
            | CommandError::Admission(_)
            | CommandError::RoleExists
            | CommandError::BuiltInRole
            | CommandError::PreconditionRequired
            | CommandError::IdempotencyMismatch
            | CommandError::VerificationRunning
            | CommandError::RebuildRunning
            | CommandError::RebuildHalts
            | CommandError::Contended
            | CommandError::Busy => problem,
        }
    }
}

impl Problem {
    fn violations(mut self, violations: Vec<Violation>) -> Self {
        self.0.errors.extend(violations.into_iter().map(|violation| FieldError {
            place: Place::Pointer(violation.pointer),
            rule: RuleName::Domain(violation.rule),
            detail: violation.detail,
        }));
        self
    }

    fn fault(self, fault: &Fault) -> Self {
        let problem = self.because(fault);
        if fault.outcome_unknown {
            problem.detail(
                "the command may have taken place: ask again with the same Idempotency-Key, and the answer will tell",
            )
        } else {
            problem
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        CommandError::from(fault).into()
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Stopped | QueryError::Log(store::ReadError::Unavailable(_)) => {
                Self::new(Kind::Unavailable).because(error)
            }
            // They are about to be folded into another file.
            QueryError::Unopened(_) => Self::new(Kind::ViewsBehind).because(error),
            QueryError::Database(_) | QueryError::Row { .. } | QueryError::Log(_) | QueryError::Fold(_) => {
                Self::new(Kind::Internal).because(error)
            }
        }
    }
}

impl From<store::ReadError> for Problem {
    fn from(error: store::ReadError) -> Self {
        QueryError::Log(error).into()
    }
}

/// An error with its causes, on one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
