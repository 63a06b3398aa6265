//! Steps that many rules share, and what is looked for after them.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tests::{
    Answer, Service,
    http::answer,
    oauth::{Application, CALLBACK, VERIFIER, Visitor, sent_back},
};

/// A form.
pub(super) type Form<'f> = Vec<(&'f str, &'f str)>;

/// What a code is redeemed with.
pub(super) fn redemption(code: &str) -> Form<'_> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// The same form with a field changed; one that is changed to nothing is left out.
pub(super) fn with<'f>(form: &Form<'f>, name: &'f str, value: &'f str) -> Form<'f> {
    let mut form: Form<'f> = form.iter().filter(|(other, _)| *other != name).copied().collect();
    if !value.is_empty() {
        form.push((name, value));
    }
    form
}

/// A client that has no secret.
pub(super) async fn public(service: &Service, name: &str) -> Application {
    let metadata = json!({
        "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"],
    });
    service.application_with(name, metadata).await
}

/// The member signs in and allows all that the client asks for, for good: from now on a good request gives a code at once.
pub(super) async fn remembered(visitor: &Visitor<'_>, application: &Application) {
    let mut page = visitor.authorize(&application.request()).await.expect(200);
    if page.text.contains("name=\"password\"") {
        page = visitor.sign_in(&page).await.expect(200);
    }
    visitor.decide(&page, "allow", true).await.expect(303);
}

/// Tokens for all that the client asks for.
pub(super) async fn tokens(service: &Service, visitor: &Visitor<'_>, application: &Application) -> Answer {
    let code = visitor.allow(&application.request()).await;
    service.redeem(application, &code).await.expect(200)
}

/// The tokens of a refresh token.
pub(super) async fn refresh(service: &Service, application: &Application, token: &str) -> Answer {
    service.token(application, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

/// A refusal in the form of RFC 6749 section 5.2.
#[track_caller]
pub(super) fn refused(found: Answer, status: u16, error: &str) -> Answer {
    let found = found.expect(status);
    assert_eq!(found.text_of("/error"), error, "{}", found.text);
    assert_eq!(found.header("content-type"), "application/json");
    assert_eq!(found.header("cache-control"), "no-store");
    assert!(!found.text.contains("_token\":"), "{}", found.text);
    found
}

/// A page that leads nowhere, and asks for no password.
#[track_caller]
pub(super) fn stays(found: Answer, status: u16) -> Answer {
    let found = found.expect(status);
    assert_eq!(found.header("location"), "", "{}", found.text);
    assert!(found.header("content-type").starts_with("text/html"), "{}", found.header("content-type"));
    assert!(!found.text.contains("name=\"password\""), "{}", found.text);
    found
}

/// An error that the client is told at its address.
#[track_caller]
pub(super) fn told(found: Answer, error: &str) -> BTreeMap<String, String> {
    let told = sent_back(&found.expect(303));
    assert_eq!(told.get("error").map(String::as_str), Some(error), "{told:?}");
    assert!(!told.contains_key("code"), "{told:?}");
    told
}

/// What the activity log has of a client: `kind reason`, oldest first.
pub(super) async fn deeds(service: &Service, application: &Application) -> Vec<String> {
    let deeds = service.deeds(application).await;
    deeds.into_iter().map(|(kind, reason)| format!("{kind} {reason}")).collect()
}

/// The newest of them.
pub(super) async fn last_deed(service: &Service, application: &Application) -> String {
    deeds(service, application).await.pop().unwrap_or_default()
}

/// The type of the newest event about a client.
pub(super) async fn last_event(service: &Service, application: &Application) -> String {
    service.history_of(application).await.pop().unwrap_or_default()
}

/// Why things of a kind were refused, whoever asked, oldest first; `done` if they were not.
pub(crate) async fn outcomes(service: &Service, kind: &str) -> Vec<String> {
    let found = service.get(&format!("/api/v1/activity?kind={kind}&order=asc&limit=500")).await.expect(200);
    let items = found.body["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item["reason"].as_str().unwrap_or("done").to_owned()).collect()
}

/// A part of a JWT: the header is the first, the claims are the second.
pub(crate) fn part(token: &str, number: usize) -> Value {
    let text = token.split('.').nth(number).expect("a part");
    let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// A GET without any credentials.
pub(super) async fn plain(service: &Service, path: &str) -> Answer {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    answer(http.expect("an HTTP client").get(format!("{}{path}", service.base))).await
}

/// The metadata of the sandbox.
pub(super) async fn metadata(service: &Service) -> Value {
    plain(service, "/.well-known/oauth-authorization-server/sandbox").await.expect(200).body
}

/// Whether the token is known to be good.
pub(super) async fn is_active(service: &Service, application: &Application, token: &str) -> bool {
    let known = service.introspected(application, token).await;
    if known["active"] == true {
        return true;
    }
    assert_eq!(known, json!({ "active": false }), "nothing else is told");
    false
}
