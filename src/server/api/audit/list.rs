//! `GET /audit/events`: what an auditor asks for, newest first; or the whole log forward, for replay tooling.

use actix_web::{HttpResponse, http::StatusCode};
use app::{AuditQuery, Fault};
use jiff::Timestamp;
use projections::audit_trail::{self, AuditFilter, AuditPage};
use serde::{Deserialize, Serialize};
use store::{Outcome, Position};
use utoipa::{IntoParams, ToSchema};

use super::{Order, disclosed, recorded};
use crate::{
    answer::Freshness,
    api::clients::get::Include,
    extract::{Read, page},
    openapi::Operation,
    problem::Problem,
    representation::AuditEvent,
};

const CURSORS: &str = "audit";

/// Which events; all that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The id of the actor.
    actor: Option<String>,
    /// The id of the client that it is about; what was refused for it is found too.
    client: Option<String>,
    /// The type of the event.
    #[param(example = "client.secret_rotated")]
    r#type: Option<String>,
    environment: Option<String>,
    /// The id of the member who answers for the client.
    responsible: Option<String>,
    /// Recorded then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Recorded before then.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    #[param(inline)]
    outcome: Option<OutcomeName>,
    /// The reference to a case elsewhere.
    ticket: Option<String>,
    request_id: Option<String>,
    /// `desc`, newest first, if left out; `asc` is the feed forward.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// Only events after this position.
    after: Option<u64>,
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
    /// `private` opens private parts; needs audit:read_private, and is recorded.
    #[param(inline)]
    include: Option<Include>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeName {
    Done,
    Refused,
}

impl OutcomeName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// Some events.
#[derive(Debug, Serialize, ToSchema)]
struct Events {
    items: Vec<AuditEvent>,
    /// With `order=desc` the `cursor` of the next page, null at the end. With `order=asc` the position to give as `after`
    /// or as `cursor`: always there, because the log goes on.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Search the audit, or follow the log forward")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Events>(StatusCode::OK, "Some of the events")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { service, parameters, context, .. } = read;
    let limit = page::limit(parameters.limit)?;
    let cursors = service.app.cursor_key();
    let (order, include) = (parameters.order, parameters.include);
    let (after, before) = match (order, parameters.cursor.as_deref()) {
        (_, None) => (parameters.after, None),
        (Order::Desc, Some(cursor)) => (parameters.after, Some(page::place(cursors, CURSORS, cursor)?)),
        (Order::Asc, Some(cursor)) => (Some(position(cursor)?), None),
    };
    let after = after.map(Position::new);
    if order == Order::Desc && parameters.after.is_some() {
        return Err(Problem::in_query(
            "after",
            "contradiction",
            "needs order=asc: newest first goes on by `cursor`",
        ));
    }
    if let Some(after) = after {
        let head = service.app.log().head().await.map_err(Fault::from)?;
        if after > head {
            // Who was further than this log goes has followed another one, or this one before a restore.
            return Err(Problem::in_query(
                "after",
                "out_of_range",
                format!("the log ends at position {head}"),
            ));
        }
    }
    recorded(&service, &context, parameters.question()).await?;
    // One more than asked for tells whether there is a next page.
    let page = AuditPage { order: order.into(), after, before, limit: limit + 1 };
    let mut freshness = Freshness::OF_THE_LOG;
    let mut found = if order == Order::Asc && parameters.asks_for_everything() {
        // Replay tooling reads the log itself: no view that is behind or halted stands between.
        let events = service.app.log().read_all(after.unwrap_or_default(), limit).await;
        events.map_err(Fault::from)?.into_iter().map(|event| (event.position, event.entry)).collect()
    } else {
        freshness = Freshness::of(&service, audit_trail::NAME).await;
        let found = service.views.audit(parameters.into(), page).await?;
        found.into_iter().map(|item| (item.position, item.entry)).collect::<Vec<_>>()
    };
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|(position, _)| *position);
    let next = match (order, last) {
        (Order::Desc, Some(last)) if more => Some(page::cursor(cursors, CURSORS, &last)?),
        (Order::Desc, _) => None,
        (Order::Asc, last) => Some(last.or(after).unwrap_or(Position::ORIGIN).to_string()),
    };
    let items = found.into_iter().map(|(position, entry)| AuditEvent::new(position, entry));
    let mut items = items.collect::<Result<Vec<_>, _>>()?;
    if include.is_some() {
        items = disclosed(&service, context, "audit.events", None, items).await?;
    }
    Ok(freshness.ok().json(Events { items, next }))
}

impl Parameters {
    fn asks_for_everything(&self) -> bool {
        let words =
            [&self.actor, &self.client, &self.r#type, &self.environment, &self.responsible, &self.ticket];
        words.iter().all(|word| word.is_none())
            && self.request_id.is_none()
            && self.outcome.is_none()
            && self.from.is_none()
            && self.to.is_none()
    }

    /// What is asked, without the place where its page begins.
    fn question(&self) -> AuditQuery {
        AuditQuery::of("audit.events")
            .filter("actor", self.actor.as_ref())
            .filter("client", self.client.as_ref())
            .filter("type", self.r#type.as_ref())
            .filter("environment", self.environment.as_ref())
            .filter("responsible", self.responsible.as_ref())
            .filter("from", self.from)
            .filter("to", self.to)
            .filter("outcome", self.outcome.map(OutcomeName::as_str))
            .filter("ticket", self.ticket.as_ref())
            .filter("request_id", self.request_id.as_ref())
    }
}

fn position(cursor: &str) -> Result<u64, Problem> {
    let needed = "must be a position: the `next` that the feed gave out";
    cursor.parse().map_err(|_| Problem::in_query("cursor", "malformed", needed))
}

impl From<Order> for audit_trail::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::Desc => Self::Descending,
            Order::Asc => Self::Ascending,
        }
    }
}

impl From<Parameters> for AuditFilter {
    fn from(parameters: Parameters) -> Self {
        Self {
            actor: parameters.actor,
            client: parameters.client,
            event_type: parameters.r#type,
            environment: parameters.environment,
            from: parameters.from,
            to: parameters.to,
            outcome: parameters.outcome.map(|outcome| match outcome {
                OutcomeName::Done => Outcome::Done,
                OutcomeName::Refused => Outcome::Refused,
            }),
            ticket: parameters.ticket,
            request_id: parameters.request_id,
            responsible: parameters.responsible,
        }
    }
}
