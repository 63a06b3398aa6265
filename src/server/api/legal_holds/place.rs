//! `POST /legal_holds`: keeps something from being erased.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use crypto::Personal;
use domain::{ClientId, PersonId, legal_hold::SubjectFields};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{LegalHold, legal_hold},
};

/// A new legal hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceLegalHold {
    #[serde(default)]
    #[schema(required)]
    subject: Subject,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// The public reference to the case that it is for.
    #[serde(default)]
    #[schema(value_type = String, required, max_length = 100, example = "CASE-7")]
    ticket: Option<String>,
}

/// What to keep: exactly one of the fields.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Subject {
    /// Everybody whom this client ever named or who acted on it, and every reason given for it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    client_id: Option<ClientId>,
    /// One person, and every reason that the person gave.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Uuid)]
    person_id: Option<PersonId>,
    /// `true`: everybody and every reason.
    #[serde(default)]
    everything: bool,
}

why!(PlaceLegalHold);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Keep something from being erased")
        .body::<PlaceLegalHold>()
        .json::<LegalHold>(StatusCode::CREATED, "The legal hold")
        .problems(&[Kind::NotFound, Kind::PersonErased])
}

pub(crate) async fn handle(command: Command<PlaceLegalHold>) -> Result<HttpResponse, Problem> {
    let Command { service, context, body, .. } = command;
    let Subject { client_id, person_id, everything } = body.subject;
    let subject = SubjectFields { client_id, person_id, everything };
    let placed = service.app.place_legal_hold(context, subject).await?;
    let mut answer =
        answer::to_final_command(&service, StatusCode::CREATED, placed.position, placed.replayed).await;
    let location = (header::LOCATION, legal_hold::path(placed.hold.id));
    Ok(answer.insert_header(location).json(LegalHold::from(placed.hold)))
}
