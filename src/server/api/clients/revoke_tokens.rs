//! `POST /environments/{environment}/clients/{client_id}/revoke_tokens`: lets no token be good any more that a client got so
//! far. It can get others at once; what stops that is to deactivate it.

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
        .summary("Revoke all tokens that a client got so far")
        .optional_body::<Why>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    plain(command, App::revoke_tokens).await
}
