//! `POST /members/{member_id}/hand_over`: another member answers for the clients that this one answered for.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use domain::{MemberId, Reach};
use projections::clients;
use serde::{Deserialize, Serialize};
use store::Position;
use utoipa::ToSchema;

use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// Clients that one request hands over at most: they are one commit.
const MOST: usize = 100;

/// Who answers for them from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HandOver {
    /// An active member.
    #[schema(value_type = String, format = Uuid)]
    to: MemberId,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(HandOver);

/// One step of a hand-over.
#[derive(Debug, Serialize, ToSchema)]
struct HandedOver {
    /// Clients that this request handed over, at most 100; each has an event of its own.
    handed_over: u64,
    /// Clients that the member still answers for: ask again, under another `Idempotency-Key` if there is one, until it is
    /// 0. If the answer says `Muniment-Views: behind`, some of those that were handed over may be among them.
    left: u64,
    /// The position at which it was so.
    #[schema(value_type = u64)]
    position: Position,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let another member answer for the next 100 of this member's clients, in every environment")
        .body::<HandOver>()
        .json::<HandedOver>(StatusCode::OK, "How many were handed over, and how many are left")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<HandOver>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let member_id = path::member_id(&http)?;
    // Where to look, not what to decide: each client is decided on by its own stream.
    let page = service
        .views
        .read(move |reader| clients::responsibilities(reader, member_id, Reach::Everywhere, None, None, MOST))
        .await?;
    let candidates = page.items.iter().map(|row| row.client_id).collect();
    let app::HandedOver { clients: handed_over, position, replayed } =
        service.app.hand_over(context, member_id, body.to, candidates).await?;
    let mut answer = answer::to_final_command(&service, StatusCode::OK, position, replayed).await;
    let left = service.views.read(move |reader| clients::count_responsibilities(reader, member_id)).await?;
    Ok(answer.json(HandedOver { handed_over, left, position }))
}
