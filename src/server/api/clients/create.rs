//! `POST /environments/{environment}/clients`: registers a client.

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use app::{CreateClientRequest, CreatedClient};
use crypto::{ExposeSecret, Personal, SecretString};
use domain::{client::ClientDraft, environment::AccessTokenFormat};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{KeySet, NewContact, secret_recovery};
use crate::{
    answer,
    extract::{Command, Object, path, why},
    openapi::Operation,
    problem::{Kind, Problem},
    representation::{Client, client},
};

/// A new client; the names are those of RFC 7591 where it has one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateClient {
    /// Shown on the consent page; unique in the environment, whatever its case.
    #[serde(default)]
    #[schema(required, max_length = 120, example = "Matter sync")]
    client_name: String,
    /// What it is for; anyone may read it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// The name of a type of the catalog, which says what scopes it can hold.
    #[serde(default)]
    #[schema(required, example = "standard")]
    client_type: String,
    /// Where codes may be sent; needed for the grant type authorization_code.
    #[serde(default)]
    #[schema(max_items = 50)]
    redirect_uris: Vec<String>,
    /// Where members may be sent who have signed out (OpenID Connect RP-Initiated Logout).
    #[serde(default)]
    #[schema(max_items = 50)]
    post_logout_redirect_uris: Vec<String>,
    /// Scopes separated by blanks: at least one.
    #[serde(default)]
    #[schema(required, example = "matters:read matters:write")]
    scope: String,
    /// Whom to turn to: at least one.
    #[serde(default)]
    #[schema(required)]
    #[schema(value_type = Vec<NewContact>)]
    contacts: Vec<Object<NewContact>>,
    /// The version of the developer terms that is accepted hereby.
    #[serde(default)]
    #[schema(value_type = String, required, example = "2026-01")]
    terms_accepted: Option<String>,
    #[serde(default)]
    grant_types: Option<Vec<String>>,
    /// `client_secret_basic` if left out; `private_key_jwt` needs `jwks`; `none` makes a public client.
    #[serde(default)]
    token_endpoint_auth_method: Option<String>,
    /// What it signs its assertions with (RFC 7517): public keys, P-256 or RSA.
    #[serde(default)]
    jwks: Option<Object<KeySet>>,
    /// What its access tokens are to whoever holds them, `jwt`, `jwt_rs256` or `opaque`; left out, what the environment says.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(jwt|jwt_rs256|opaque)$")]
    access_token_format: Option<AccessTokenFormat>,
    /// Whether its payloads can be encrypted.
    #[serde(default)]
    payload_encryption: bool,
    /// How long its first secret lives; left out, what the environment says.
    #[serde(default)]
    #[schema(minimum = 1)]
    expires_in_seconds: Option<u32>,
    /// What its first secret is called.
    #[serde(default)]
    label: Option<String>,
    /// Why, in free text; sealed.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    reason: Option<Personal<String>>,
    /// Why, as a public reference to a case elsewhere.
    #[serde(default)]
    ticket: Option<String>,
}

why!(CreateClient);

/// A client that was just registered. Its secrets are shown here and never again.
#[derive(Serialize, ToSchema)]
pub(crate) struct RegisteredClient {
    #[serde(flatten)]
    client: Client,
    /// Left out for a public client, and in the answer to a repeated request.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// Left out in the answer to a repeated request.
    #[serde(skip_serializing_if = "Option::is_none")]
    signing_secret: Option<String>,
    /// In the answer to a repeated request: where a new secret is made if the first answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_recovery: Option<String>,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("Register a client")
        .body::<CreateClient>()
        .json::<RegisteredClient>(StatusCode::CREATED, "The client, with its secrets for the only time")
        .problems(&[Kind::NotFound, Kind::Taken, Kind::Busy])
}

pub(crate) async fn handle(command: Command<CreateClient>) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, body, .. } = command;
    let created = service.app.create_client(context, path::environment(&http)?, body.into()).await?;
    let mut answer = answer::to_command(&service, StatusCode::CREATED, &created.client).await;
    let CreatedClient { client, client_secret, signing_secret, registration_access_token: _ } = created;
    Ok(answer.insert_header((header::LOCATION, client::path(&client))).json(RegisteredClient {
        client: Client::changed(&service, &client),
        client_secret: client_secret.map(shown),
        signing_secret: signing_secret.map(shown),
        secret_recovery: client.replayed.then(|| secret_recovery(&client)),
    }))
}

impl From<CreateClient> for CreateClientRequest {
    fn from(body: CreateClient) -> Self {
        Self {
            metadata: ClientDraft {
                client_name: body.client_name,
                description: body.description,
                client_type: body.client_type,
                redirect_uris: body.redirect_uris,
                post_logout_redirect_uris: body.post_logout_redirect_uris,
                scope: body.scope,
                grant_types: body.grant_types,
                token_endpoint_auth_method: body.token_endpoint_auth_method,
                jwks: body.jwks.map(|Object(set)| set.keys).unwrap_or_default(),
                access_token_format: body.access_token_format,
                payload_encryption: body.payload_encryption,
            },
            contacts: body.contacts.into_iter().map(|Object(contact)| contact.into()).collect(),
            terms_accepted: body.terms_accepted,
            expires_in_seconds: body.expires_in_seconds,
            label: body.label,
            channel: None,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "who shows a secret has it no longer")]
fn shown(secret: SecretString) -> String {
    secret.expose_secret().to_owned()
}
