//! `PATCH /environments/{environment}/clients/{client_id}`: changes what is given (RFC 7396), leaves what is not.

use actix_web::{HttpResponse, http::StatusCode};
use app::ChangeClientRequest;
use crypto::Personal;
use domain::environment::AccessTokenFormat;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{KeySet, NewContact, changed};
use crate::{
    extract::{Command, Object, path, present, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::Client,
};

/// What shall be otherwise. Nothing here but the description can be removed, so null is refused.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeClient {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_length = 120)]
    client_name: Option<String>,
    /// What it is for; null takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 1000)]
    description: Option<Option<String>>,
    /// All of its contacts from now on.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    contacts: Option<Vec<Object<NewContact>>>,
    /// All of its redirect URIs from now on.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_items = 50)]
    redirect_uris: Option<Vec<String>>,
    /// All addresses from now on where members may be sent who have signed out (OpenID Connect RP-Initiated Logout).
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false, max_items = 50)]
    post_logout_redirect_uris: Option<Vec<String>>,
    /// All of its scopes from now on, separated by blanks.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    scope: Option<String>,
    /// All of its public keys from now on; a token that was got with another one is good no longer.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    jwks: Option<Object<KeySet>>,
    /// What its access tokens are from now on, `jwt`, `jwt_rs256` or `opaque`; null leaves it to the environment.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^(jwt|jwt_rs256|opaque)$")]
    access_token_format: Option<Option<AccessTokenFormat>>,
    /// Whether its payloads can be encrypted.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    payload_encryption: Option<bool>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(ChangeClient);

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary(
            "Change name, description, contacts, redirect URIs, scopes, keys, what its tokens are, or whether payloads are encrypted",
        )
        .if_match()
        .body::<ChangeClient>()
        .json::<Client>(StatusCode::OK, "The client")
        .problems(&[Kind::NotFound, Kind::Gone, Kind::Taken])
}

pub(crate) async fn handle(command: Command<ChangeClient>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, if_match, body, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let client = service.app.change_client(context, environment, client_id, if_match, body.into()).await?;
    Ok(changed(&service, &client).await)
}

impl From<ChangeClient> for ChangeClientRequest {
    fn from(body: ChangeClient) -> Self {
        Self {
            client_name: body.client_name,
            description: body.description,
            contacts: body
                .contacts
                .map(|contacts| contacts.into_iter().map(|Object(contact)| contact.into()).collect()),
            redirect_uris: body.redirect_uris,
            post_logout_redirect_uris: body.post_logout_redirect_uris,
            redirect_uri_edit: None,
            scope: body.scope,
            jwks: body.jwks.map(|Object(set)| set.keys),
            access_token_format: body.access_token_format,
            payload_encryption: body.payload_encryption,
        }
    }
}
