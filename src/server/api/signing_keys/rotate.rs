//! `POST /environments/{environment}/signing_keys`: lets a new key take its turn.

use actix_web::{HttpResponse, http::StatusCode};
use crypto::Personal;
use domain::SigningAlgorithm;
use serde::Deserialize;
use utoipa::ToSchema;

use super::SigningKeyList;
use crate::{
    answer,
    extract::{Command, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
};

/// A new key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateSigningKey {
    /// What it signs with; access tokens are signed with ES256, ID tokens with RS256.
    #[schema(value_type = String, pattern = "^(ES256|RS256)$")]
    algorithm: SigningAlgorithm,
    /// `true` if one of the others has leaked: nothing that they signed is believed any more, and the new one signs at once
    /// instead of in a day.
    #[serde(default)]
    retire_others: bool,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(RotateSigningKey);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Let a new signing key take its turn")
        .body::<RotateSigningKey>()
        .json::<SigningKeyList>(StatusCode::OK, "The keys")
        .problems(&[Kind::NotFound])
}

pub(crate) async fn handle(command: Command<RotateSigningKey>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let environment = path::environment(&http)?;
    let RotateSigningKey { algorithm, retire_others, .. } = body;
    let changed = service.app.rotate_signing_key(context, environment, algorithm, retire_others).await?;
    let now = service.app.log().now();
    Ok(answer::to_command(&service, StatusCode::OK, &changed)
        .await
        .json(SigningKeyList::of(&changed.keys, now)))
}
