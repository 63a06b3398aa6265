//! `GET /{environment}/client`: what a client is, told to itself; and the plainest proof that a secret works.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web::Data};
use domain::{
    ClientId,
    client::{Registration, SecretState, Status},
    oauth::{GrantType, RedirectUri, TokenEndpointAuthMethod},
};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{OAuthError, answer, authenticate};
use crate::{extract::path, openapi::Operation, problem::Problem, service::Service};

/// A client as it sees itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnClient {
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    client_name: String,
    /// The name of its type in the catalog.
    client_type: String,
    environment: String,
    #[schema(value_type = String, pattern = "^active$")]
    status: Status,
    #[schema(value_type = Vec<String>)]
    redirect_uris: Vec<RedirectUri>,
    /// Scopes separated by blanks.
    scope: String,
    #[schema(value_type = Vec<String>)]
    grant_types: Vec<GrantType>,
    #[schema(value_type = String)]
    token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// Whether its payloads can be encrypted.
    payload_encryption: bool,
    /// The secrets that work, or will; oldest first.
    secrets: Vec<OwnSecret>,
}

/// A secret that works, or will.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnSecret {
    id: String,
    /// The beginning of its text.
    hint: String,
    #[schema(value_type = String, pattern = "^(pending|active)$")]
    state: SecretState,
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    not_before: Option<Timestamp>,
    /// It does not authenticate from here on; null is never.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Whether this request came with it.
    used: bool,
}

pub(crate) fn document(operation: Operation) -> Operation {
    operation
        .summary("What the client is that asks")
        .json::<OwnClient>(StatusCode::OK, "The client")
        .json::<OAuthError>(StatusCode::UNAUTHORIZED, "Not this client, or not with this secret")
        .json::<OAuthError>(StatusCode::SERVICE_UNAVAILABLE, "The service cannot find out now")
}

pub(crate) async fn handle(http: HttpRequest, service: Data<Service>) -> Result<HttpResponse, Problem> {
    let environment = path::environment(&http)?;
    let client = match authenticate(&service, &http, &environment).await {
        Ok(client) => client,
        Err(refused) => return Ok(refused),
    };
    let registration = client.registration().ok_or_else(|| path::not_found("client"))?;
    let now = service.app.log().now();
    let own = OwnClient::new(client.client_id, registration, now, &client.secret_id.0);
    Ok(answer(StatusCode::OK).json(own))
}

impl OwnClient {
    fn new(client_id: ClientId, client: &Registration, now: Timestamp, used: &str) -> Self {
        let secrets = client.secrets.iter().filter(|secret| secret.usable(now)).map(|secret| OwnSecret {
            id: secret.id.to_string(),
            hint: secret.hint.clone(),
            state: secret.state(now),
            not_before: secret.not_before,
            expires_at: secret.expires_at,
            used: secret.id.0 == used,
        });
        Self {
            client_id,
            client_name: client.client_name.clone(),
            client_type: client.client_type.clone(),
            environment: client.environment.to_string(),
            status: client.status,
            redirect_uris: client.redirect_uris.clone(),
            scope: client.scope.to_wire(),
            grant_types: client.grant_types.clone(),
            token_endpoint_auth_method: client.token_endpoint_auth_method,
            payload_encryption: client.payload_encryption,
            secrets: secrets.collect(),
        }
    }
}
