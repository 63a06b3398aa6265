//! `POST /{environment}/introspect`: what a token is worth now (RFC 7662).

use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{Data, Payload},
};
use app::{Confirmation, LiveToken, MalformedRequest, ProtocolEndpoint, TokenQuestion};
use serde::Serialize;

pub(crate) use super::undocumented as document;
use super::{answer, client::credentials, form::Form, refusal::Asking, token::refusal};
use crate::{
    extract::{path, source},
    middleware::request_id::RequestId,
    problem::Problem,
    service::Service,
};

/// A token that is good (RFC 7662 section 2.2).
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    scope: &'a str,
    client_id: String,
    token_type: &'static str,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a [String]>,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<&'a Confirmation>,
}

/// Any other token: exactly this, whatever it is.
#[derive(Serialize)]
struct Inactive {
    active: bool,
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
        endpoint: ProtocolEndpoint::Introspection,
        environment: &environment,
    };
    let question = match Form::asked(asking, payload, |form| question(&asking, form)).await? {
        Ok(question) => question,
        Err(answer) => return Ok(answer),
    };
    Ok(match service.app.introspect(question).await {
        Ok(Some(live)) => active(&live, &service.issuer(&environment)),
        Ok(None) => answer(StatusCode::OK).json(Inactive { active: false }),
        Err(error) => refusal(&service, &http, &environment, &error),
    })
}

/// The token of a form, and who asks about it.
pub(super) fn question(asking: &Asking<'_>, form: &Form) -> Result<TokenQuestion, MalformedRequest> {
    let client = credentials(asking, form)?;
    let token = form.owned("token").ok_or(MalformedRequest::NoToken)?;
    Ok(TokenQuestion {
        environment: asking.environment.clone(),
        client,
        token: token.into(),
        request_id: RequestId::of(asking.http).0,
        source: source(asking.service, asking.http),
    })
}

fn active(live: &LiveToken, issuer: &str) -> HttpResponse {
    let mut ok = answer(StatusCode::OK);
    match live {
        LiveToken::Access(token) => ok.json(Active {
            active: true,
            scope: &token.scope,
            client_id: token.client_id.to_string(),
            token_type: if token.cnf.is_some() { "DPoP" } else { "Bearer" },
            exp: token.exp,
            iat: Some(token.iat),
            sub: &token.sub,
            aud: Some(&token.aud),
            iss: &token.iss,
            jti: Some(&token.jti.0),
            auth_time: token.auth_time,
            cnf: token.cnf.as_ref(),
        }),
        LiveToken::Refresh { client_id, sub, scope, expires_at } => ok.json(Active {
            active: true,
            scope: &scope.to_wire(),
            client_id: client_id.to_string(),
            token_type: "refresh_token",
            exp: expires_at.as_second(),
            iat: None,
            sub,
            aud: None,
            iss: issuer,
            jti: None,
            auth_time: None,
            cnf: None,
        }),
    }
}
