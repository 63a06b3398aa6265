//! Client metadata (RFC 7591 section 2): read as a whole, so that one answer names everything that is wrong.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    Rule, Violation,
    environment::AccessTokenFormat,
    oauth::{
        GrantType, PublicKey, RedirectLimits, RedirectRule, RedirectUri, ScopeSet, TokenEndpointAuthMethod,
    },
    violation::{Violations, plain_text},
};

/// More redirect URIs than any real client has.
pub const MOST_REDIRECT_URIS: usize = 50;
/// All redirect URIs of a client together, in bytes: an event holds the old and the new list, and an entry of the
/// log has at most 65,535 bytes.
const MOST_REDIRECT_URI_BYTES: usize = 20_000;
/// Where codes may be sent.
pub(super) const REDIRECT_URIS: &str = "/redirect_uris";
/// Where members may be sent who have signed out.
pub(super) const POST_LOGOUT_REDIRECT_URIS: &str = "/post_logout_redirect_uris";
/// Where the keys of a client stand in its metadata.
pub(super) const KEYS: &str = "/jwks/keys";
const LONGEST_NAME: usize = 120;
const LONGEST_DESCRIPTION: usize = 1_000;

/// Metadata as it came in: text, nothing checked.
#[derive(Clone, Debug, Default)]
pub struct ClientDraft {
    /// `client_name`.
    pub client_name: String,
    /// What it is for; `None` and blanks say nothing.
    pub description: Option<String>,
    /// The name of the client's type.
    pub client_type: String,
    /// `redirect_uris`.
    pub redirect_uris: Vec<String>,
    /// `post_logout_redirect_uris` (OpenID Connect RP-Initiated Logout section 3.1).
    pub post_logout_redirect_uris: Vec<String>,
    /// `scope`: tokens separated by blanks.
    pub scope: String,
    /// `grant_types`; `None` takes `authorization_code` and `refresh_token`.
    pub grant_types: Option<Vec<String>>,
    /// `token_endpoint_auth_method`; `None` takes `client_secret_basic`.
    pub token_endpoint_auth_method: Option<String>,
    /// `jwks`: what it signs its assertions with, each key with its members.
    pub jwks: Vec<Map<String, Value>>,
    /// What its access tokens are to whoever holds them; `None` leaves it to the environment.
    pub access_token_format: Option<AccessTokenFormat>,
    /// Whether its payloads are encrypted.
    pub payload_encryption: bool,
}

/// Metadata whose every field obeys its own rules and agrees with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMetadata {
    /// `client_name`.
    pub client_name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The name of the client's type.
    pub client_type: String,
    /// `redirect_uris`.
    pub redirect_uris: Vec<RedirectUri>,
    /// `post_logout_redirect_uris`.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// `scope`.
    pub scope: ScopeSet,
    /// `grant_types`.
    pub grant_types: Vec<GrantType>,
    /// `token_endpoint_auth_method`.
    pub token_endpoint_auth_method: TokenEndpointAuthMethod,
    /// `jwks`.
    pub keys: Vec<PublicKey>,
}

impl ClientMetadata {
    /// Reads a draft for an environment with this rule.
    ///
    /// # Errors
    /// Every violation there is, not only the first.
    pub fn parse(draft: &ClientDraft, redirect_rule: RedirectRule) -> Result<Self, Vec<Violation>> {
        let mut wrong = Violations::default();
        // No exception can have been recorded for what is not there yet.
        let limits = RedirectLimits { rule: redirect_rule, exceptions: &BTreeSet::new() };
        let client_name = wrong.keep("/client_name", client_name(&draft.client_name));
        let description = wrong.keep("/description", description(draft.description.as_deref()));
        let client_type = wrong.keep("/client_type", plain_text(&draft.client_type, 64));
        let method = wrong
            .keep("/token_endpoint_auth_method", auth_method(draft.token_endpoint_auth_method.as_deref()));
        let grant_types = keep_grant_types(&mut wrong, draft.grant_types.as_deref());
        let read = |pointer, texts| uris(pointer, texts, &[], limits);
        let redirect_uris = keep(&mut wrong, read(REDIRECT_URIS, &draft.redirect_uris));
        let after = keep(&mut wrong, read(POST_LOGOUT_REDIRECT_URIS, &draft.post_logout_redirect_uris));
        let scope = keep(&mut wrong, scope(&draft.scope));
        let keys = keep(&mut wrong, PublicKey::parse_set(&draft.jwks, KEYS));

        let by_code = grant_types.contains(&GrantType::AuthorizationCode);
        if by_code && draft.redirect_uris.is_empty() {
            wrong.add(
                "/redirect_uris",
                Rule::Required,
                "the grant type authorization_code needs at least one",
            );
        }
        if grant_types.contains(&GrantType::RefreshToken) && !by_code {
            wrong.add(
                "/grant_types",
                Rule::Contradiction,
                "refresh_token needs authorization_code beside it",
            );
        }
        if let Some(method) = method {
            check_keys(&mut wrong, method, draft.jwks.is_empty());
        }
        if method == Some(TokenEndpointAuthMethod::None)
            && grant_types.contains(&GrantType::ClientCredentials)
        {
            wrong.add(
                "/grant_types",
                Rule::Contradiction,
                "a public client cannot use client_credentials (RFC 6749 section 4.4)",
            );
        }
        match (client_name, description, client_type, method, redirect_uris, after, scope, keys) {
            (
                Some(client_name),
                Some(description),
                Some(client_type),
                Some(token_endpoint_auth_method),
                Some(redirect_uris),
                Some(post_logout_redirect_uris),
                Some(scope),
                Some(keys),
            ) if wrong.0.is_empty() => Ok(Self {
                client_name,
                description,
                client_type,
                redirect_uris,
                post_logout_redirect_uris,
                scope,
                grant_types,
                token_endpoint_auth_method,
                keys,
            }),
            _ => Err(wrong.0),
        }
    }
}

