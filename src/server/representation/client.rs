//! A client and its secrets.

use std::collections::BTreeSet;

use app::{ChangedClient, Fault};
use domain::{
    ClientId, PersonId, SecretId,
    client::{self, Registration, Secret as IssuedSecret, SecretState, Status},
    environment::AccessTokenFormat,
    oauth::{GrantType, PublicKey, RedirectScheme, RedirectUri, TokenEndpointAuthMethod},
};
use jiff::Timestamp;
use projections::clients::ClientRow;
use serde::Serialize;
use serde_json::Value;
use store::{Position, Revision};
use utoipa::ToSchema;

use crate::service::Service;

/// Secrets that have ended, of those that are shown with their client: a list of its own has more.
const MOST_ENDED_SHOWN: usize = 20;

/// Public keys (RFC 7517 section 5).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeySet {
    #[schema(value_type = Vec<Object>)]
    pub(crate) keys: Vec<PublicKey>,
}

/// A client as the API shows it; the names are those of RFC 7591 where it has one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Client {
    #[schema(value_type = String, format = Uuid)]
    pub(crate) client_id: ClientId,
    pub(crate) client_name: String,
    /// What it is for; null if nobody said so.
    pub(crate) description: Option<String>,
    /// The name of its type in the catalog.
    pub(crate) client_type: String,
    pub(crate) environment: String,
    #[schema(value_type = String, pattern = "^(active|inactive|deleted)$")]
    pub(crate) status: Status,
    #[schema(value_type = Vec<String>)]
    pub(crate) redirect_uris: Vec<RedirectUri>,
    /// Where members may be sent who have signed out.
    #[schema(value_type = Vec<String>)]
    pub(crate) post_logout_redirect_uris: Vec<RedirectUri>,
    /// Schemes of its own that it may be sent to, each by an exception of an admin.
    #[schema(value_type = Vec<String>)]
    pub(crate) redirect_exceptions: BTreeSet<RedirectScheme>,
    /// Scopes separated by blanks.
    pub(crate) scope: String,
    pub(crate) contacts: Vec<Contact>,
    #[schema(value_type = Vec<String>)]
    pub(crate) grant_types: Vec<GrantType>,
    #[schema(value_type = String)]
    pub(crate) token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// What it signs its assertions with (RFC 7517).
    pub(crate) jwks: KeySet,
    /// What its access tokens are to whoever holds them, `jwt`, `jwt_rs256` or `opaque`; null leaves it to the environment.
    #[schema(value_type = Option<String>, pattern = "^(jwt|jwt_rs256|opaque)$")]
    pub(crate) access_token_format: Option<AccessTokenFormat>,
    /// Whether it asks for its payloads to be encrypted.
    pub(crate) payload_encryption: bool,
    /// The version of the developer terms that was accepted when it was created.
    pub(crate) terms_accepted: String,
    /// When it was.
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) terms_accepted_at: Timestamp,
    /// The member who answers for it.
    #[schema(value_type = String, format = Uuid)]
    pub(crate) responsible: domain::MemberId,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) updated_at: Timestamp,
    /// `created_at` in epoch seconds (RFC 7591 section 3.2.1).
    pub(crate) client_id_issued_at: i64,
    /// When the newest of its secrets that work expires, in epoch seconds; 0 is never. Left out if none works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret_expires_at: Option<i64>,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    /// The secrets that can be used, and the newest 20 of those that ended, oldest first; never a secret's text.
    pub(crate) secrets: Vec<Secret>,
    /// The overlap of secrets that is under way; null if there is none.
    pub(crate) rotation: Option<Rotation>,
    /// How it registered itself by the protocol (RFC 7591); null if somebody registered it.
    pub(crate) self_registered: Option<SelfRegistered>,
    /// How many events its stream has: its `ETag`.
    #[schema(value_type = u64)]
    pub(crate) revision: Revision,
    /// The position of the newest of them.
    #[schema(value_type = u64)]
    pub(crate) position: Position,
}

