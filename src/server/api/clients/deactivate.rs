//! `POST /environments/{environment}/clients/{client_id}/deactivate`: gives it no more tokens until it is enabled.

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
        .summary("Give a client no more tokens until it is enabled")
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::ClientNotActive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    plain(command, App::deactivate_client).await
}
