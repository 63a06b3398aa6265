//! `GET /api/v2/oauth/clients/{client_id}`: one client.

use actix_web::{HttpResponse, http::StatusCode};
use domain::client::Status;

use super::Unread;
use crate::{
    api::clients::viewed,
    compatibility::{account_id, acting_in, representation::Client},
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("One client, in the words of another product")
        .reads_views()
        .json::<Client>(StatusCode::OK, "The client, without its secret")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Unread>) -> Result<HttpResponse, Problem> {
    let Read { http, service, context, .. } = read;
    let environment = acting_in(&context)?;
    let client_id = path::client_id(&http)?;
    let (row, freshness) = viewed(&service, &environment, client_id).await?;
    if row.client.status == Status::Deleted {
        return Err(freshness.problem(path::not_found("client")));
    }
    let account_id = account_id(&service, &environment).await?;
    Ok(freshness.ok().json(Client::new(account_id, client_id, &row.client)))
}
