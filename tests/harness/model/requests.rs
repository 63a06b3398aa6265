//! What is sent for each command.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::{
    command::{Change, Command, MemberChange},
    player::Player,
    registry::{ENVIRONMENTS, NAMES, SCOPES, URIS, scopes},
};

impl Player {
    pub(super) fn request(&mut self, command: &Command, key: &str) -> RequestBuilder {
        let token = self.service().token.clone();
        self.request_as(&token, command, key)
    }

    pub(super) fn request_as(&mut self, token: &str, command: &Command, key: &str) -> RequestBuilder {
        match *command {
            Command::Create { environment, name, scopes: bits, public } => {
                let path = format!("/api/v1/environments/{}/clients", ENVIRONMENTS[environment]);
                let method = if public { "none" } else { "client_secret_basic" };
                let body = json!({
                    "client_name": NAMES[name],
                    "client_type": "standard",
                    "redirect_uris": [URIS[0]],
                    "scope": scopes(bits).collect::<Vec<_>>().join(" "),
                    "contacts": [{ "name": "Ops", "email": "ops@example.com" }],
                    "terms_accepted": "2026-01",
                    "token_endpoint_auth_method": method,
                    "reason": "drawn",
                });
                self.sent(token, Method::POST, &path, key).json(&body)
            }
            Command::On { client, change } => {
                let environment = self.expected.clients[client].environment;
                self.on(token, client, change, environment, key)
            }
            Command::Scope { scope, deprecated } => {
                let path = format!("/api/v1/scopes/{}/{}", SCOPES[scope], retire(deprecated));
                self.sent(token, Method::POST, &path, key).json(&json!({}))
            }
            Command::ClientType { deprecated } => {
                let path = format!("/api/v1/client_types/standard/{}", retire(deprecated));
                self.sent(token, Method::POST, &path, key).json(&json!({}))
            }
            Command::Member { member, change } => {
                let path = format!("/api/v1/members/{}", self.members[member].id);
                let (method, path, body) = match change {
                    MemberChange::Role(role) => {
                        (Method::PUT, format!("{path}/roles"), json!({ "roles": [role.name()] }))
                    }
                    MemberChange::Deactivate => (Method::POST, format!("{path}/deactivate"), json!({})),
                    MemberChange::Enable => (Method::POST, format!("{path}/enable"), json!({})),
                };
                self.sent(token, method, &path, key).header("if-match", "*").json(&body)
            }
        }
    }

    pub(super) fn on(
        &mut self,
        token: &str,
        client: usize,
        change: Change,
        environment: usize,
        key: &str,
    ) -> RequestBuilder {
        let path =
            format!("/api/v1/environments/{}/clients/{}", ENVIRONMENTS[environment], self.known[client].id);
        let (method, path, body) = match change {
            Change::Rename(name) => (Method::PATCH, path, json!({ "client_name": NAMES[name] })),
            Change::Scopes(bits) => {
                let scope = scopes(bits).collect::<Vec<_>>().join(" ");
                (Method::PATCH, path, json!({ "scope": scope }))
            }
            Change::AddRedirectUri(uri) => {
                (Method::POST, format!("{path}/redirect_uris"), json!({ "redirect_uri": URIS[uri] }))
            }
            Change::RemoveRedirectUri(uri) => {
                (Method::DELETE, format!("{path}/redirect_uris"), json!({ "redirect_uri": URIS[uri] }))
            }
            Change::IssueSecret => (Method::POST, format!("{path}/secrets"), json!({})),
            Change::ReplaceSecrets => {
                (Method::POST, format!("{path}/secrets"), json!({ "overlap_seconds": 0 }))
            }
            Change::OverlapSecrets => {
                (Method::POST, format!("{path}/secrets"), json!({ "overlap_seconds": 86_400 }))
            }
            Change::RevokeSecret { secret, allow_lockout } => {
                let id = self.secret_id(client, secret);
                let path = format!("{path}/secrets/{id}?allow_lockout={allow_lockout}");
                (Method::DELETE, path, json!({}))
            }
            Change::CompleteRotation(secret) | Change::CancelRotation(secret) => {
                let end = if matches!(change, Change::CompleteRotation(_)) { "complete" } else { "cancel" };
                let id = self.secret_id(client, secret);
                (Method::POST, format!("{path}/secrets/{id}/{end}"), json!({}))
            }
            Change::RotateSigningSecret { overlap } => {
                let seconds = if overlap { 86_400 } else { 0 };
                let body = json!({ "overlap_seconds": seconds });
                (Method::POST, format!("{path}/signing_secret"), body)
            }
            Change::CompleteSigningSecretRotation => {
                (Method::POST, format!("{path}/signing_secret/complete"), json!({}))
            }
            Change::EncryptPayloads(on) => (Method::PATCH, path, json!({ "payload_encryption": on })),
            Change::Responsible(member) => {
                (Method::PUT, format!("{path}/responsible"), json!({ "member_id": self.members[member].id }))
            }
            Change::RevealSigningSecret => (Method::POST, format!("{path}/reveal"), json!({})),
            Change::Deactivate => (Method::POST, format!("{path}/deactivate"), json!({})),
            Change::Enable => (Method::POST, format!("{path}/enable"), json!({})),
            Change::Delete => (Method::DELETE, path, json!({})),
        };
        self.sent(token, method, &path, key).header("if-match", "*").json(&body)
    }

    /// The id of a secret; one that is not there, if it has not so many.
    fn secret_id(&self, client: usize, secret: usize) -> &str {
        self.known[client].secrets.get(secret).map_or("0000000000000000", String::as_str)
    }

    fn sent(&mut self, token: &str, method: Method, path: &str, key: &str) -> RequestBuilder {
        self.service().request_as(token, method, path).header("idempotency-key", key)
    }
}

/// The last part of a path that says what becomes of something in the catalog.
fn retire(deprecated: bool) -> &'static str {
    if deprecated { "deprecate" } else { "restore" }
}
