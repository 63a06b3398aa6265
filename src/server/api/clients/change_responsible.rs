//! `PUT /environments/{environment}/clients/{client_id}/responsible`: another member answers for it.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use domain::MemberId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::changed;
use crate::{
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

/// Who answers for it from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeResponsible {
    /// An active member.
    #[schema(value_type = String, format = Uuid)]
    member_id: MemberId,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeResponsible);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let another member answer for a client")
        .if_match()
        .body::<ChangeResponsible>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<ChangeResponsible>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let client =
        service.app.change_responsible(context, environment, client_id, if_match, body.member_id).await?;
    Ok(changed(&service, &client).await)
}
