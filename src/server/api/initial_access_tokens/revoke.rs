//! `DELETE /environments/{environment}/initial_access_tokens/{token_id}`: no more clients by this token.

use actix_web::{HttpResponse, http::StatusCode};

use super::InitialAccessTokens;
use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let no more clients register themselves by a token; those that did stay")
        .optional_body::<Why>()
        .json::<InitialAccessTokens>(StatusCode::OK, "The tokens")
        .problems(&[Kind::NotFound, Kind::TokenNotLive])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, token_id) = (path::environment(&http)?, path::secret_id(&http, "token_id"));
    let changed = service.app.revoke_initial_access_token(context, environment, token_id).await?;
    let now = service.app.log().now();
    Ok(answer::to_command(&service, StatusCode::OK, &changed)
        .await
        .json(InitialAccessTokens::of(&changed.admission, now)))
}
