//! `GET /environments/{environment}/clients/{client_id}/history`: everything that happened to a client, deleted or not.

use actix_web::{HttpResponse, http::StatusCode};
use domain::{Client, ClientId};
use store::{RecordedEvent, Revision, StreamName};

use super::{get::Include, viewed};
use crate::{
    api::audit::{
        Order, disclosed,
        feed::{Events, Feed},
        parameters::filtered,
        recorded,
    },
    extract::{Read, page, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::AuditEvent,
    service::Service,
};

/// What it is called in the records of reads and of opened private parts.
const WHAT: &str = "client.history";

filtered! {
    /// Which part of it; all that is given must hold.
    struct Parameters {
        /// `desc`, newest first, if left out.
        #[serde(default)]
        #[param(inline)]
        order: Order,
        /// How many.
        #[param(minimum = 1, maximum = 500, default = 50)]
        limit: Option<usize>,
        /// Where to go on: the `next` of the page before.
        cursor: Option<String>,
        /// `private` opens private parts; needs audit:read_private, and is recorded.
        #[param(inline)]
        include: Option<Include>,
    }
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Everything that happened to a client")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Events>(StatusCode::OK, "Some of its events")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, mut parameters, context, .. } = read;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let (row, freshness) = viewed(&service, &environment, client_id).await?;
    let mut question = parameters.question(None, None)?;
    let Parameters { order, limit, cursor, include, .. } = parameters;
    let stream = format!("{}-{client_id}", Client::CATEGORY);
    if !question.is_empty() {
        question.filter.subject = Some(stream.clone());
        let feed = Feed {
            what: WHAT,
            about: Some(stream),
            own: true,
            scope: format!("history/{client_id}/{}/filtered", order.as_str()),
            follows: false,
            question,
            order,
            after: None,
            limit,
            cursor,
            include,
        };
        return feed.answer(&service, context).await;
    }
    let limit = page::limit(limit)?;
    recorded(&service, &context, question.recorded_as(WHAT, Some(&stream))).await?;
    let scope = format!("history/{client_id}/{}", order.as_str());
    let cursors = service.app.cursor_key();
    let from: Option<Revision> = cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let window = match order {
        Order::Asc => Window::after(from.unwrap_or(Revision::NONE), limit, row.revision),
        Order::Desc => Window::before(from.unwrap_or(row.revision.next()), limit),
    };
    let mut events = window.read(&service, client_id).await?;
    if order == Order::Desc {
        events.reverse();
    }
    let items = events.into_iter().map(|event| AuditEvent::new(event.position, &event.entry));
    let mut items = items.collect::<Result<Vec<_>, _>>()?;
    if include.is_some() {
        items = disclosed(&service, context, WHAT, Some(stream), items).await?;
    }
    let next = window.rest.map(|place| page::cursor(cursors, &scope, &place)).transpose()?;
    Ok(freshness.ok().json(Events { items, next }))
}

/// Some revisions of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// They begin after this one.
    after: Revision,
    count: usize,
    /// Where the next window of the same direction begins.
    rest: Option<Revision>,
}

impl Window {
    /// The `limit` revisions after `after` of a stream that ends at `end`.
    fn after(after: Revision, limit: usize, end: Revision) -> Self {
        let last = Revision::new(after.get() + limit as u64).min(end);
        let count = usize::try_from(last.get().saturating_sub(after.get())).unwrap_or(limit);
        Self { after, count, rest: (last < end).then_some(last) }
    }

    /// The `limit` revisions before `before`.
    fn before(before: Revision, limit: usize) -> Self {
        let last = before.get().saturating_sub(1);
        let after = last.saturating_sub(limit as u64);
        let count = usize::try_from(last - after).unwrap_or(limit);
        Self { after: Revision::new(after), count, rest: (after > 0).then(|| Revision::new(after + 1)) }
    }

    async fn read(self, service: &Service, client_id: ClientId) -> Result<Vec<RecordedEvent>, Problem> {
        let stream = StreamName::new(Client::CATEGORY, &client_id.to_string());
        let stream = stream.map_err(|_| path::not_found("client"))?;
        if self.count == 0 {
            return Ok(Vec::new());
        }
        Ok(service.app.log().read_stream(&stream, self.after, self.count).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Revision, Window};

    fn window(after: u64, count: usize, rest: Option<u64>) -> Window {
        Window { after: Revision::new(after), count, rest: rest.map(Revision::new) }
    }

    #[test]
    fn pages_forward_meet_without_gap_or_overlap() {
        let end = Revision::new(5);
        assert_eq!(Window::after(Revision::NONE, 2, end), window(0, 2, Some(2)));
        assert_eq!(Window::after(Revision::new(2), 2, end), window(2, 2, Some(4)));
        assert_eq!(Window::after(Revision::new(4), 2, end), window(4, 1, None));
        assert_eq!(Window::after(Revision::new(9), 2, end), window(9, 0, None));
    }

    #[test]
    fn pages_backward_meet_without_gap_or_overlap() {
        assert_eq!(Window::before(Revision::new(6), 2), window(3, 2, Some(4)));
        assert_eq!(Window::before(Revision::new(4), 2), window(1, 2, Some(2)));
        assert_eq!(Window::before(Revision::new(2), 2), window(0, 1, None));
        assert_eq!(Window::before(Revision::new(1), 2), window(0, 0, None));
    }
}
