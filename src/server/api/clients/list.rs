//! `GET /environments/{environment}/clients`: the clients of an environment, newest first.

use actix_web::{HttpResponse, http::StatusCode};
use domain::{Environment, EnvironmentName, client::Status};
use projections::clients::{self, Key, ListFilter};
use serde::{Deserialize, Serialize};
use store::{Revision, StreamName};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::Freshness,
    extract::{Read, page, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
    service::Service,
};

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
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

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
    let after: Option<Key> =
        parameters.cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let filter = ListFilter { q: parameters.q, status: parameters.status, client_type: parameters.r#type };
    let listed = environment.clone();
    let freshness = Freshness::of(&service, clients::NAME).await;
    let page =
        service.views.read(move |reader| clients::list(reader, &listed, &filter, after, limit)).await?;
    if page.items.is_empty() && !exists(&service, &environment).await? {
        return Err(path::not_found("environment"));
    }
    let now = service.app.log().now();
    let items = page.items.iter().map(|row| Client::viewed(&service, row, now)).collect();
    let next = page.next.map(|key| page::cursor(cursors, &scope, &key)).transpose()?;
    Ok(freshness.ok().json(Clients { items, next }))
}

/// Nothing in an environment is another answer than no environment.
async fn exists(service: &Service, environment: &EnvironmentName) -> Result<bool, Problem> {
    let Ok(stream) = StreamName::new(Environment::CATEGORY, environment.as_str()) else { return Ok(false) };
    Ok(service.app.log().stream_revision(&stream).await? != Revision::NONE)
}
