//! `GET /members/{member_id}/tokens`: the personal tokens of a member, newest first.

use actix_web::{HttpResponse, http::StatusCode};
use domain::member::PersonalToken;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    extract::{Read, page, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Token,
};

/// Which tokens.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// Only those that are neither revoked nor expired, or only those that are; left out, both.
    live: Option<bool>,
    /// How many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
    /// Where to go on: the `next` of the page before.
    cursor: Option<String>,
}

/// Some of a member's tokens.
#[derive(Debug, Serialize, ToSchema)]
struct Tokens {
    items: Vec<Token>,
    /// The `cursor` of the next page; null at the end.
    next: Option<String>,
}

/// Where a page ends, whatever is issued or forgotten until the next one.
#[derive(Debug, Deserialize, Serialize)]
struct Place {
    created_at: Timestamp,
    id: String,
}

impl Place {
    fn of(token: &PersonalToken) -> Self {
        Self { created_at: token.created_at, id: token.id.to_string() }
    }

    /// How many tokens stand before it.
    fn among(&self, tokens: &[PersonalToken]) -> usize {
        let itself = tokens.iter().position(|token| token.id.0 == self.id);
        itself.unwrap_or_else(|| tokens.partition_point(|token| token.created_at < self.created_at))
    }
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary(
            "List the personal tokens of a member that are live, and the newest 200 that ended, newest first",
        )
        .parameters::<Parameters>()
        .json::<Tokens>(StatusCode::OK, "Some of the list")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, context, parameters, .. } = read;
    let member_id = path::member_id(&http)?;
    let scope = format!("tokens/{member_id}");
    let limit = page::limit(parameters.limit)?;
    let cursors = service.app.cursor_key();
    let before: Option<Place> =
        parameters.cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let member = service.app.member(&context, member_id).await?;
    let now = service.app.log().now();
    let tokens = &member.membership.tokens;
    let wanted = |live: bool| parameters.live.is_none_or(|wanted| wanted == live);
    let end = before.map_or(tokens.len(), |before| before.among(tokens));
    let mut found = tokens[..end].iter().rev().filter(|token| wanted(token.live(now)));
    let shown: Vec<_> = found.by_ref().take(limit).collect();
    let last = shown.last().filter(|_| found.next().is_some()).map(|token| Place::of(token));
    let next = last.map(|place| page::cursor(cursors, &scope, &place)).transpose()?;
    let mut items: Vec<_> = shown.into_iter().map(|token| Token::new(token, now)).collect();
    Token::show_uses(&service, &mut items).await?;
    Ok(HttpResponse::Ok().json(Tokens { items, next }))
}
