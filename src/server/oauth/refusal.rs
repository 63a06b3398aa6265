//! Refusals in the dialect of the protocol (RFC 6749 section 5.2).

use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use app::{KeyProof, MalformedAttempt, MalformedRequest, ProtocolEndpoint};
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
    /// The proof that the sender has a key, if one came (RFC 9449 section 4.1).
    ///
    /// # Errors
    /// If two came.
    pub(super) fn key_proof(&self) -> Result<Option<KeyProof>, MalformedRequest> {
        let mut proofs = self.http.headers().get_all("dpop");
        let (Some(proof), None) = (proofs.next(), proofs.next()) else {
            let none = self.http.headers().get("dpop").is_none();
            return if none { Ok(None) } else { Err(MalformedRequest::TwoProofs) };
        };
        // One that is no text is no proof: what comes of it is refused and recorded as such.
        let text = proof.to_str().unwrap_or_default().to_owned();
        let endpoint = self.http.path().rsplit('/').next().unwrap_or_default();
        let url = self.service.oauth_url(self.environment, endpoint);
        Ok(Some(KeyProof { text, method: self.http.method().to_string(), url }))
    }

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