/// A person or team to turn to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Contact {
    /// A pseudonym.
    #[schema(value_type = String, format = Uuid)]
    pub(crate) id: PersonId,
    /// Only when private parts were asked for, by who may; missing then as well if the person was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// As `name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// Whether the person was erased; left out if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) erased: bool,
}

/// A secret, as far as anyone may know it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Secret {
    pub(crate) id: String,
    pub(crate) label: Option<String>,
    /// The beginning of its text: a part of the id, never of the secret.
    pub(crate) hint: String,
    #[schema(value_type = String, pattern = "^(pending|active|expired|revoked)$")]
    pub(crate) state: SecretState,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// It does not authenticate before.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) not_before: Option<Timestamp>,
    /// It does not authenticate from here on; null is never.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) expires_at: Option<Timestamp>,
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) revoked_at: Option<Timestamp>,
    /// When it last authenticated its client; null if it never has. Left null in answers to commands and in looks into the
    /// past.
    #[serde(with = "domain::time::micros::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_used_at: Option<Timestamp>,
}

/// A new secret beside those that it replaces, until the overlap ends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rotation {
    /// The new one.
    pub(crate) secret_id: String,
    /// Those that end with the overlap, if not before.
    pub(crate) replaces: Vec<String>,
    #[serde(with = "domain::time::micros")]
    #[schema(value_type = String, format = DateTime)]
    pub(crate) ends_at: Timestamp,
}

/// How a client registered itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SelfRegistered {
    /// The initial access token that it came with; null if anybody could register.
    pub(crate) initial_access_token_id: Option<String>,
    /// The pages that it names, which nobody has checked.
    pub(crate) client_uri: Option<String>,
    pub(crate) logo_uri: Option<String>,
    pub(crate) tos_uri: Option<String>,
    pub(crate) policy_uri: Option<String>,
    /// What it says of its software, which nobody has checked.
    pub(crate) software_id: Option<String>,
    pub(crate) software_version: Option<String>,
}

impl Client {
    /// A client after a command.
    pub(crate) fn changed(service: &Service, client: &ChangedClient) -> Self {
        let ChangedClient { client_id, registration, revision, position, replayed: _ } = client;
        Self::new(service, *client_id, registration, (*revision, *position), service.app.log().now())
    }

    /// A client of a view, with the states that its secrets have at `now`.
    pub(crate) fn viewed(service: &Service, row: &ClientRow, now: Timestamp) -> Self {
        Self::new(service, row.client_id, &row.client, (row.revision, row.position), now)
    }

    /// Says of each secret when it was last used.
    pub(crate) async fn show_uses(service: &Service, clients: &mut [Self]) -> Result<(), Fault> {
        let secrets = clients.iter_mut().flat_map(|client| &mut client.secrets);
        Secret::show_uses(service, secrets.collect()).await
    }

    fn new(
        service: &Service,
        client_id: ClientId,
        client: &Registration,
        (revision, position): (Revision, Position),
        now: Timestamp,
    ) -> Self {
        let newest = client.live_secrets(now).last();
        Self {
            client_id,
            client_name: client.client_name.clone(),
            description: client.description.clone(),
            client_type: client.client_type.clone(),
            environment: client.environment.to_string(),
            status: client.status,
            redirect_uris: client.redirect_uris.clone(),
            post_logout_redirect_uris: client.post_logout_redirect_uris.clone(),
            redirect_exceptions: client.redirect_exceptions.clone(),
            scope: client.scope.to_wire(),
            contacts: client.contacts.iter().map(|id| Contact::new(service, *id)).collect(),
            grant_types: client.grant_types.clone(),
            token_endpoint_auth_method: client.token_endpoint_auth_method,
            jwks: KeySet { keys: client.keys.clone() },
            access_token_format: client.access_token_format,
            payload_encryption: client.payload_encryption,
            terms_accepted: client.terms_accepted.clone(),
            terms_accepted_at: client.created_at,
            responsible: client.responsible,
            created_at: client.created_at,
            updated_at: client.updated_at,
            client_id_issued_at: client.created_at.as_second(),
            client_secret_expires_at: newest.map(|secret| secret.expires_at.map_or(0, Timestamp::as_second)),
            authorization_endpoint: service.oauth_url(&client.environment, "authorize"),
            token_endpoint: service.oauth_url(&client.environment, "token"),
            secrets: shown_secrets(client, now),
            rotation: client.rotation(now).map(Rotation::from),
            self_registered: client.self_registered.as_deref().map(SelfRegistered::from),
            revision,
            position,
        }
    }

