//! How a client says who it is at an endpoint that takes a form (RFC 6749 section 2.3): in a header or in the body, never
//! in both, and never in the URL.

use actix_web::{HttpRequest, http::header};
use app::{ClientCredentials, ClientProof};
use domain::EnvironmentName;

use super::{basic, form::Form, refusal::Refused};

/// What a client presents.
///
/// # Errors
/// The answer to a request that presents nothing, or two things.
pub(super) fn credentials(
    http: &HttpRequest,
    form: &Form,
    environment: &EnvironmentName,
) -> Result<ClientCredentials, Refused> {
    let (claimed, in_body) = (form.get("client_id"), form.get("client_secret"));
    if http.headers().contains_key(header::AUTHORIZATION) {
        let Some((client_id, secret)) = basic::credentials(http) else {
            return Err(Refused::Client(environment.clone()));
        };
        if in_body.is_some() {
            let description = "the client authenticates in the header and in the body: use one of them";
            return Err(Refused::invalid_request(description));
        }
        if claimed.is_some_and(|claimed| claimed != client_id) {
            let description = "client_id in the body is not the one in the header";
            return Err(Refused::invalid_request(description));
        }
        return Ok(ClientCredentials { client_id, proof: ClientProof::Secret(secret) });
    }
    let Some(client_id) = claimed else { return Err(Refused::Client(environment.clone())) };
    let proof = match in_body {
        Some(secret) => ClientProof::Secret(secret.to_owned().into()),
        None => ClientProof::None,
    };
    Ok(ClientCredentials { client_id: client_id.to_owned(), proof })
}
