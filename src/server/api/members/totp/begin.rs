//! `POST /members/{member_id}/totp`: makes a secret for a device.

use actix_web::{HttpResponse, http::StatusCode};
use app::BegunEnrolment;
use crypto::ExposeSecret;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::members::remove_password::WithCurrentPassword,
    extract::{Command, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// What a device has to have. It is shown here and never again.
#[derive(Serialize, ToSchema)]
struct Enrolment {
    /// To be named when the device proves that it has the secret.
    enrolment_id: String,
    /// In base32, to be typed.
    secret: String,
    /// The same to be shown as a picture.
    otpauth_uri: String,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Begin to enrol a device whose codes a member signs in with (RFC 6238)")
        .optional_body::<WithCurrentPassword>()
        .json::<Enrolment>(StatusCode::OK, "What the device has to have, for the only time")
        .problems(&[Kind::NotFound, Kind::NoPassword, Kind::GrantExceeds])
}

pub(crate) async fn handle(command: Command<WithCurrentPassword>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let begun = service.app.begin_totp(context, path::member_id(&http)?, body.current_password).await?;
    let BegunEnrolment { enrolment_id, secret, uri, expires_at } = begun;
    Ok(HttpResponse::Ok().json(Enrolment {
        enrolment_id: enrolment_id.to_string(),
        secret: secret.expose_secret().to_owned(),
        otpauth_uri: uri.expose_secret().to_owned(),
        expires_at,
    }))
}
