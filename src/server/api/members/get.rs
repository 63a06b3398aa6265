//! `GET /members/{member_id}`: one member, as the log stands now.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    answer,
    api::clients::get::Include,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Member, Token, member::Identity},
};

/// How much of it.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// `private` says who it is; needs audit:read_private, and is recorded.
    #[param(inline)]
    include: Option<Include>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One member")
        .parameters::<Parameters>()
        .json::<Member>(StatusCode::OK, "The member")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let member_id = path::member_id(&read.http)?;
    let member = read.service.app.member(&read.context, member_id).await?;
    let etag = (header::ETAG, answer::etag(member.revision));
    let mut shown = Member::new(&read.service, &member);
    Token::show_uses(&read.service, &mut shown.tokens).await?;
    if read.parameters.include.is_some() {
        let opened = read.service.app.open_members(read.context, vec![member_id]).await?;
        shown.identity = Identity::opened(opened.first().and_then(Option::as_ref));
    }
    Ok(HttpResponse::Ok().insert_header(etag).json(shown))
}
