//! `GET /members/{member_id}/responsibilities`: the clients that a member answers for, in every environment that the
//! token reaches.

use actix_web::{HttpResponse, http::StatusCode};
use app::Actor;
use domain::{ClientId, Member, Reach, Rights, client::Status};
use jiff::Timestamp;
use projections::clients::{self, ClientRow, Key};
use serde::{Deserialize, Serialize};
use store::{Position, Revision};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Freshness,
    extract::{Read, page, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// Which of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Only clients of this status; deleted ones are listed only when asked for.
    #[param(value_type = Option<String>, pattern = "^(active|inactive|deleted)$")]
    status: Option<Status>,
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// Some of the clients that a member answers for.
#[derive(Debug, Serialize, ToSchema)]
struct Responsibilities {
    items: Vec<Responsibility>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// A client that a member answers for, as far as that says whether to look closer.
#[derive(Debug, Serialize, ToSchema)]
struct Responsibility {
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    client_name: String,
    /// The name of its type in the catalog.
    client_type: String,
    environment: String,
    #[schema(value_type = String, pattern = "^(active|inactive|deleted)$")]
    status: Status,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    revision: Revision,
    /// The position of the newest of them.
    #[schema(value_type = u64)]
    position: Position,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List the clients that a member answers for, newest first, in every environment that the token reaches")
        .reads_views()
        .parameters::<Parameters>()
        .json::<Responsibilities>(StatusCode::OK, "Some of the list")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, parameters, actor, .. } = read;
    let member_id = path::member_id(&http)?;
    let Parameters { status, limit, cursor } = parameters;
    let scope = format!("responsibilities/{member_id}");
    let limit = page::limit(limit)?;
    let cursors = service.app.cursor_key();
    let after: Option<Key> = cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let reach = match actor {
        Actor::Member(principal) => principal.rights.reach(),
        Actor::Host { .. } | Actor::System => Reach::Everywhere,
        Actor::Client { .. } | Actor::Anonymous => Rights::default().reach(),
    };
    let freshness = Freshness::of(&service, clients::NAME).await;
    let page = service
        .views
        .read(move |reader| clients::responsibilities(reader, member_id, reach, status, after, limit))
        .await?;
    if page.items.is_empty() && !service.is_recorded(Member::CATEGORY, &member_id.to_string()).await? {
        return Err(path::not_found("member"));
    }
    let next = page.next.map(|key| page::cursor(cursors, &scope, &key)).transpose()?;
    let items = page.items.into_iter().map(Responsibility::from).collect();
    Ok(freshness.ok().json(Responsibilities { items, next }))
}

impl From<ClientRow> for Responsibility {
    fn from(row: ClientRow) -> Self {
        let ClientRow { client_id, revision, position, client } = row;
        Self {
            client_id,
            client_name: client.client_name,
            client_type: client.client_type,
            environment: client.environment.to_string(),
            status: client.status,
            created_at: client.created_at,
            revision,
            position,
        }
    }
}
