//! `POST /environments/{environment}/clients/{client_id}/redirect_uris/check`: whether a redirect URI is one of those
//! registered, and if not, in what it differs from the nearest.

use actix_web::{HttpResponse, http::StatusCode, web::Payload};
use domain::{
    client::Status,
    oauth::{RedirectDifference, RedirectMismatch, RedirectUri},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::viewed;
use crate::{
    extract::{Read, body_of_read, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// What an application sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckRedirectUri {
    #[schema(example = "https://app.example.com/callback/")]
    redirect_uri: String,
}

/// How it compares, byte for byte.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RedirectUriCheck {
    matches: bool,
    /// The registered one that it is closest to; null if it matches, or if there is none.
    #[schema(value_type = Option<String>)]
    nearest: Option<RedirectUri>,
    /// In what it differs from that one.
    #[schema(value_type = Vec<String>, example = json!(["trailing_slash"]))]
    differences: Vec<RedirectDifference>,
    /// The same in words; null if it matches.
    #[schema(example = "it differs from a registered redirect URI by only a trailing slash")]
    detail: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Say in what a redirect URI differs from those registered")
        .reads_views()
        .body::<CheckRedirectUri>()
        .json::<RedirectUriCheck>(StatusCode::OK, "How it compares")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::MalformedRequest, Kind::RequestTimeout])
        .problems(&[Kind::BodyTooLarge, Kind::UnsupportedMediaType, Kind::InvalidRequest])
}

pub(crate) async fn handle(read: Read, payload: Payload) -> Result<HttpResponse, Problem> {
    let (environment, client_id) = (path::environment(&read.http)?, path::client_id(&read.http)?);
    let (row, freshness) = viewed(&read.service, &environment, client_id).await?;
    if row.client.status == Status::Deleted {
        return Err(freshness.problem(Problem::new(Kind::Gone).member("resource", "client")));
    }
    let asked: CheckRedirectUri = body_of_read(&read, payload).await?;
    let check = match RedirectMismatch::check(&row.client.redirect_uris, &asked.redirect_uri) {
        Ok(()) => RedirectUriCheck { matches: true, nearest: None, differences: Vec::new(), detail: None },
        Err(mismatch) => RedirectUriCheck {
            matches: false,
            detail: Some(mismatch.detail()),
            nearest: mismatch.nearest,
            differences: mismatch.differences,
        },
    };
    Ok(freshness.ok().json(check))
}
