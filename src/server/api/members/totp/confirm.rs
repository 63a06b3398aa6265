//! `POST /members/{member_id}/totp/confirm`: enrols a device that shows the right code.

use actix_web::{HttpResponse, http::StatusCode};
use app::ConfirmTotpRequest;
use crypto::Personal;
use serde::Deserialize;
use utoipa::ToSchema;

use super::RecoveryCodes;
use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// The proof that the device has the secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmTotp {
    /// As the enrolment was answered.
    #[serde(default)]
    #[schema(required)]
    enrolment_id: String,
    /// What the device shows: six digits.
    #[serde(default)]
    #[schema(required, example = "287082")]
    code: String,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ConfirmTotp);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Enrol the device, in place of the one there was, and issue recovery codes")
        .body::<ConfirmTotp>()
        .json::<RecoveryCodes>(StatusCode::OK, "The member, and the recovery codes for the only time")
        .problems(&[Kind::NotFound, Kind::NoPassword, Kind::GrantExceeds, Kind::MemberErased])
}

pub(crate) async fn handle(command: Command<ConfirmTotp>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body: ConfirmTotp { enrolment_id, code, .. }, .. } = command;
    let request = ConfirmTotpRequest { enrolment_id, code };
    let issued = service.app.confirm_totp(context, path::member_id(&http)?, request).await?;
    let mut answer = answer::to_command(&service, StatusCode::OK, &issued.member).await;
    Ok(answer.json(RecoveryCodes::new(&service, &issued)))
}
