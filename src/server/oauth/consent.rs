//! `POST /{environment}/consent`: a member's answer to what a client asks for.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Payload},
};
use app::{AuthorizationRefusal, ProtocolEndpoint};

pub(crate) use super::undocumented as document;
use super::{
    authorize::{consent_form, granted, judge, second_factor_missing, told},
    browser::{self, forged},
    form::Form,
    refusal::Asking,
};
use crate::{extract::bytes_of, problem::Problem, service::Service};

pub(crate) async fn handle(
    http: HttpRequest,
    service: Data<Service>,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let environment = match browser::environment(&service, &http).await? {
        Ok(environment) => environment,
        Err(page) => return Ok(page),
    };
    let asking = Asking {
        service: &service,
        http: &http,
        endpoint: ProtocolEndpoint::Authorization,
        environment: &environment,
    };
    let form = Form::parse(&bytes_of(&service, &http, payload).await?);
    let text = |name| form.get(name).unwrap_or_default();
    let Some(session) = browser::session(&service, &http).await? else {
        return forged(asking).await;
    };
    let judged = match judge(&http, &service, &environment, text("continue")).await? {
        Ok(judged) => judged,
        Err(answer) => return Ok(answer),
    };
    if !service.app.is_form_proof(&consent_form(&judged.query), &session.id.0, text("csrf")) {
        return forged(asking).await;
    }
    if service.app.lacks_second_factor(&environment, &session).await? {
        return second_factor_missing(&http, &service, &judged, &session).await;
    }
    let authorization = judged.authorization;
    match text("decision") {
        "allow" => {
            let context = browser::context(&service, &http, &session, "GiveGrant")?;
            let remember = form.get("remember").is_some();
            let given = service.app.give_grant(context, authorization.clone(), remember).await?;
            granted(&http, &service, &authorization, given.grant_id, &session).await
        }
        "deny" => {
            let context = browser::context(&service, &http, &session, "DenyGrant")?;
            service.app.deny_grant(context, authorization.clone()).await?;
            told(&http, &service, &authorization, AuthorizationRefusal::Denied).await
        }
        _ => forged(asking).await,
    }
}
