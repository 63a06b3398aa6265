//! `GET /legal_holds/{legal_hold_id}`: one hold, as the log stands now.

use actix_web::{HttpResponse, http::StatusCode};

use crate::{
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::LegalHold,
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One legal hold")
        .json::<LegalHold>(StatusCode::OK, "The legal hold")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let id = path::legal_hold_id(&read.http)?;
    let holds = read.service.app.legal_holds().await?;
    let hold = holds.into_iter().find(|hold| hold.id == id);
    let hold = hold.ok_or_else(|| path::not_found("legal_hold"))?;
    Ok(HttpResponse::Ok().json(LegalHold::from(hold)))
}
