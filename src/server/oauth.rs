//! What clients ask for themselves, in the dialect of RFC 6749: `/{environment}/…`.

pub(crate) mod authorize;
mod basic;
mod bearer;
mod browser;
mod client;
pub(crate) mod consent;
mod form;
pub(crate) mod grants;
pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod logout;
pub(crate) mod metadata;
pub(crate) mod own_client;
mod passkey;
pub(crate) mod payloads;
pub(crate) mod push;
mod refusal;
pub(crate) mod register;
pub(crate) mod revoke;
pub(crate) mod second_factor;
pub(crate) mod sign_in;
pub(crate) mod token;
pub(crate) mod userinfo;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError,
    http::{StatusCode, header},
};
use app::{
    AuthenticatedClient, ClientAttempt, ClientAuthenticationError, CommandError, MalformedRequest,
    ProtocolEndpoint,
};
use domain::EnvironmentName;
use refusal::Asking;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{extract::source, middleware::request_id::RequestId, openapi::Operation, service::Service};

/// The body of an error (RFC 6749 section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OAuthError {
    /// `invalid_client`; `temporarily_unavailable`.
    #[schema(value_type = String, example = "invalid_client")]
    error: &'static str,
}

/// The endpoints of the protocol are described by their RFCs and by the metadata of an environment, not by OpenAPI.
pub(crate) fn undocumented(operation: Operation) -> Operation {
    operation
}

/// The client behind `Authorization: Basic` (RFC 6749 section 2.3.1), or the answer that it gets. Whatever is wrong, the
/// answer is the same: what it is stands in the activity log.
async fn authenticate(
    service: &Service,
    http: &HttpRequest,
    environment: &EnvironmentName,
) -> Result<AuthenticatedClient, HttpResponse> {
    let Some((client_id, secret)) = basic::credentials(http) else {
        let asking = Asking { service, http, endpoint: ProtocolEndpoint::OwnClient, environment };
        let answered = asking.malformed_request(None, MalformedRequest::NoCredentials).await;
        return Err(answered.unwrap_or_else(|problem| problem.error_response()));
    };
    let attempt = ClientAttempt {
        environment: environment.clone(),
        client_id,
        secret,
        request_id: RequestId::of(http).0,
        source: source(service, http),
    };
    let refused = match service.app.authenticate_client(attempt).await {
        Ok(client) => {
            service.metrics.client_authentication("done");
            return Ok(client);
        }
        Err(refused) => refused,
    };
    Err(match refused {
        ClientAuthenticationError::Refused(refusal) => {
            service.metrics.client_authentication(refusal.as_str());
            invalid_client(environment)
        }
        ClientAuthenticationError::NoSuchEnvironment => {
            service.metrics.client_authentication("no_such_environment");
            invalid_client(environment)
        }
        ClientAuthenticationError::Failed(error) => {
            service.metrics.client_authentication("unavailable");
            unavailable(http, &error)
        }
    })
}

fn invalid_client(environment: &EnvironmentName) -> HttpResponse {
    answer(StatusCode::UNAUTHORIZED)
        .insert_header((
            header::WWW_AUTHENTICATE,
            format!("Basic realm=\"{environment}\", charset=\"UTF-8\""),
        ))
        .json(OAuthError { error: "invalid_client" })
}

/// Nobody could find out: no answer about the client.
fn unavailable(http: &HttpRequest, error: &CommandError) -> HttpResponse {
    let cause: &dyn std::error::Error = error;
    tracing::error!(request_id = RequestId::of(http).0, cause, "answering a client failed");
    answer(StatusCode::SERVICE_UNAVAILABLE)
        .insert_header((header::RETRY_AFTER, "1"))
        .json(OAuthError { error: "temporarily_unavailable" })
}

/// What is about one client's secrets belongs in nobody's cache.
fn answer(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response
}
