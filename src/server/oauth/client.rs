//! How a client says who it is at an endpoint that takes a form (RFC 6749 section 2.3, RFC 7523 section 2.2): in a header or
//! in the body, never in both, and never in the URL.

use actix_web::http::header;
use app::{ClientCredentials, ClientProof, MalformedRequest, ProtocolEndpoint, claimed_subject};

use super::{basic, form::Form, refusal::Asking};

/// RFC 7523 section 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// What a client presents.
///
/// # Errors
/// Why that is nothing, or two things.
pub(super) fn credentials(asking: &Asking<'_>, form: &Form) -> Result<ClientCredentials, MalformedRequest> {
    let claimed = form.get("client_id");
    let in_header = asking.http.headers().contains_key(header::AUTHORIZATION);
    let (in_body, assertion) = (form.get("client_secret"), form.get("client_assertion"));
    if [in_header, in_body.is_some(), assertion.is_some()].into_iter().filter(|given| *given).count() > 1 {
        return Err(MalformedRequest::TwoCredentials);
    }
    let (client_id, proof) = if in_header {
        let (client_id, secret) = basic::credentials(asking.http).ok_or(MalformedRequest::NoCredentials)?;
        (client_id, ClientProof::Secret(secret))
    } else if let Some(assertion) = assertion {
        if form.get("client_assertion_type") != Some(JWT_BEARER) {
            return Err(MalformedRequest::AssertionType);
        }
        let url = |endpoint| asking.service.oauth_url(asking.environment, endpoint);
        let mut audiences = vec![asking.service.issuer(asking.environment), url("token")];
        if asking.endpoint == ProtocolEndpoint::PushedAuthorization {
            // RFC 9126 section 2.
            audiences.push(url("par"));
        }
        let proof = ClientProof::Assertion { assertion: assertion.to_owned().into(), audiences };
        let subject = claimed_subject(assertion).or_else(|| claimed.map(str::to_owned));
        (subject.ok_or(MalformedRequest::NoCredentials)?, proof)
    } else {
        let client_id = claimed.ok_or(MalformedRequest::NoCredentials)?.to_owned();
        let secret = in_body.map(|secret| ClientProof::Secret(secret.to_owned().into()));
        (client_id, secret.unwrap_or(ClientProof::None))
    };
    if claimed.is_some_and(|claimed| claimed != client_id) {
        return Err(MalformedRequest::ClientIdDiffers);
    }
    Ok(ClientCredentials { client_id, proof })
}
