//! `GET /audit/follow`: the log as it grows, as server-sent events (HTML living standard, section 9.2).
//!
//! Read from the log itself, so that no view that is behind or halted stands between. Whoever was cut off goes on where
//! it stopped, by `Last-Event-ID`: nothing is kept for a follower but its place.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Bytes, Data},
};
use app::{Context, Fault};
use futures_util::stream;
use store::{Position, RecordedEvent, Subscription};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use utoipa::ToSchema;

use super::{
    feed::not_beyond_the_end,
    parameters::{self, filtered},
    question::Question,
    recorded,
    standing::demand_again,
};
use crate::{
    extract::Read,
    openapi::Operation,
    problem::Problem,
    representation::{AuditEvent, audit::corrupt},
    service::Service,
};

/// A sign of life, so that neither side nor a proxy between takes silence for the end.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Who takes nothing for this long while there is more is cut off.
const PATIENCE: Duration = Duration::from_secs(30);
/// Events that are read at a time: a slow reader keeps no more than these in memory.
const PAGE: usize = 50;
const LAST_EVENT_ID: &str = "Last-Event-ID";

filtered! {
    /// Which events; all that is given must hold.
    struct Parameters {
        /// Begin after this position; with what comes next, if left out. The header `Last-Event-ID` goes before it.
        after: Option<u64>,
        /// The id of the client that it is about; what is refused for it is told too.
        #[param(value_type = Option<String>, format = Uuid)]
        client: Option<domain::ClientId>,
        /// The stream that it is about, in place of `client`.
        #[param(example = "environment-sandbox")]
        subject: Option<String>,
        /// Who holds audit:read in one environment alone must name that one.
        environment: Option<String>,
    }
}

/// One of the events that are sent, as [server-sent events] have it.
///
/// [server-sent events]: https://html.spec.whatwg.org/multipage/server-sent-events.html
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is written as text")]
struct Told {
    /// The position.
    id: Option<String>,
    /// Left out, or `end`.
    event: Option<String>,
    /// An event of the audit as JSON.
    data: String,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Follow the log as it grows, as server-sent events")
        .parameters::<Parameters>()
        .server_sent_events::<Told>("Events as they are recorded; one called `end` says why no more come")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, mut parameters, context, .. } = read;
    let subject = parameters::subject(parameters.client, parameters.subject.take())?;
    let environment = parameters.environment.take();
    let question = parameters.question(subject, environment)?;
    question.demand(&service, &context).await?;
    question.check(&service).await?;
    let after = match last_event_id(&http)?.or(parameters.after.map(Position::new)) {
        Some(after) => after,
        None => service.app.log().head().await.map_err(Fault::from)?,
    };
    not_beyond_the_end(&service, after).await?;
    recorded(&service, &context, question.recorded_as("audit.follow", None)).await?;
    let follower = Follower {
        subscription: service.app.log().subscribe(after),
        stopping: service.stopping(),
        service,
        http,
        context,
        question,
        position: after,
        beat: Instant::now(),
        handed_out: None,
        ended: false,
    };
    let body = stream::unfold(follower, |mut follower| async move {
        let text = follower.next().await?;
        Some((Ok::<_, std::io::Error>(Bytes::from(text)), follower))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // Proxies that buffer would hold back what is meant to be seen at once.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}

fn last_event_id(http: &HttpRequest) -> Result<Option<Position>, Problem> {
    let Some(value) = http.headers().get(LAST_EVENT_ID) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.trim().parse().ok()).map(Position::new);
    let position =
        position.ok_or_else(|| Problem::in_header(LAST_EVENT_ID, "must be a position, like 42"))?;
    Ok(Some(position))
}

/// Somebody who follows.
struct Follower {
    subscription: Subscription,
    stopping: watch::Receiver<bool>,
    service: Data<Service>,
    /// Whose token is looked at again and again: a revoked one must not go on reading.
    http: HttpRequest,
    context: Context,
    question: Question,
    /// The last one that was looked at.
    position: Position,
    /// When the next sign of life is due.
    beat: Instant,
    /// When something was handed out last: the next call comes when the reader has taken it.
    handed_out: Option<Instant>,
    ended: bool,
}

impl Follower {
    /// What is sent next; `None` after the end.
    async fn next(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        let taken_after = self.handed_out.map(|handed_out| handed_out.elapsed());
        let text = if taken_after.is_some_and(|taken_after| taken_after > PATIENCE) {
            self.end("too_slow")
        } else {
            self.wait().await
        };
        self.handed_out = Some(Instant::now());
        Some(text)
    }

    async fn wait(&mut self) -> String {
        loop {
            let mut stopping = self.stopping.clone();
            let next = tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return self.end("stopping"),
                () = sleep_until(self.beat) => None,
                page = self.subscription.next_page(PAGE) => Some(page),
            };
            if let Some(reason) = self.refused().await {
                return self.end(reason);
            }
            match next {
                None => {
                    self.beat = Instant::now() + HEARTBEAT;
                    // An id without data is told to nobody, and yet it is where a follower goes on.
                    return format!(": alive\nid: {}\n\n", self.position);
                }
                Some(Err(_)) => return self.end("unavailable"),
                Some(Ok(page)) => match self.told(page).await {
                    Ok(text) if text.is_empty() => tokio::task::yield_now().await,
                    Ok(text) => return text,
                    Err(problem) => {
                        tracing::error!(cause = problem.cause(), "an event cannot be told to a follower");
                        return self.end(problem.kind().slug());
                    }
                },
            }
        }
    }

    /// The events of a page that the filter lets through.
    async fn told(&mut self, page: Vec<RecordedEvent>) -> Result<String, Problem> {
        let filter = self.question.filter_of(&self.service, &self.context, &page).await?;
        let mut text = String::new();
        for event in page {
            self.position = event.position;
            if filter.lets_through(event.position, &event.entry).map_err(corrupt)? {
                let position = event.position;
                let event =
                    serde_json::to_string(&AuditEvent::new(position, &event.entry)?).map_err(corrupt)?;
                text.push_str(&format!("id: {position}\ndata: {event}\n\n"));
            }
        }
        Ok(text)
    }

    /// Why the token may not go on, if it may not.
    async fn refused(&self) -> Option<&'static str> {
        let Self { service, http, context, question, .. } = self;
        demand_again(service, http, context, question, false).await.err().map(|problem| problem.kind().slug())
    }

    /// The last thing that is sent.
    fn end(&mut self, reason: &str) -> String {
        self.ended = true;
        format!("event: end\ndata: {{\"reason\":\"{reason}\",\"position\":{}}}\n\n", self.position)
    }
}
