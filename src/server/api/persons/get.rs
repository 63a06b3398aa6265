//! `GET /persons/{person_id}`: where somebody is named, by pseudonym; never who it is.

use actix_web::{HttpResponse, http::StatusCode};
use app::AuditQuery;
use domain::{ClientId, PersonId, erasure::PersonKind};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::audit::recorded,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::LegalHold,
};

/// What is held of a person.
#[derive(Debug, Serialize, ToSchema)]
struct Person {
    #[schema(value_type = String, format = Uuid)]
    person_id: PersonId,
    #[schema(value_type = String, pattern = "^(contact|member)$")]
    kind: PersonKind,
    erased: bool,
    /// Null if it is not erased.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    erased_at: Option<Timestamp>,
    /// Clients that name the person as a contact, or did.
    clients: Vec<Naming>,
    /// The oldest legal hold that keeps it from being erased; null if none does.
    legal_hold: Option<LegalHold>,
}

/// A client that names a person.
#[derive(Debug, Serialize, ToSchema)]
struct Naming {
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    /// Whether it still does.
    now: bool,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Where somebody is named, by pseudonym")
        .json::<Person>(StatusCode::OK, "What is held, never who it is")
        .problems(&[Kind::NotFound, Kind::Busy])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let Read { http, service, context, .. } = read;
    let person_id = path::person_id(&http)?;
    recorded(&service, &context, AuditQuery::of("person").filter("person_id", Some(person_id))).await?;
    let person = service.app.person(person_id).await?;
    let clients = person.clients.into_iter().map(|(client_id, now)| Naming { client_id, now });
    Ok(HttpResponse::Ok().json(Person {
        person_id,
        kind: person.kind,
        erased: person.erased_at.is_some(),
        erased_at: person.erased_at,
        clients: clients.collect(),
        legal_hold: person.legal_hold.map(LegalHold::from),
    }))
}
