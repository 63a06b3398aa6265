//! The OpenAPI document: written from the table of routes, so that it leaves none out.

mod operation;

use actix_web::{HttpResponse, web::Bytes};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ComponentsBuilder, Info, OpenApi, OpenApiBuilder, Paths,
        path::HttpMethod,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

pub(crate) use operation::Operation;

use crate::{
    problem::{FieldError, ProblemBody},
    representation::Changed,
    routes::{self, Access, Route},
};

/// What the document calls the personal token.
const SECURITY: &str = "personal_token";
/// What it calls a client's own credentials.
const CLIENT_SECURITY: &str = "client_secret_basic";

/// The document, as `GET /openapi.json` serves it.
#[must_use]
pub fn document() -> OpenApi {
    let mut paths = Paths::new();
    let mut components = ComponentsBuilder::new()
        .schema_from::<ProblemBody<'_>>()
        .schema_from::<FieldError>()
        .schema(crate::problem::Place::name(), crate::problem::Place::schema())
        .schema_from::<Changed>()
        .security_scheme(SECURITY, bearer())
        .security_scheme(CLIENT_SECURITY, basic())
        .build();
    for route in routes::all().iter().filter(|route| route.access != Access::Protocol) {
        let (operation, schemas) = (route.document)(Operation::of(route)).into_parts();
        components.schemas.extend(schemas);
        paths.add_path_operation(route.path, vec![http_method(route)], operation);
    }
    OpenApiBuilder::new().info(info()).paths(paths).components(Some::<Components>(components)).build()
}

fn info() -> Info {
    let mut info = Info::new("Muniment", env!("CARGO_PKG_VERSION"));
    info.description = Some(
        "A registry of OAuth clients with a history that can be proved. Every error is a problem of RFC 9457 whose \
         `type` names it for ever; `x-permission` is what a token needs; `x-audit` is what the log holds afterwards."
            .to_owned(),
    );
    info
}

fn bearer() -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("mpt_…");
    SecurityScheme::Http(scheme.description(Some("A personal token of a member")).build())
}

fn basic() -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
    let text = "Id and secret of a client, each form-urlencoded (RFC 6749 section 2.3.1)";
    SecurityScheme::Http(scheme.description(Some(text)).build())
}

fn http_method(route: &Route) -> HttpMethod {
    match route.method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// `GET /openapi.json`.
pub(crate) mod endpoint {
    use std::sync::LazyLock;

    use super::{Bytes, HttpResponse, Operation};

    /// It never changes while the process lives.
    static JSON: LazyLock<Bytes> =
        LazyLock::new(|| super::document().to_pretty_json().map(Bytes::from).unwrap_or_default());

    pub(crate) fn document(operation: Operation) -> Operation {
        operation.summary("This document").text(&["application/json"], "OpenAPI 3.1")
    }

    pub(crate) async fn handle() -> HttpResponse {
        HttpResponse::Ok().content_type("application/json").body(JSON.clone())
    }
}
