//! `POST /{environment}/token`: tokens for clients (RFC 6749 section 3.2).

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use app::{IssuedTokens, TokenAsk, TokenError, TokenRequest};
use crypto::ExposeSecret;
use domain::EnvironmentName;
use serde::Serialize;

pub(crate) use super::undocumented as document;
use super::{
    answer,
    client::credentials,
    form::Form,
    invalid_client,
    refusal::{Refused, refused},
    unavailable,
};
use crate::{
    extract::{path, source},
    middleware::request_id::RequestId,
    problem::Problem,
    service::Service,
};

/// Tokens (RFC 6749 section 5.1).
#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<&'a str>,
    scope: String,
}

pub(crate) async fn handle(
    http: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let form = match Form::read(&service, &http, payload).await? {
        Ok(form) => form,
        Err(refused) => return Ok(refused.respond()),
    };
    let request = match request(&service, &http, &environment, &form) {
        Ok(request) => request,
        Err(refused) => return Ok(refused.respond()),
    };
    Ok(match service.app.issue_tokens(request).await {
        Ok(tokens) => {
            service.metrics.client_authentication("done");
            given(&tokens)
        }
        Err(error) => refusal(&service, &http, &environment, &error),
    })
}

fn request(
    service: &Service,
    http: &HttpRequest,
    environment: &EnvironmentName,
    form: &Form,
) -> Result<TokenRequest, Refused> {
    let client = credentials(http, form, environment).inspect_err(|_| {
        service.metrics.client_authentication("missing");
    })?;
    let missing = |name: &str| Refused::invalid_request(format!("{name} is missing"));
    let ask = match form.get("grant_type") {
        None => return Err(missing("grant_type")),
        Some("client_credentials") => TokenAsk::ClientCredentials,
        Some("authorization_code") => TokenAsk::AuthorizationCode {
            code: form.owned("code").ok_or_else(|| missing("code"))?.into(),
            redirect_uri: form.owned("redirect_uri"),
            code_verifier: form.owned("code_verifier"),
        },
        Some("refresh_token") => TokenAsk::RefreshToken(
            form.owned("refresh_token").ok_or_else(|| missing("refresh_token"))?.into(),
        ),
        Some(_) => {
            let description = "grant_type must be authorization_code, refresh_token or client_credentials";
            return Err(Refused::Request {
                status: StatusCode::BAD_REQUEST,
                error: "unsupported_grant_type",
                description: description.into(),
            });
        }
    };
    Ok(TokenRequest {
        environment: environment.clone(),
        issuer: service.issuer(environment),
        client,
        ask,
        scope: form.owned("scope"),
        resources: form.resources(),
        key_thumbprint: None,
        request_id: RequestId::of(http).0,
        source: source(service, http),
    })
}

fn given(tokens: &IssuedTokens) -> HttpResponse {
    answer(StatusCode::OK).json(Tokens {
        access_token: tokens.access_token.expose_secret(),
        token_type: if tokens.is_bound { "DPoP" } else { "Bearer" },
        expires_in: tokens.expires_in,
        refresh_token: tokens.refresh_token.as_ref().map(ExposeSecret::expose_secret),
        id_token: tokens.id_token.as_ref().map(ExposeSecret::expose_secret),
        scope: tokens.scope.to_wire(),
    })
}

/// Why a client gets no tokens, or why nothing is told about one.
pub(super) fn refusal(
    service: &Service,
    http: &HttpRequest,
    environment: &EnvironmentName,
    error: &TokenError,
) -> HttpResponse {
    match error {
        TokenError::NoSuchEnvironment => {
            service.metrics.client_authentication("no_such_environment");
            refused(StatusCode::NOT_FOUND, "invalid_request", "there is no such environment")
        }
        TokenError::Client(refusal) => {
            service.metrics.client_authentication(refusal.as_str());
            invalid_client(environment)
        }
        TokenError::Refused(refusal) => {
            service.metrics.client_authentication("done");
            refused(StatusCode::BAD_REQUEST, refusal.error(), refusal.description())
        }
        TokenError::Failed(error) => {
            service.metrics.client_authentication("unavailable");
            unavailable(http, error)
        }
    }
}
