//! `GET /activity`: what clients did and what was refused to them, newest first, or forward from a position.

pub(crate) mod of_client;

use actix_web::{HttpResponse, http::StatusCode};
use app::{ACTIVITY_KINDS, AuditQuery, Context, Fault, activity_reasons};
use domain::{ClientId, Environment};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{ActivityFilter, ActivityPage, Outcome, Position};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::audit::{
    Order,
    parameters::{OutcomeName, check_period},
    recorded,
};
use crate::{
    extract::{Read, page, time},
    openapi::Operation,
    problem::Problem,
    representation::activity::ActivityRecord,
    service::Service,
};

/// Which records; all that is given must hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// The id of the client that was claimed.
    #[param(value_type = Option<String>, format = Uuid)]
    client: Option<ClientId>,
    /// The id of the secret or personal token that was used.
    secret: Option<String>,
    /// The id of the token that was issued, asked about or revoked.
    token: Option<String>,
    /// The id of the grant that the token belongs to.
    #[param(value_type = Option<String>, format = Uuid)]
    grant: Option<Uuid>,
    /// Who holds audit:read in one environment alone must name that one.
    environment: Option<String>,
    /// `authentication` of clients; `member_authentication`: a use of a personal token, once an hour each, and what was
    /// refused; `payload_signing`, `payload_verification`, `payload_encryption`, `payload_decryption`.
    kind: Option<String>,
    #[param(inline)]
    outcome: Option<OutcomeName>,
    /// Why it was refused.
    #[param(example = "revoked")]
    reason: Option<String>,
    /// Recorded then or later.
    #[serde(default, deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Recorded before then.
    #[serde(default, deserialize_with = "time")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
    /// `desc`, newest first, if left out; `asc` is the feed forward.
    #[serde(default)]
    #[param(inline)]
    order: Order,
    /// Only records after this position of the activity log; needs `order=asc`.
    after: Option<u64>,
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// Some of the activity.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Activities {
    items: Vec<ActivityRecord>,
    /// With `order=desc` the `cursor` of the next page, null at the end. With `order=asc` always there: the log goes on.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Search what clients did, or follow it forward")
        .parameters::<Parameters>()
        .json::<Activities>(StatusCode::OK, "Some of the activity")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { service, parameters, context, .. } = read;
    let asked = parameters.question("activity");
    Ok(HttpResponse::Ok().json(found(&service, &context, asked, "activity", parameters).await?))
}

impl Parameters {
    /// Refuses what names nothing there is, for an empty list would hide the typing error.
    async fn check(&self, service: &Service) -> Result<(), Problem> {
        check_period(self.from, self.to)?;
        for (name, given, known) in
            [("kind", &self.kind, ACTIVITY_KINDS.to_vec()), ("reason", &self.reason, activity_reasons())]
        {
            if given.as_ref().is_some_and(|given| !known.contains(&given.as_str())) {
                return Err(Problem::none_like_it(
                    name,
                    &known.into_iter().map(str::to_owned).collect::<Vec<_>>(),
                ));
            }
        }
        let Some(environment) = &self.environment else { return Ok(()) };
        let known = service.is_recorded(Environment::CATEGORY, environment).await?;
        if known {
            Ok(())
        } else {
            Err(Problem::in_query("environment", "unknown", "there is no such environment"))
        }
    }

    /// What is asked, without the place where its page begins.
    fn question(&self, what: &'static str) -> AuditQuery {
        AuditQuery::of(what)
            .id("client", self.client)
            .secret_id("secret", self.secret.as_ref())
            .secret_id("token", self.token.as_ref())
            .filter("grant", self.grant)
            .filter("environment", self.environment.as_ref())
            .filter("kind", self.kind.as_ref())
            .filter("outcome", self.outcome.map(|outcome| Outcome::from(outcome).as_str()))
            .filter("reason", self.reason.as_ref())
            .filter("from", self.from)
            .filter("to", self.to)
    }
}

/// The records that the parameters ask for, in the list `scope`. What names nothing there is, is refused before the question
/// is recorded: it may be anything.
async fn found(
    service: &Service,
    context: &Context,
    asked: AuditQuery,
    scope: &str,
    parameters: Parameters,
) -> Result<Activities, Problem> {
    let limit = page::limit(parameters.limit)?;
    parameters.check(service).await?;
    let (order, cursors) = (parameters.order, service.app.cursor_key());
    if order == Order::Desc && parameters.after.is_some() {
        let detail = "needs order=asc: newest first goes on by `cursor`";
        return Err(Problem::in_query("after", "contradiction", detail));
    }
    let scope = format!("{scope}/{}", order.as_str());
    let place: Option<Position> =
        parameters.cursor.as_deref().map(|cursor| page::place(cursors, &scope, cursor)).transpose()?;
    let after = place.or(parameters.after.map(Position::new)).unwrap_or(Position::ORIGIN);
    recorded(service, context, asked).await?;
    let page = match order {
        // One more than asked for tells whether there is a next page.
        Order::Desc => {
            ActivityPage { ascending: false, after: Position::ORIGIN, before: place, limit: limit + 1 }
        }
        Order::Asc => ActivityPage { ascending: true, after, before: None, limit },
    };
    let mut records = service.app.activity().read(&parameters.into(), page).await.map_err(Fault::from)?;
    let more = records.len() > limit;
    records.truncate(limit);
    let last = records.last().map(|record| record.position);
    let next = match (order, last) {
        (Order::Desc, Some(last)) if more => Some(last),
        (Order::Desc, _) => None,
        (Order::Asc, last) => Some(last.unwrap_or(after)),
    };
    let next = next.map(|place| page::cursor(cursors, &scope, &place)).transpose()?;
    Ok(Activities { items: records.into_iter().map(Into::into).collect(), next })
}

impl From<Parameters> for ActivityFilter {
    fn from(parameters: Parameters) -> Self {
        Self {
            kind: parameters.kind,
            outcome: parameters.outcome.map(Into::into),
            reason: parameters.reason,
            environment: parameters.environment,
            client: parameters.client.map(|client| client.to_string()),
            credential: parameters.secret,
            token: parameters.token,
            grant: parameters.grant.map(|grant| grant.to_string()),
            source_tokens: None,
            from: parameters.from,
            to: parameters.to,
        }
    }
}
