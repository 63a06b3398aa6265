//! `POST /environments/{environment}/clients/{client_id}/signing_secret/complete`: ends the signing secret that was
//! replaced before its overlap does.

use actix_web::{HttpResponse, http::StatusCode};
use app::App;

use super::plain;
use crate::{
    extract::{Command, Why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("End an overlap of signing secrets now")
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::NoRotation])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    plain(command, App::complete_signing_secret_rotation).await
}
