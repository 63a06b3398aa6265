//! Client metadata as JSON (RFC 7591 section 2). What is not known here is not looked at, as that section says; what is known
//! and cannot be kept is refused, so that nobody believes it was understood.

use actix_web::{HttpMessage, HttpRequest};
use app::{Contact, CreateClientRequest, RegistrationRequest};
use crypto::{Personal, SecretString};
use domain::{
    Rule, Violation,
    client::{ClientDraft, Software},
    oauth::GrantType,
};
use serde_json::{Map, Value};

/// What a request to register anew must not have (RFC 7592 section 2.2).
const NOT_SENT_BACK: [&str; 4] = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
];

/// The members of a JSON object, and what was wrong with those that were read.
struct Members {
    members: Map<String, Value>,
    wrong: Vec<Violation>,
}

/// What a client says that registers itself. An id or a secret of its own choice is not looked at.
pub(super) fn request(http: &HttpRequest, body: &[u8]) -> RegistrationRequest {
    Members::read(http, body).request()
}

/// What a client says that registers anew.
pub(super) fn replacement(http: &HttpRequest, body: &[u8]) -> RegistrationRequest {
    let mut members = Members::read(http, body);
    let client_id = members.text("client_id");
    let client_secret = members.text("client_secret").map(SecretString::from);
    for name in NOT_SENT_BACK {
        if members.has(name) {
            members.refuse(name, Rule::UnknownField, "is not a client's to say (RFC 7592 section 2.2)");
        }
    }
    RegistrationRequest { client_id, client_secret, ..members.request() }
}

impl Members {
    fn read(http: &HttpRequest, body: &[u8]) -> Self {
        let nothing = |detail: &str| Self {
            members: Map::new(),
            wrong: vec![Violation::new("", Rule::Malformed, detail)],
        };
        if !http.content_type().trim().eq_ignore_ascii_case("application/json") {
            return nothing("send the metadata as application/json");
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Self { members, wrong: Vec::new() },
            Ok(_) | Err(_) => nothing("the metadata must be a JSON object"),
        }
    }

    fn request(mut self) -> RegistrationRequest {
        let unreadable = !self.wrong.is_empty();
        let scope = self.text("scope");
        let software = Software {
            client_uri: self.text("client_uri"),
            logo_uri: self.text("logo_uri"),
            tos_uri: self.text("tos_uri"),
            policy_uri: self.text("policy_uri"),
            software_id: self.text("software_id"),
            software_version: self.text("software_version"),
        };
        let grant_types = self.texts("grant_types");
        self.check_response_types(grant_types.as_deref());
        if self.has("jwks_uri") {
            self.refuse(
                "jwks_uri",
                Rule::Unsupported,
                "nothing is fetched: send the keys themselves as jwks",
            );
        }
        if self.has("software_statement") {
            self.refuse("software_statement", Rule::Unsupported, "no software statement is approved here");
        }
        let contact =
            |email: String| Contact { name: Personal::new(email.clone()), email: Personal::new(email) };
        let contacts = self.texts("contacts").unwrap_or_default().into_iter().map(contact).collect();
        let metadata = ClientDraft {
            client_name: self.text("client_name").unwrap_or_default(),
            redirect_uris: self.texts("redirect_uris").unwrap_or_default(),
            post_logout_redirect_uris: self.texts("post_logout_redirect_uris").unwrap_or_default(),
            scope: scope.clone().unwrap_or_default(),
            grant_types,
            token_endpoint_auth_method: self.text("token_endpoint_auth_method"),
            jwks: self.keys(),
            ..ClientDraft::default()
        };
        let terms_accepted = self.text("terms_accepted");
        if unreadable {
            // What is missing from nothing says nothing.
            self.wrong.truncate(1);
        }
        RegistrationRequest {
            client: CreateClientRequest {
                metadata,
                contacts,
                terms_accepted,
                ..CreateClientRequest::default()
            },
            says_scope: scope.is_some(),
            software,
            malformed: self.wrong,
            ..RegistrationRequest::default()
        }
    }

    /// Whether something is said; null says nothing.
    fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some_and(|value| !value.is_null())
    }

    fn refuse(&mut self, name: &str, rule: Rule, detail: &str) {
        self.wrong.push(Violation::new(format!("/{name}"), rule, detail));
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.members.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                self.refuse(name, Rule::WrongType, "must be a string");
                None
            }
        }
    }

    fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let items = match self.members.get(name) {
            None | Some(Value::Null) => return None,
            Some(Value::Array(items)) => items,
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                self.refuse(name, Rule::WrongType, "must be an array of strings");
                return None;
            }
        };
        let texts: Option<Vec<_>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        if texts.is_none() {
            self.refuse(name, Rule::WrongType, "must be an array of strings");
        }
        texts
    }

    /// The keys of `jwks` (RFC 7517 section 5).
    fn keys(&mut self) -> Vec<Map<String, Value>> {
        if !self.has("jwks") {
            return Vec::new();
        }
        let keys = self.members.get("jwks").and_then(|set| set.get("keys")).and_then(Value::as_array);
        let keys: Option<Vec<_>> =
            keys.and_then(|keys| keys.iter().map(|key| key.as_object().cloned()).collect());
        if keys.is_none() {
            self.refuse("jwks", Rule::WrongType, "must be an object with keys, an array of objects");
        }
        keys.unwrap_or_default()
    }

    /// A code is the one response there is, and comes of the one grant type that has any (RFC 7591 section 2.1).
    fn check_response_types(&mut self, grant_types: Option<&[String]>) {
        let Some(asked) = self.texts("response_types") else { return };
        if asked.iter().any(|one| one != "code") {
            self.refuse("response_types", Rule::Unsupported, "must be code");
        }
        let code = GrantType::AuthorizationCode.as_str();
        let by_code = grant_types.is_none_or(|grant_types| grant_types.iter().any(|one| one == code));
        if !by_code && !asked.is_empty() {
            let detail = "a response needs the grant type authorization_code (RFC 7591 section 2.1)";
            self.refuse("response_types", Rule::Contradiction, detail);
        }
    }
}
