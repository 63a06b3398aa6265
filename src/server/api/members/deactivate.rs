//! `POST /members/{member_id}/deactivate`: lets none of a member's tokens work until it is enabled.

use actix_web::{HttpResponse, http::StatusCode};
use projections::clients;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Member,
};

/// A member who cannot act any more.
#[derive(Serialize, ToSchema)]
struct DeactivatedMember {
    #[serde(flatten)]
    member: Member,
    /// How many clients it still answers for: `hand_over` lets another member do so.
    responsible_for: u64,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let none of a member's tokens work until it is enabled")
        .optional_body::<Why>()
        .json::<DeactivatedMember>(StatusCode::OK, "The member, and how many clients it still answers for")
        .problems(&[Kind::NotFound, Kind::GrantExceeds, Kind::MemberNotActive, Kind::LastAdministrator])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let member_id = path::member_id(&http)?;
    let member = service.app.deactivate_member(context, member_id).await?;
    let mut answer = answer::to_command(&service, StatusCode::OK, &member).await;
    let count = move |reader: &_| clients::count_responsibilities(reader, member_id);
    let responsible_for = service.views.read(count).await?;
    Ok(answer.json(DeactivatedMember { member: Member::new(&service, &member), responsible_for }))
}
