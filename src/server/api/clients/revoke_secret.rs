//! `DELETE /environments/{environment}/clients/{client_id}/secrets/{secret_id}`: stops one secret.

use actix_web::{HttpResponse, http::StatusCode};
use app::App;

use super::{Lockout, ending};
use crate::{
    extract::{Command, Why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Revoke one client secret")
        .parameters::<Lockout>()
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::NoSuchSecret, Kind::Gone, Kind::SecretNotUsable, Kind::LastSecret])
}

pub(crate) async fn handle(command: Command<Why, Lockout>) -> Result<HttpResponse, Problem> {
    ending(command, App::revoke_secret).await
}
