//! `POST /environments/{environment}/signing_keys/{key_id}/retire`: believes nothing any more that a key signed.

use actix_web::{HttpResponse, http::StatusCode};

use super::SigningKeyList;
use crate::{
    answer,
    extract::{Command, Why, path},
    openapi::Operation,
    problem::{Kind, Problem},
};

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Believe nothing any more that a signing key signed")
        .optional_body::<Why>()
        .json::<SigningKeyList>(StatusCode::OK, "The keys")
        .problems(&[Kind::NotFound, Kind::SigningKeyRetired, Kind::SigningKeyInUse])
}

pub(crate) async fn handle(command: Command<Why>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, key_id) = (path::environment(&http)?, path::secret_id(&http, "key_id"));
    let changed = service.app.retire_signing_key(context, environment, key_id).await?;
    let now = service.app.log().now();
    Ok(answer::to_command(&service, StatusCode::OK, &changed)
        .await
        .json(SigningKeyList::of(&changed.keys, now)))
}
