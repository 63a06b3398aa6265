//! `GET /members/{member_id}/tokens`: the personal tokens of a member, newest first.

use actix_web::{HttpResponse, http::StatusCode};
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

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("List the personal tokens of a member, newest first")
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
    // The place among all tokens ever, oldest first, which no later token moves.
    let before: Option<usize> =
        parameters.cursor.map(|cursor| page::place(cursors, &scope, &cursor)).transpose()?;
    let member = service.app.member(&context, member_id).await?;
    let now = service.app.log().now();
    let tokens = &member.membership.tokens;
    let wanted = |live: bool| parameters.live.is_none_or(|wanted| wanted == live);
    let mut found = tokens
        .iter()
        .enumerate()
        .take(before.unwrap_or(tokens.len()))
        .rev()
        .filter(|(_, token)| wanted(token.live(now)));
    let shown: Vec<_> = found.by_ref().take(limit).collect();
    let last = shown.last().filter(|_| found.next().is_some()).map(|(place, _)| *place);
    let next = last.map(|place| page::cursor(cursors, &scope, &place)).transpose()?;
    let mut items: Vec<_> = shown.into_iter().map(|(_, token)| Token::new(token, now)).collect();
    Token::show_uses(&service, &mut items).await?;
    Ok(HttpResponse::Ok().json(Tokens { items, next }))
}
