//! `POST /persons/{person_id}/erase`: nobody can read any more who it was.

use actix_web::{HttpResponse, http::StatusCode};
use domain::PersonId;
use serde::Serialize;
use store::Position;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// A person who is erased. Every entry is as it was, and every proof of it.
#[derive(Debug, Serialize, ToSchema)]
struct ErasedPerson {
    /// The pseudonym, which stays.
    #[schema(value_type = String, format = Uuid)]
    person_id: PersonId,
    /// Always true.
    erased: bool,
    /// The position at which it was so.
    #[schema(value_type = u64)]
    position: Position,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Erase a contact, or a member who was deactivated")
        .optional_body::<Why>()
        .json::<ErasedPerson>(StatusCode::OK, "Nobody can read who it was")
        .problems(&[Kind::NotFound, Kind::LegalHold, Kind::MemberActive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let app::ErasedPerson { person_id, position, replayed } =
        service.app.erase_person(context, path::person_id(&http)?).await?;
    let mut answer = answer::to_final_command(&service, StatusCode::OK, position, replayed).await;
    Ok(answer.json(ErasedPerson { person_id, erased: true, position }))
}
