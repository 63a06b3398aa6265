//! Refusals in the dialect of the protocol (RFC 6749 section 5.2).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use app::{MalformedAttempt, MalformedRequest, ProtocolEndpoint};
use domain::EnvironmentName;
use serde::Serialize;

use super::{answer, invalid_client};
use crate::{extract::source, middleware::request_id::RequestId, problem::Problem, service::Service};

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

/// An error with what its developer should know.
pub(super) fn refused(status: StatusCode, error: &str, error_description: &str) -> HttpResponse {
    answer(status).json(Body { error, error_description })
}

/// Where a request came in, and what it says about who sends it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'r> {
    pub(super) service: &'r Service,
    pub(super) http: &'r HttpRequest,
    pub(super) endpoint: ProtocolEndpoint,
    pub(super) environment: &'r EnvironmentName,
}

impl Asking<'_> {
    /// Records that nothing could be made of the request.
    ///
    /// # Errors
    /// The fault that kept it from being recorded, which is the answer then.
    pub(super) async fn malformed(
        self,
        client_id: Option<&str>,
        refusal: MalformedRequest,
    ) -> Result<(), Problem> {
        let attempt = MalformedAttempt {
            endpoint: self.endpoint,
            environment: self.environment.clone(),
            client_id: client_id.map(str::to_owned),
            refusal,
            request_id: RequestId::of(self.http).0,
            source: source(self.service, self.http),
        };
        Ok(self.service.app.record_malformed(attempt).await?)
    }

    /// The same, and the answer to it in the dialect of RFC 6749.
    ///
    /// # Errors
    /// As above.
    pub(super) async fn malformed_request(
        self,
        client_id: Option<&str>,
        refusal: MalformedRequest,
    ) -> Result<HttpResponse, Problem> {
        self.malformed(client_id, refusal).await?;
        if refusal == MalformedRequest::NoCredentials {
            self.service.metrics.client_authentication("missing");
            return Ok(invalid_client(self.environment));
        }
        Ok(refused(StatusCode::BAD_REQUEST, refusal.error(), refusal.description()))
    }
}
