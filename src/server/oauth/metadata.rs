//! `GET /.well-known/oauth-authorization-server/{environment}` and `/{environment}/.well-known/openid-configuration`: what an
//! environment can do and where (RFC 8414, OpenID Connect Discovery). All addresses come from the configured public URL,
//! none from the request.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use domain::{
    EnvironmentName,
    environment::{Policy, RegistrationRule},
    oauth::{GrantType, TokenEndpointAuthMethod},
};
use serde::Serialize;

pub(crate) use super::undocumented as document;
use crate::{extract::path, problem::Problem, service::Service};

/// What clients can sign with.
const ASSERTIONS: [&str; 2] = ["ES256", "RS256"];
const KEPT: &str = "public, max-age=3600";

#[derive(Serialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    pushed_authorization_request_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    end_session_endpoint: String,
    /// Where clients register themselves (RFC 7591), if they may.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    scopes_supported: [&'static str; 4],
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: Vec<&'static str>,
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 2],
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; 2],
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 2],
    dpop_signing_alg_values_supported: [&'static str; 2],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    claims_supported: [&'static str; 8],
    prompt_values_supported: [&'static str; 4],
    request_parameter_supported: bool,
    request_uri_parameter_supported: bool,
    require_pushed_authorization_requests: bool,
}

pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    // An environment that does not exist has no metadata.
    let policy = service.app.environment(environment.as_str()).await?.state.policy;
    Ok(HttpResponse::build(StatusCode::OK).insert_header((header::CACHE_CONTROL, KEPT)).json(Metadata::of(
        &service,
        &environment,
        &policy,
    )))
}

impl Metadata {
    fn of(service: &Service, environment: &EnvironmentName, policy: &Policy) -> Self {
        let url = |endpoint| service.oauth_url(environment, endpoint);
        let methods: Vec<_> = TokenEndpointAuthMethod::ALL.iter().map(|method| method.as_str()).collect();
        let confidential = TokenEndpointAuthMethod::ALL.iter().filter(|method| !method.is_public());
        Self {
            issuer: service.issuer(environment),
            authorization_endpoint: url("authorize"),
            pushed_authorization_request_endpoint: url("par"),
            token_endpoint: url("token"),
            jwks_uri: url("jwks"),
            userinfo_endpoint: url("userinfo"),
            introspection_endpoint: url("introspect"),
            revocation_endpoint: url("revoke"),
            end_session_endpoint: url("logout"),
            registration_endpoint: (policy.registration != RegistrationRule::Closed).then(|| url("register")),
            scopes_supported: ["openid", "profile", "email", "offline_access"],
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: GrantType::ALL.iter().map(|grant_type| grant_type.as_str()).collect(),
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["RS256"],
            revocation_endpoint_auth_methods_supported: methods.clone(),
            token_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: ASSERTIONS,
            introspection_endpoint_auth_methods_supported: confidential
                .map(|method| method.as_str())
                .collect(),
            introspection_endpoint_auth_signing_alg_values_supported: ASSERTIONS,
            revocation_endpoint_auth_signing_alg_values_supported: ASSERTIONS,
            dpop_signing_alg_values_supported: ASSERTIONS,
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            claims_supported: ["sub", "iss", "aud", "exp", "iat", "auth_time", "name", "email"],
            prompt_values_supported: ["none", "login", "consent", "select_account"],
            request_parameter_supported: false,
            request_uri_parameter_supported: false,
            require_pushed_authorization_requests: false,
        }
    }
}
