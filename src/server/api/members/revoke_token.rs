//! `DELETE /members/{member_id}/tokens/{token_id}`: stops a personal token.

use actix_web::{HttpResponse, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Member,
};

/// How far to go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Whether it may be the last token that the last administrator can manage members with.
    #[serde(default)]
    allow_lockout: bool,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Revoke a personal token")
        .parameters::<Parameters>()
        .optional_body::<Why>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound, Kind::NoSuchToken, Kind::TokenNotLive, Kind::LastAdministrator])
}

pub(crate) async fn handle(command: Command<Why, Parameters>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, parameters, .. } = command;
    let (member_id, token_id) = (path::member_id(&http)?, path::secret_id(&http, "token_id"));
    let member = service.app.revoke_token(context, member_id, token_id, parameters.allow_lockout).await?;
    Ok(answer::to_command(&service, StatusCode::OK, &member).await.json(Member::new(&service, &member)))
}
