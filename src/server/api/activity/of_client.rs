//! `GET /environments/{environment}/clients/{client_id}/activity`: what a client did, deleted or not.

use actix_web::{HttpResponse, http::StatusCode};
use domain::Client;

use super::{Activities, Parameters, found};
use crate::{
    api::clients::viewed,
    extract::{Read, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("What a client did, and what was refused to it")
        .parameters::<Parameters>()
        .json::<Activities>(StatusCode::OK, "Some of its activity")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(read: Read<Parameters>) -> Result<HttpResponse, Problem> {
    let Read { http, service, mut parameters, context, .. } = read;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    viewed(&service, &environment, client_id).await?;
    if *parameters.client.get_or_insert(client_id) != client_id {
        return Err(Problem::in_query("client", "contradiction", "the path names another client"));
    }
    // What was tried with its id elsewhere is activity of there.
    if *parameters.environment.get_or_insert_with(|| environment.to_string()) != environment.as_str() {
        return Err(Problem::in_query("environment", "contradiction", "the path names another environment"));
    }
    let stream = format!("{}-{client_id}", Client::CATEGORY);
    let asked = parameters.question("client.activity").about(stream);
    let scope = format!("activity/{client_id}");
    Ok(HttpResponse::Ok().json(found(&service, &context, asked, &scope, parameters).await?))
}
