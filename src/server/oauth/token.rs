//! `POST /{environment}/token`: tokens for clients (RFC 6749 section 3.2).

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use app::{IssuedTokens, MalformedRequest, ProtocolEndpoint, TokenAsk, TokenError, TokenRequest};
use crypto::ExposeSecret;
use domain::EnvironmentName;
use serde::Serialize;

pub(crate) use super::undocumented as document;
use super::{
    answer,
    client::credentials,
    form::Form,
    invalid_client,
    refusal::{Asking, refused},
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
    let asking = Asking {
        service: &service,
        http: &http,
        endpoint: ProtocolEndpoint::Token,
        environment: &environment,
    };
    let request = match Form::asked(asking, payload, |form| request(&asking, form)).await? {
        Ok(request) => request,
        Err(answer) => return Ok(answer),
    };
    Ok(match service.app.issue_tokens(request).await {
        Ok(tokens) => {
            service.metrics.client_authentication("done");
            given(&tokens)
        }
        Err(error) => refusal(&service, &http, &environment, &error),
    })
}

fn request(asking: &Asking<'_>, form: &Form) -> Result<TokenRequest, MalformedRequest> {
    let Asking { service, http, environment, .. } = *asking;
    let client = credentials(asking, form)?;
    let ask = match form.get("grant_type").ok_or(MalformedRequest::NoGrantType)? {
        "client_credentials" => TokenAsk::ClientCredentials,
        "authorization_code" => TokenAsk::AuthorizationCode {
            code: form.owned("code").ok_or(MalformedRequest::NoCode)?.into(),
            redirect_uri: form.owned("redirect_uri"),
            code_verifier: form.owned("code_verifier"),
        },
        "refresh_token" => {
            let token = form.owned("refresh_token").ok_or(MalformedRequest::NoRefreshToken)?;
            TokenAsk::RefreshToken(token.into())
        }
        _ => return Err(MalformedRequest::GrantType),
    };
    Ok(TokenRequest {
        environment: environment.clone(),
        issuer: service.issuer(environment),
        client,
        ask,
        scope: form.owned("scope"),
        resources: form.resources(),
        key_proof: asking.key_proof()?,
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
        TokenError::Proof(refusal) => {
            service.metrics.client_authentication("done");
            refused(StatusCode::BAD_REQUEST, refusal.error(), refusal.description())
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