/// A client that proves itself by a key has one.
pub(super) fn check_keys(wrong: &mut Violations, method: TokenEndpointAuthMethod, has_none: bool) {
    if has_none && method == TokenEndpointAuthMethod::PrivateKeyJwt {
        wrong.add(KEYS, Rule::Required, "private_key_jwt needs at least one key");
    }
}

fn keep<T>(wrong: &mut Violations, parsed: Result<T, Vec<Violation>>) -> Option<T> {
    parsed.map_err(|violations| wrong.0.extend(violations)).ok()
}

/// The friendly name, which people see on the consent page.
pub(super) fn client_name(text: &str) -> Result<String, (Rule, String)> {
    plain_text(text, LONGEST_NAME)
}

/// What a client is for: text that anyone may read.
pub(super) fn description(text: Option<&str>) -> Result<Option<String>, (Rule, String)> {
    let said = text.filter(|text| !text.trim().is_empty());
    said.map(|text| plain_text(text, LONGEST_DESCRIPTION)).transpose()
}

/// At least one scope: a client that may ask for nothing is a mistake (behaviour C2).
pub(super) fn scope(text: &str) -> Result<ScopeSet, Vec<Violation>> {
    let scope = ScopeSet::parse(text, "/scope")?;
    if scope.is_empty() {
        return Err(vec![Violation::new("/scope", Rule::Required, "choose at least one scope")]);
    }
    Ok(scope)
}

/// Every URI of the list at `list` good, none twice. One that is `registered` stays good, whatever the rules say by now.
pub(super) fn uris(
    list: &str,
    texts: &[String],
    registered: &[RedirectUri],
    limits: RedirectLimits<'_>,
) -> Result<Vec<RedirectUri>, Vec<Violation>> {
    let mut uris: Vec<RedirectUri> = Vec::with_capacity(texts.len());
    let mut wrong = Violations::default();
    if texts.len() > MOST_REDIRECT_URIS {
        wrong.add(list, Rule::TooMany, format!("at most {MOST_REDIRECT_URIS}"));
        return Err(wrong.0);
    }
    if texts.iter().map(String::len).sum::<usize>() > MOST_REDIRECT_URI_BYTES {
        wrong.add(list, Rule::TooLong, format!("at most {MOST_REDIRECT_URI_BYTES} bytes together"));
    }
    let known = |text: &String| match registered.iter().find(|uri| uri.as_str() == text) {
        Some(uri) => Ok(uri.clone()),
        None => RedirectUri::parse_within(text, limits),
    };
    for (place, text) in texts.iter().enumerate() {
        let pointer = format!("{list}/{place}");
        if let Some(uri) = wrong.keep(&pointer, known(text)) {
            if uris.contains(&uri) {
                wrong.add(pointer, Rule::Duplicate, "stands twice");
            } else {
                uris.push(uri);
            }
        }
    }
    if wrong.0.is_empty() { Ok(uris) } else { Err(wrong.0) }
}

fn auth_method(text: Option<&str>) -> Result<TokenEndpointAuthMethod, (Rule, String)> {
    let Some(text) = text else { return Ok(TokenEndpointAuthMethod::ClientSecretBasic) };
    let known =
        TokenEndpointAuthMethod::ALL.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    TokenEndpointAuthMethod::parse(text).ok_or_else(|| (Rule::Unsupported, format!("must be one of {known}")))
}

fn keep_grant_types(wrong: &mut Violations, texts: Option<&[String]>) -> Vec<GrantType> {
    let Some(texts) = texts else {
        // RFC 7591 section 2 says authorization_code; a client without redirect URIs has to say that it means another.
        return vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    };
    let mut grant_types = Vec::with_capacity(GrantType::ALL.len());
    if texts.is_empty() {
        wrong.add("/grant_types", Rule::Required, "choose at least one");
    }
    if texts.len() > GrantType::ALL.len() {
        wrong.add("/grant_types", Rule::TooMany, format!("at most {}", GrantType::ALL.len()));
        return grant_types;
    }
    for (place, text) in texts.iter().enumerate() {
        let pointer = format!("/grant_types/{place}");
        match GrantType::parse(text) {
            Some(grant_type) if grant_types.contains(&grant_type) => {
                wrong.add(pointer, Rule::Duplicate, "stands twice");
            }
            Some(grant_type) => grant_types.push(grant_type),
            None => wrong.add(
                pointer,
                Rule::Unsupported,
                "must be one of authorization_code, refresh_token, client_credentials",
            ),
        }
    }
    grant_types.sort_unstable();
    grant_types
}
