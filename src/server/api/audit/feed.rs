//! A page of events: what the list, a client's history and a member's share.

use actix_web::HttpResponse;
use app::{Context, Fault};
use projections::audit_trail::{self, AuditPage};
use serde::Serialize;
use store::Position;
use utoipa::ToSchema;

use super::{Order, disclosed, question::Question, recorded};
use crate::{
    answer::Freshness, api::clients::get::Include, extract::page, problem::Problem,
    representation::AuditEvent, service::Service,
};

/// Some events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    pub(crate) items: Vec<AuditEvent>,
    /// With `order=desc` the `cursor` of the next page, null at the end. With `order=asc` the position to give as `after`
    /// or as `cursor`: always there, because the log goes on. A page can have fewer items than `limit` asks for, or none,
    /// and not be the last: only `next` says that.
    pub(crate) next: Option<String>,
}

/// A page that is asked for.
pub(crate) struct Feed {
    /// The name of what is read, in the records of reads and of opened private parts.
    pub(crate) what: &'static str,
    /// The stream that it is all about, if one.
    pub(crate) about: Option<String>,
    /// Only events of that stream itself, not what was refused for it or read of it.
    pub(crate) own: bool,
    /// Which list a cursor is of.
    pub(crate) scope: String,
    /// Whether `order=asc` never ends, so that the next event to come can be asked for.
    pub(crate) follows: bool,
    pub(crate) question: Question,
    pub(crate) order: Order,
    pub(crate) after: Option<u64>,
    pub(crate) limit: Option<usize>,
    pub(crate) cursor: Option<String>,
    pub(crate) include: Option<Include>,
}

impl Feed {
    /// The page.
    pub(crate) async fn answer(self, service: &Service, context: Context) -> Result<HttpResponse, Problem> {
        self.question.demand(service, &context).await?;
        let limit = page::limit(self.limit)?;
        let (after, before) = self.bounds(service).await?;
        self.question.check(service).await?;
        recorded(service, &context, self.question.recorded_as(self.what, self.about.as_deref())).await?;
        let page = AuditPage { order: self.order.into(), after, before, limit };
        let Self { what, about, own, scope, follows, question, order, include, .. } = self;
        let mut freshness = Freshness::OF_THE_LOG;
        let (items, next) = if follows && order == Order::Asc && question.is_empty() {
            // Replay tooling reads the log itself: no view that is behind or halted stands between.
            let found = service.app.log().read_all(after.unwrap_or_default(), limit).await;
            let found = found.map_err(Fault::from)?;
            let last = found.last().map(|event| event.position);
            let items = found.into_iter().map(|event| AuditEvent::new(event.position, &event.entry));
            (items.collect::<Result<Vec<_>, _>>()?, last.or(after))
        } else {
            freshness = Freshness::of(service, audit_trail::NAME).await;
            let (items, found) = question.search(service, &context, page).await?;
            let next = if follows && order == Order::Asc {
                // All there is was looked at: who polls goes on behind it.
                Some(found.rest.unwrap_or_else(|| found.end.max(after.unwrap_or_default())))
            } else {
                found.rest
            };
            let items = items.into_iter().map(|item| AuditEvent::new(item.position, &item.entry));
            let mut items = items.collect::<Result<Vec<_>, _>>()?;
            if let Some(stream) = about.as_deref().filter(|_| own) {
                items = of_stream(stream, items)?;
            }
            (items, next)
        };
        let items = match include {
            Some(Include::Private) => disclosed(service, context, what, about, items).await?,
            None => items,
        };
        let next = match (order, next) {
            (Order::Asc, next) if follows => Some(next.unwrap_or(Position::ORIGIN).to_string()),
            (Order::Asc | Order::Desc, Some(next)) => {
                Some(page::cursor(service.app.cursor_key(), &scope, &next)?)
            }
            (Order::Asc | Order::Desc, None) => None,
        };
        Ok(freshness.ok().json(Events { items, next }))
    }

    /// After which position it begins, and before which it ends.
    async fn bounds(&self, service: &Service) -> Result<(Option<Position>, Option<Position>), Problem> {
        let place = |cursor| page::place::<u64>(service.app.cursor_key(), &self.scope, cursor);
        let (after, before) = match (self.order, self.cursor.as_deref()) {
            (_, None) => (self.after, None),
            (Order::Desc, Some(cursor)) => (self.after, Some(Position::new(place(cursor)?))),
            (Order::Asc, Some(cursor)) if self.follows => (Some(position(cursor)?), None),
            (Order::Asc, Some(cursor)) => (Some(place(cursor)?), None),
        };
        if self.order == Order::Desc && self.after.is_some() {
            return Err(Problem::in_query(
                "after",
                "contradiction",
                "needs order=asc: newest first goes on by `cursor`",
            ));
        }
        let after = after.map(Position::new);
        if let Some(after) = after {
            not_beyond_the_end(service, after).await?;
        }
        Ok((after, before))
    }
}

/// Those that stand in the stream themselves.
fn of_stream(stream: &str, events: Vec<AuditEvent>) -> Result<Vec<AuditEvent>, Problem> {
    let mut kept = Vec::with_capacity(events.len());
    for event in events {
        if event.envelope()?.stream == stream {
            kept.push(event);
        }
    }
    Ok(kept)
}

/// Refuses a place that the log has not reached: who was further has followed another log, or this one before a restore.
pub(crate) async fn not_beyond_the_end(service: &Service, after: Position) -> Result<(), Problem> {
    let head = service.app.log().head().await.map_err(Fault::from)?;
    if after > head {
        return Err(Problem::in_query("after", "out_of_range", format!("the log ends at position {head}")));
    }
    Ok(())
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
