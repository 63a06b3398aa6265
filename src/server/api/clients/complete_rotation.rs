//! `POST /environments/{environment}/clients/{client_id}/secrets/{secret_id}/complete`: ends the secrets that this one
//! replaces before their overlap does.

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
        .summary("End an overlap of secrets now")
        .parameters::<Lockout>()
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::NoSuchSecret, Kind::Gone, Kind::NoRotation, Kind::LastSecret])
}

pub(crate) async fn handle(command: Command<Why, Lockout>) -> Result<HttpResponse, Problem> {
    ending(command, App::complete_rotation).await
}
