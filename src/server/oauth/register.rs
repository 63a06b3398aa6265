//! `/{environment}/register`: clients that register themselves (RFC 7591), and manage that (RFC 7592).

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
mod metadata;
pub(crate) mod replace;

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use app::{OwnRegistration, RegistrationAttempt, RegistrationError, RegistrationRefusal};
use crypto::{ExposeSecret, SecretString};
use domain::{
    EnvironmentName, Violation,
    client::Software,
    oauth::{GrantType, RedirectUri},
};
use jiff::Timestamp;
use serde::Serialize;
use store::Position;

use super::{bearer, refusal::refused, unavailable};
use crate::{
    answer::to_final_command, extract::source, middleware::request_id::RequestId,
    representation::client::KeySet, service::Service,
};

/// What breaks rules in more places than this is told of the first.
const MOST_TOLD: usize = 10;

/// A client as it is registered (RFC 7591 section 3.2.1, RFC 7592 section 3).
#[derive(Serialize)]
struct Registered<'a> {
    client_id: String,
    client_id_issued_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    /// Of a client that has secrets; 0 is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<i64>,
    registration_access_token: &'a str,
    registration_client_uri: String,
    client_name: &'a str,
    redirect_uris: &'a [RedirectUri],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    post_logout_redirect_uris: &'a [RedirectUri],
    grant_types: &'a [GrantType],
    response_types: &'static [&'static str],
    token_endpoint_auth_method: &'static str,
    scope: String,
    /// Of a client that has keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<KeySet>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<&'a str>,
    #[serde(flatten)]
    software: Option<&'a Software>,
}

/// Who asks.
fn attempt(service: &Service, http: &HttpRequest, environment: EnvironmentName) -> RegistrationAttempt {
    RegistrationAttempt {
        environment,
        token: bearer::token(http).map(SecretString::from),
        request_id: RequestId::of(http).0,
        source: source(service, http),
    }
}

/// The client, as it is; `presented` is what it manages its registration with if it got nothing new.
async fn registered(
    service: &Service,
    status: StatusCode,
    own: &OwnRegistration,
    presented: Option<&SecretString>,
) -> HttpResponse {
    let client = &own.client.registration;
    let now = service.app.log().now();
    let newest = client.live_secrets(now).last();
    let by_code = client.grant_types.contains(&GrantType::AuthorizationCode);
    let token = own.registration_access_token.as_ref().or(presented);
    let place = service.oauth_url(&client.environment, "register");
    done(service, status, own.client.position).await.json(Registered {
        client_id: own.client.client_id.to_string(),
        client_id_issued_at: client.created_at.as_second(),
        client_secret: own.client_secret.as_ref().map(ExposeSecret::expose_secret),
        client_secret_expires_at: newest.map(|secret| secret.expires_at.map_or(0, Timestamp::as_second)),
        registration_access_token: token.map(ExposeSecret::expose_secret).unwrap_or_default(),
        registration_client_uri: format!("{place}/{}", own.client.client_id),
        client_name: &client.client_name,
        redirect_uris: &client.redirect_uris,
        post_logout_redirect_uris: &client.post_logout_redirect_uris,
        grant_types: &client.grant_types,
        response_types: if by_code { &["code"] } else { &[] },
        token_endpoint_auth_method: client.token_endpoint_auth_method.as_str(),
        scope: client.scope.to_wire(),
        jwks: (!client.keys.is_empty()).then(|| KeySet { keys: client.keys.clone() }),
        contacts: own.contacts.iter().map(|contact| contact.expose().as_str()).collect(),
        software: client.self_registered.as_ref().map(|registered| &registered.software),
    })
}

/// Begins the answer once the views have seen what it is about; it belongs in nobody's cache.
async fn done(service: &Service, status: StatusCode, position: Position) -> HttpResponseBuilder {
    let mut response = to_final_command(service, status, position, false).await;
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    response
}

/// Why not.
fn refusal(http: &HttpRequest, error: &RegistrationError) -> HttpResponse {
    match error {
        RegistrationError::NoSuchEnvironment => {
            refused(StatusCode::NOT_FOUND, "invalid_request", "there is no such environment")
        }
        RegistrationError::Refused(refusal) => match refusal {
            RegistrationRefusal::InitialTokenMissing | RegistrationRefusal::TokenMissing => bearer::missing(),
            RegistrationRefusal::InitialTokenUnknown
            | RegistrationRefusal::InitialTokenEnded
            | RegistrationRefusal::InitialTokenOfEndedMember
            | RegistrationRefusal::TokenUnknown
            | RegistrationRefusal::TokenEnded => {
                bearer::challenged(StatusCode::UNAUTHORIZED, "invalid_token", refusal.description())
            }
            RegistrationRefusal::Closed
            | RegistrationRefusal::Unanswered
            | RegistrationRefusal::Full
            | RegistrationRefusal::Deactivated => {
                refused(StatusCode::FORBIDDEN, "access_denied", refusal.description())
            }
            RegistrationRefusal::InvalidMetadata => {
                refused(StatusCode::BAD_REQUEST, refusal.as_str(), refusal.description())
            }
        },
        RegistrationError::Invalid(violations) => {
            refused(StatusCode::BAD_REQUEST, code(violations), &described(violations))
        }
        RegistrationError::Failed(error) => unavailable(http, error),
    }
}

/// The `error` of RFC 7591 section 3.2.2.
fn code(violations: &[Violation]) -> &'static str {
    let at = |field: &str| violations.iter().any(|one| one.pointer.starts_with(field));
    if at("/redirect_uris") {
        "invalid_redirect_uri"
    } else if at("/software_statement") {
        "unapproved_software_statement"
    } else {
        "invalid_client_metadata"
    }
}

/// What is wrong, field by field, in the characters that an `error_description` has (RFC 6749 section 5.2).
fn described(violations: &[Violation]) -> String {
    let of = |violation: &Violation| match violation.pointer.trim_start_matches('/') {
        "" => violation.detail.clone(),
        field => format!("{}: {}", field.replace('/', "."), violation.detail),
    };
    let told: Vec<_> = violations.iter().take(MOST_TOLD).map(of).collect();
    let allowed = |c: &char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
    told.join("; ").chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use domain::{Rule, Violation};

    use super::{code, described};

    #[test]
    fn oauth_72_73_an_error_names_the_field_and_the_rule_in_the_characters_that_it_may_have() {
        let name = Violation::new("/client_name", Rule::TooLong, "must have \"at most\" 120 characters\n");
        let uri = Violation::new("/redirect_uris/0", Rule::NotHttps, "must be https");
        let statement = Violation::new("/software_statement", Rule::Unsupported, "none is approved");
        assert_eq!(code(&[name.clone(), uri.clone()]), "invalid_redirect_uri");
        assert_eq!(code(&[name.clone(), statement]), "unapproved_software_statement");
        assert_eq!(code(std::slice::from_ref(&name)), "invalid_client_metadata");
        let told = described(&[name, uri]);
        assert_eq!(told, "client_name: must have at most 120 characters; redirect_uris.0: must be https");
    }
}
