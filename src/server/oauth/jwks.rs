//! `GET /{environment}/jwks`: the public keys that tokens of an environment are verified with (RFC 7517).

use std::collections::BTreeMap;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Data,
};
use serde::Serialize;

pub(crate) use super::undocumented as document;
use crate::{extract::path, problem::Problem, service::Service};

/// Shorter than the time for which a key is published before it signs.
const KEPT: &str = "public, max-age=3600";

#[derive(Serialize)]
struct KeySet<'a> {
    keys: Vec<PublicKey<'a>>,
}

#[derive(Serialize)]
struct PublicKey<'a> {
    kid: &'a str,
    alg: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    #[serde(flatten)]
    members: &'a BTreeMap<String, String>,
}

pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    // Keys are made where there are none: not for every name that somebody makes up.
    service.app.environment(environment.as_str()).await?;
    let keys = service.app.signing_keys(environment).await?;
    let keys = keys
        .published()
        .map(|key| PublicKey {
            kid: &key.id.0,
            alg: key.algorithm.as_str(),
            usage: "sig",
            members: &key.public_key,
        })
        .collect();
    Ok(HttpResponse::build(StatusCode::OK).insert_header((header::CACHE_CONTROL, KEPT)).json(KeySet { keys }))
}
