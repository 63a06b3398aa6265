//! `/environments/{environment}/clients`.

pub(crate) mod add_redirect_uri;
pub(crate) mod cancel_rotation;
pub(crate) mod change;
pub(crate) mod change_responsible;
pub(crate) mod change_secret;
pub(crate) mod check_redirect_uri;
pub(crate) mod complete_rotation;
pub(crate) mod complete_signing_secret_rotation;
pub(crate) mod create;
pub(crate) mod credentials;
pub(crate) mod deactivate;
pub(crate) mod delete;
pub(crate) mod difference;
pub(crate) mod enable;
pub(crate) mod get;
pub(crate) mod grant_redirect_exception;
pub(crate) mod history;
pub(crate) mod impact;
pub(crate) mod issue_secret;
pub(crate) mod list;
pub(crate) mod list_secrets;
pub(crate) mod moment;
pub(crate) mod payloads;
mod redirect_uri;
pub(crate) mod remove_redirect_uri;
pub(crate) mod reveal_signing_secret;
pub(crate) mod revoke_secret;
pub(crate) mod revoke_tokens;
pub(crate) mod rotate_signing_secret;
pub(crate) mod withdraw_redirect_exception;

use actix_web::{HttpResponse, http::StatusCode};
use app::{App, ChangedClient, CommandError, Context};
use crypto::Personal;
use domain::{ClientId, EnvironmentName, SecretId};
use projections::clients::{self, ClientRow};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    answer::{self, Freshness},
    extract::{Command, Why, path},
    problem::Problem,
    representation::{Client, client},
    service::Service,
};

/// A person or team to turn to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewContact {
    #[serde(default)]
    #[schema(value_type = String, max_length = 200)]
    name: Personal<String>,
    #[serde(default)]
    #[schema(value_type = String, max_length = 254, example = "ops@example.com")]
    email: Personal<String>,
}

impl From<NewContact> for app::Contact {
    fn from(contact: NewContact) -> Self {
        Self { name: contact.name, email: contact.email }
    }
}

/// Public keys of a client (RFC 7517 section 5).
#[derive(Debug, Deserialize, ToSchema)]
struct KeySet {
    /// At most ten. Members that do not say what a key is are not kept.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Map<String, Value>>,
}

/// How far to go.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Lockout {
    /// Whether it may leave the client without a secret that works.
    #[serde(default)]
    allow_lockout: bool,
}

/// The answer to a command that shows nothing once.
async fn changed(service: &Service, client: &ChangedClient) -> HttpResponse {
    answer::to_command(service, StatusCode::OK, client).await.json(Client::changed(service, client))
}

/// Runs a command that says nothing but why.
async fn plain(
    command: Command<Why>,
    ask: impl AsyncFnOnce(&App, Context, EnvironmentName, ClientId) -> Result<ChangedClient, CommandError>,
) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let client = ask(&service.app, context, environment, client_id).await?;
    Ok(changed(&service, &client).await)
}

/// Runs a command that ends a secret, and may end the last one that works if that is meant.
async fn ending(
    command: Command<Why, Lockout>,
    ask: impl AsyncFnOnce(
        &App,
        Context,
        EnvironmentName,
        ClientId,
        SecretId,
        bool,
    ) -> Result<ChangedClient, CommandError>,
) -> Result<HttpResponse, Problem> {
    let Command { http, service, context, parameters, .. } = command;
    let (environment, client_id) = (path::environment(&http)?, path::client_id(&http)?);
    let secret_id = path::secret_id(&http, "secret_id");
    let client =
        ask(&service.app, context, environment, client_id, secret_id, parameters.allow_lockout).await?;
    Ok(changed(&service, &client).await)
}

/// Where a client whose secret is lost gets a new one.
fn secret_recovery(client: &ChangedClient) -> String {
    format!("{}/secrets", client::path(client))
}

/// The client as the views have it, deleted ones too; not one of another environment. And how fresh that is.
pub(crate) async fn viewed(
    service: &Service,
    environment: &EnvironmentName,
    client_id: ClientId,
) -> Result<(ClientRow, Freshness), Problem> {
    let freshness = Freshness::of(service, clients::NAME).await;
    let row = service.views.read_point(|reader| clients::get(reader, client_id))?;
    match row.filter(|row| row.client.environment == *environment) {
        Some(row) => Ok((row, freshness)),
        None => Err(freshness.problem(path::not_found("client"))),
    }
}
