//! `GET /me`: who the token makes its bearer.

use actix_web::{HttpResponse, http::StatusCode};
use app::Actor;
use domain::MemberId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    extract::Read,
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Rights,
};

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
struct Me {
    #[schema(value_type = String, format = Uuid)]
    member_id: MemberId,
    /// The token; left out for who has signed in instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    /// What both the member's roles and the token allow.
    #[serde(flatten)]
    rights: Rights,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Who the token makes its bearer")
        .json::<Me>(StatusCode::OK, "The member and the token")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let principal = match read.actor {
        Actor::Member(principal) => principal,
        Actor::Host { .. } | Actor::Client { .. } | Actor::System | Actor::Anonymous => {
            return Err(Problem::new(Kind::NotFound).detail("who asks at the host is no member"));
        }
    };
    Ok(HttpResponse::Ok().json(Me {
        member_id: principal.member,
        token_id: principal.via.token().map(ToString::to_string),
        rights: Rights::from(&principal.rights),
    }))
}
