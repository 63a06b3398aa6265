//! A client in the words of another product.

use domain::{ClientId, client::Registration};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Where the clients are.
const CLIENTS: &str = "/api/v2/oauth/clients";
const JSON: &str = "application/json";

/// A client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompatibleClient)]
pub(super) struct Client {
    #[serde(rename = "_links")]
    links: ClientLinks,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// The same for all clients of an environment.
    #[serde(rename = "_accountId")]
    #[schema(value_type = String, format = Uuid)]
    account_id: Uuid,
    #[serde(rename = "_clientId")]
    #[schema(value_type = String, format = Uuid)]
    client_id: ClientId,
    /// Only in the answer to its creation, and not if that is repeated.
    #[serde(rename = "_clientSecret", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) client_secret: Option<String>,
    /// The first of its redirect URIs; empty if it has none.
    #[serde(rename = "redirectUri")]
    redirect_uri: String,
    /// In epoch milliseconds.
    #[serde(rename = "_creationDate")]
    creation_date: i64,
}

/// All clients.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompatibleClients)]
pub(super) struct Clients {
    #[serde(rename = "_links")]
    links: ClientsLinks,
    items: Vec<Client>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompatibleClientLinks)]
struct ClientLinks {
    parent: Link,
    #[serde(rename = "self")]
    itself: Link,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompatibleClientsLinks)]
struct ClientsLinks {
    #[serde(rename = "self")]
    itself: Link,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CompatibleLink)]
struct Link {
    href: String,
    r#type: &'static str,
}

impl Client {
    pub(super) fn new(account_id: Uuid, client_id: ClientId, client: &Registration) -> Self {
        Self {
            links: ClientLinks { parent: Link::to(CLIENTS), itself: Link::to(path(client_id)) },
            name: client.client_name.clone(),
            description: client.description.clone(),
            account_id,
            client_id,
            client_secret: None,
            redirect_uri: client.redirect_uris.first().map(ToString::to_string).unwrap_or_default(),
            creation_date: client.created_at.as_millisecond(),
        }
    }
}

impl Clients {
    pub(super) fn new(items: Vec<Client>) -> Self {
        Self { links: ClientsLinks { itself: Link::to(CLIENTS) }, items }
    }
}

impl Link {
    fn to(href: impl Into<String>) -> Self {
        Self { href: href.into(), r#type: JSON }
    }
}

/// Where a client is.
pub(super) fn path(client_id: ClientId) -> String {
    format!("{CLIENTS}/{client_id}")
}
