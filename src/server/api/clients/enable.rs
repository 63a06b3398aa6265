//! `POST /environments/{environment}/clients/{client_id}/enable`: gives it tokens again.

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
        .summary("Give a deactivated client tokens again")
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::ClientNotInactive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    plain(command, App::enable_client).await
}
