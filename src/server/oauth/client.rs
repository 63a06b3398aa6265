//! How a client says who it is at an endpoint that takes a form (RFC 6749 section 2.3): in a header or in the body, never
//! in both, and never in the URL.

use actix_web::{HttpRequest, http::header};
use app::{ClientCredentials, ClientProof, MalformedRequest};

use super::{basic, form::Form};

/// What a client presents.
///
/// # Errors
/// Why that is nothing, or two things.
pub(super) fn credentials(http: &HttpRequest, form: &Form) -> Result<ClientCredentials, MalformedRequest> {
    let (claimed, in_body) = (form.get("client_id"), form.get("client_secret"));
    if http.headers().contains_key(header::AUTHORIZATION) {
        let (client_id, secret) = basic::credentials(http).ok_or(MalformedRequest::NoCredentials)?;
        if in_body.is_some() {
            return Err(MalformedRequest::TwoCredentials);
        }
        if claimed.is_some_and(|claimed| claimed != client_id) {
            return Err(MalformedRequest::ClientIdDiffers);
        }
        return Ok(ClientCredentials { client_id, proof: ClientProof::Secret(secret) });
    }
    let client_id = claimed.ok_or(MalformedRequest::NoCredentials)?.to_owned();
    let proof = match in_body {
        Some(secret) => ClientProof::Secret(secret.to_owned().into()),
        None => ClientProof::None,
    };
    Ok(ClientCredentials { client_id, proof })
}
