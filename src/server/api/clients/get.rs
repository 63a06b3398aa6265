//! `GET /environments/{environment}/clients/{client_id}`: one client, now or at any moment of the past.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::{App, Fault};
use domain::{ClientId, client::Status};
use jiff::Timestamp;
use projections::as_of::{self, Moment};
use serde::Deserialize;
use store::Position;
use utoipa::{IntoParams, ToSchema};

use super::viewed;
use crate::{
    answer::{self, Freshness},
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Client, audit::corrupt},
    service::Service,
};

/// When, and how much.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The client as it was then: a time of RFC 3339, or a position of the log.
    #[param(example = "2026-11-20T22:13:25.123456Z")]
    at: Option<String>,
    /// `private` names the contacts; needs audit:read_private, and is recorded.
    #[param(inline)]
    include: Option<Include>,
}

/// What is left out unless it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Include {
    /// What tells about people.
    Private,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One client, now or as it was")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, context, .. } = read;
    let environment = path::environment(&http)?;
    let client_id = path::client_id(&http)?;
    let ((row, freshness), now) = match parameters.at.as_deref() {
        None => (viewed(&service, &environment, client_id).await?, service.app.log().now()),
        Some(_) if parameters.include.is_some() => {
            let detail = "contacts are opened as they are now: leave out `at`, or read the history with include=private";
            return Err(Problem::in_query("include", "contradiction", detail));
        }
        Some(at) => {
            let moment = past(&service.app, moment(at)?).await?;
            let row = as_of::client_as_of(service.app.log().as_ref(), client_id, moment).await?;
            let row = row.filter(|row| row.client.environment == environment);
            let row = row.ok_or_else(|| path::not_found("client"))?;
            ((row, Freshness::OF_THE_LOG), time_of(&service.app, moment).await?)
        }
    };
    if row.client.status == Status::Deleted {
        return Err(freshness.problem(gone(http.path())));
    }
    let mut client = Client::viewed(&service, &row, now);
    if parameters.include.is_some() {
        client.name_contacts(&opened(&service, context, client_id).await?);
    }
    Ok(freshness.ok().insert_header((header::ETAG, answer::etag(row.revision))).json(client))
}

async fn opened(
    service: &Service,
    context: app::Context,
    client_id: ClientId,
) -> Result<Vec<serde_json::Value>, Problem> {
    Ok(service.app.open_contacts(context, client_id).await?)
}

/// The client was deleted; `path` is where it was.
pub(super) fn gone(path: &str) -> Problem {
    let detail = "it was deleted: `history` says by whom, and `?at=` shows it as it was before";
    Problem::new(Kind::Gone)
        .detail(detail)
        .member("resource", "client")
        .member("history", format!("{path}/history"))
}

/// A position if it is a number, else a time.
pub(crate) fn moment(at: &str) -> Result<Moment, Problem> {
    if let Ok(position) = at.parse() {
        return Ok(Moment::Position(Position::new(position)));
    }
    // A `+` of an offset that was not percent-encoded has become a blank.
    let time = at.replace(' ', "+").parse().map(Moment::Time);
    time.map_err(|_| {
        Problem::in_query("at", "malformed", "must be a time like 2026-11-20T22:13:25.123456Z, or a position")
    })
}

/// Refuses a moment that has not been: an answer would pass what is for what was.
async fn past(app: &App, moment: Moment) -> Result<Moment, Problem> {
    let (head, now) = (app.log().head().await.map_err(Fault::from)?, app.log().now());
    match moment {
        Moment::Position(position) if position > head => {
            Err(Problem::in_query("at", "out_of_range", format!("the log ends at position {head}")))
        }
        Moment::Time(time) if time > now => Err(Problem::in_query("at", "out_of_range", "is in the future")),
        Moment::Position(_) | Moment::Time(_) => Ok(moment),
    }
}

/// The time that a moment stands for: the states of secrets are judged by it.
async fn time_of(app: &App, moment: Moment) -> Result<Timestamp, Problem> {
    let position = match moment {
        Moment::Time(time) => return Ok(time),
        Moment::Position(position) => position,
    };
    let before = Position::new(position.get().saturating_sub(1));
    match app.log().read_all(before, 1).await?.first() {
        Some(event) => Ok(event.envelope().map_err(corrupt)?.at),
        // Position 0 is before the first event.
        None => Ok(app.log().now()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Position, moment};

    #[test]
    fn a6_a_moment_is_a_position_or_a_time() {
        let time = "2026-11-20T22:13:25.123456Z".parse().map(Moment::Time).unwrap();
        assert_eq!(moment("42").unwrap(), Moment::Position(Position::new(42)));
        assert_eq!(moment("2026-11-20T22:13:25.123456Z").unwrap(), time);
        assert_eq!(moment("2026-11-20T23:13:25.123456 01:00").unwrap(), time);
        for text in ["", "yesterday", "-1", "2026-11-20"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }
}
