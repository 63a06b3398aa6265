//! A legal hold.

use domain::{LegalHoldId, legal_hold::HoldSubject};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A legal hold as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LegalHold {
    #[schema(value_type = String, format = Uuid)]
    legal_hold_id: LegalHoldId,
    /// `client_id`, `person_id`, or `everything`.
    #[schema(value_type = Object)]
    subject: HoldSubject,
    /// The public reference to the case that it is for.
    ticket: String,
    /// Whether it holds.
    active: bool,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    placed_at: Timestamp,
    /// Null as long as it holds.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    released_at: Option<Timestamp>,
}

impl From<domain::legal_hold::LegalHold> for LegalHold {
    fn from(hold: domain::legal_hold::LegalHold) -> Self {
        Self {
            legal_hold_id: hold.id,
            subject: hold.subject,
            ticket: hold.ticket,
            active: hold.released_at.is_none(),
            placed_at: hold.placed_at,
            released_at: hold.released_at,
        }
    }
}

/// The path of a legal hold.
pub(crate) fn path(id: LegalHoldId) -> String {
    format!("/api/v1/legal_holds/{id}")
}