    /// One of its secrets.
    pub(crate) fn secret(&self, id: &SecretId) -> Option<Secret> {
        self.secrets.iter().find(|secret| secret.id == id.0).cloned()
    }

    /// Fills in who the contacts are, from what the vault opened.
    pub(crate) fn name_contacts(&mut self, opened: &[Value]) {
        for contact in &mut self.contacts {
            let id = contact.id.to_string();
            let person = opened.iter().find(|part| part["person"].as_str() == Some(&id));
            let text = |field: &str| person.and_then(|part| part[field].as_str()).map(str::to_owned);
            (contact.name, contact.email) = (text("name"), text("email"));
        }
    }
}

fn shown_secrets(client: &Registration, now: Timestamp) -> Vec<Secret> {
    let ended = client.secrets.iter().filter(|secret| !secret.usable(now)).count();
    let mut hidden = ended.saturating_sub(MOST_ENDED_SHOWN);
    let shown = client.secrets.iter().filter(|secret| {
        let hide = hidden > 0 && !secret.usable(now);
        hidden -= usize::from(hide);
        !hide
    });
    shown.map(|secret| Secret::new(secret, now)).collect()
}

impl From<&client::SelfRegistered> for SelfRegistered {
    fn from(registered: &client::SelfRegistered) -> Self {
        let client::Software { client_uri, logo_uri, tos_uri, policy_uri, software_id, software_version } =
            registered.software.clone();
        Self {
            initial_access_token_id: registered.initial_access_token_id.as_ref().map(ToString::to_string),
            client_uri,
            logo_uri,
            tos_uri,
            policy_uri,
            software_id,
            software_version,
        }
    }
}

impl From<&client::Rotation> for Rotation {
    fn from(rotation: &client::Rotation) -> Self {
        Self {
            secret_id: rotation.secret_id.to_string(),
            replaces: rotation.replaces.iter().map(ToString::to_string).collect(),
            ends_at: rotation.ends_at,
        }
    }
}

impl Contact {
    fn new(service: &Service, id: PersonId) -> Self {
        Self { id, name: None, email: None, erased: service.app.is_erased(id) }
    }
}

impl Secret {
    /// Says of each when it was last used.
    pub(crate) async fn show_uses(service: &Service, secrets: Vec<&mut Self>) -> Result<(), Fault> {
        let ids: Vec<_> = secrets.iter().map(|secret| secret.id.clone()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let used = service.app.activity().last_used(&ids).await?;
        for secret in secrets {
            secret.last_used_at = used.get(&secret.id).copied();
        }
        Ok(())
    }

    pub(crate) fn new(secret: &IssuedSecret, now: Timestamp) -> Self {
        Self {
            id: secret.id.to_string(),
            label: secret.label.clone(),
            hint: secret.hint.clone(),
            state: secret.state(now),
            created_at: secret.created_at,
            not_before: secret.not_before,
            expires_at: secret.expires_at,
            revoked_at: secret.revoked_at,
            last_used_at: None,
        }
    }
}

/// The path of a client.
pub(crate) fn path(client: &ChangedClient) -> String {
    let environment = &client.registration.environment;
    format!("/api/v1/environments/{environment}/clients/{}", client.client_id)
}
