//! `GET /environments/{environment}/clients`: the clients of an environment, newest first.

use actix_web::{HttpResponse, http::StatusCode};
use domain::{ClientType, Environment, EnvironmentName, Member, MemberId, ScopeDefinition, client::Status};
use jiff::{SignedDuration, Timestamp};
use projections::{
    NounPage, catalog,
    clients::{self, ClientRow, Key, ListFilter},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Freshness,
    extract::{Read, page, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
    service::Service,
};

/// Pages of clients that one request goes through at most for those that are dormant.
const MOST_PAGES_LOOKED_AT: usize = 20;

/// Names that a refusal of an unknown one gives at most.
const MOST_NAMED: usize = 100;

/// Which clients.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Part of the name, whatever its case, or a whole client id.
    q: Option<String>,
    /// Only clients of this status; deleted ones are listed only when asked for.
    #[param(value_type = Option<String>, pattern = "^(active|inactive|deleted)$")]
    status: Option<Status>,
    /// Only clients of the type with this name.
    r#type: Option<String>,
    /// Only clients that this member answers for.
    #[param(value_type = Option<String>, format = Uuid)]
    responsible: Option<MemberId>,
    /// Only clients that hold the scope with this name.
    scope: Option<String>,
    /// Only clients that were made at least so many days ago and have not used a secret since then. A page may then be
    /// shorter than `limit` though another one follows.
    #[param(minimum = 0, maximum = 36500)]
    unused_for_days: Option<u16>,
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// A hundred years.
const LONGEST_DORMANT_DAYS: u16 = 36_500;

/// Some of a list of clients.
#[derive(Debug, Serialize, ToSchema)]
struct Clients {
    items: Vec<Client>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List clients, newest first")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Clients>(StatusCode::OK, "Some of the list")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, .. } = read;
    let environment = path::environment(&http)?;
    let scope = format!("clients/{environment}");
    let limit = page::limit(parameters.limit)?;
    let cursors = service.app.cursor_key();
    let mut after: Option<Key> =
        parameters.cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let filter = ListFilter {
        q: parameters.q,
        status: parameters.status,
        client_type: parameters.r#type,
        responsible: parameters.responsible,
        scope: parameters.scope,
        ..ListFilter::default()
    };
    check_known(&service, &filter).await?;
    let now = service.app.log().now();
    let dormant_since = parameters.unused_for_days.map(|days| dormant_since(now, days)).transpose()?;
    let freshness = Freshness::of(&service, clients::NAME).await;
    let mut rows = Vec::new();
    for _ in 0..MOST_PAGES_LOOKED_AT {
        let (listed, filter, wanted) = (environment.clone(), filter.clone(), limit - rows.len());
        let page =
            service.views.read(move |reader| clients::list(reader, &listed, &filter, after, wanted)).await?;
        after = page.next;
        rows.extend(match dormant_since {
            Some(since) => dormant(&service, page.items, since).await?,
            None => page.items,
        });
        if after.is_none() || rows.len() == limit {
            break;
        }
    }
    if rows.is_empty() && after.is_none() && !exists(&service, &environment).await? {
        return Err(path::not_found("environment"));
    }
    let mut items: Vec<_> = rows.iter().map(|row| Client::viewed(&service, row, now)).collect();
    Client::show_uses(&service, &mut items).await?;
    let next = after.map(|key| page::cursor(cursors, &scope, &key)).transpose()?;
    Ok(freshness.ok().json(Clients { items, next }))
}

/// Refuses what names nothing there is, for an empty list would hide the typing error.
async fn check_known(service: &Service, filter: &ListFilter) -> Result<(), Problem> {
    if let Some(name) = &filter.client_type
        && !service.is_recorded(ClientType::CATEGORY, name).await?
    {
        let known = service.views.read(|reader| catalog::client_types(reader, None, MOST_NAMED)).await?;
        return Err(Problem::none_like_it("type", &names(known)));
    }
    if let Some(name) = &filter.scope
        && !service.is_recorded(ScopeDefinition::CATEGORY, name).await?
    {
        let known = service.views.read(|reader| catalog::scopes(reader, None, MOST_NAMED)).await?;
        return Err(Problem::none_like_it("scope", &names(known)));
    }
    if let Some(member_id) = filter.responsible
        && !service.is_recorded(Member::CATEGORY, &member_id.to_string()).await?
    {
        return Err(Problem::in_query("responsible", "unknown", "there is no such member"));
    }
    Ok(())
}

fn names<A>(page: NounPage<String, A>) -> Vec<String> {
    page.items.into_iter().map(|row| row.id).collect()
}

fn dormant_since(now: Timestamp, days: u16) -> Result<Timestamp, Problem> {
    Some(days)
        .filter(|days| *days <= LONGEST_DORMANT_DAYS)
        .and_then(|days| now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).ok())
        .ok_or_else(|| {
            let detail = format!("must be 0 to {LONGEST_DORMANT_DAYS}");
            Problem::in_query("unused_for_days", "out_of_range", detail)
        })
}

/// Those of a page that were there at `since` and have used nothing from then on.
async fn dormant(
    service: &Service,
    rows: Vec<ClientRow>,
    since: Timestamp,
) -> Result<Vec<ClientRow>, Problem> {
    let ids: Vec<_> = rows.iter().map(|row| row.client_id.to_string()).collect();
    let used = service.app.activity().last_used_by(&ids).await?;
    let unused = |(row, id): (ClientRow, String)| {
        let newest = used.get(&id).copied().unwrap_or(row.client.created_at);
        (newest <= since).then_some(row)
    };
    Ok(rows.into_iter().zip(ids).filter_map(unused).collect())
}

/// Nothing in an environment is another answer than no environment.
pub(crate) async fn exists(service: &Service, environment: &EnvironmentName) -> Result<bool, Problem> {
    service.is_recorded(Environment::CATEGORY, environment.as_str()).await
}
