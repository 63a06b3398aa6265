//! `POST /environments/{environment}/clients/{client_id}/secrets/{secret_id}/cancel`: takes this secret back, and
//! gives those that it replaces the time that they had.

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
        .summary("Take a rotation back")
        .parameters::<Lockout>()
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::NoSuchSecret, Kind::Gone, Kind::NoRotation, Kind::LastSecret])
}

pub(crate) async fn handle(command: Command<Why, Lockout>) -> Result<HttpResponse, Problem> {
    ending(command, App::cancel_rotation).await
}
