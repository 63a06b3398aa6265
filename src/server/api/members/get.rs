//! `GET /members/{member_id}`: one member, as the log stands now.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};

use crate::{
    answer,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Member, Token},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation.summary("One member").json::<Member>(StatusCode::OK, "The member").problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read) -> Result<HttpResponse, Problem> {
    let member_id = path::member_id(&read.http)?;
    let member = read.service.app.member(&read.context, member_id).await?;
    let etag = (header::ETAG, answer::etag(member.revision));
    let mut shown = Member::new(&read.service, &member);
    Token::show_uses(&read.service, &mut shown.tokens).await?;
    Ok(HttpResponse::Ok().insert_header(etag).json(shown))
}
