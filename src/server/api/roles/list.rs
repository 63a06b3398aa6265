//! `GET /roles`: every role that can be given, the built-in ones first, by name.

use actix_web::{HttpResponse, http::StatusCode};
use domain::{BuiltInRole, RoleName};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    extract::{Read, page},
    openapi::Operation,
    problem::Problem,
    representation::Role,
};

/// What a cursor of this list is good for.
const SCOPE: &str = "roles";

/// Which roles.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// How many, beside the built-in ones on the first page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// Some of a list of roles.
#[derive(Debug, Serialize, ToSchema)]
struct Roles {
    items: Vec<Role>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List roles, the built-in ones first")
        .parameters::<Parameters>()
        .json::<Roles>(StatusCode::OK, "Some of the list")
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { service, parameters, .. } = read;
    let limit = page::limit(parameters.limit)?;
    let cursors = service.app.cursor_key();
    let after: Option<RoleName> =
        parameters.cursor.map(|cursor| page::place(cursors, SCOPE, &cursor)).transpose()?;
    let built_in = if after.is_none() { BuiltInRole::ALL } else { &[] };
    let (own, more) = service.app.own_roles(after, limit).await?;
    let last = own.last().filter(|_| more).map(|role| role.name.clone());
    let next = last.map(|name| page::cursor(cursors, SCOPE, &name)).transpose()?;
    let items =
        built_in.iter().map(|role| Role::from(*role)).chain(own.into_iter().map(Role::from)).collect();
    Ok(HttpResponse::Ok().json(Roles { items, next }))
}
