//! The pages that people see, in the browser that they use.

use reqwest::Method;
use serde_json::{Value, json};
use server::pages::samples;
use tests::{
    Service,
    browser::{self, Elsewhere},
    client_body,
    http::{CLIENTS, answer},
};

pub(crate) const PASSWORD: &str = "the password of Ada";
/// What a client shows.
pub(crate) const BACK: &str =
    "<!doctype html><html lang=en><title>Back</title><link rel=icon href=data:,><main><h1>Back</h1></main>";
/// The digest of a verifier (RFC 7636 appendix B).
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_right_for_everybody_on_a_desk_and_on_a_phone() {
    let (address, serving) = samples::serve().expect("a port");
    let pages: Vec<_> = samples::names().into_iter().map(|name| (name, format!("/pages/{name}"))).collect();
    let base = format!("http://{address}");
    tokio::select! {
        faults = browser::faults(&base, &pages) => assert!(faults.is_empty(), "{}", faults.join("\n")),
        ended = serving => ended.expect("pages are served"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_wrong_is_found_out() {
    let other = Elsewhere::start("").await;
    let page = format!(
        "<!doctype html><title>Wrong</title><input><script>1</script><p style=\"width: 2000px\">Wide</p>\
         <img alt=\"\" src=\"{}/\">",
        other.base
    );
    let wrong = Elsewhere::start(&page).await;
    let faults = browser::faults(&wrong.base, &[("wrong", "/".to_owned())]).await.join("\n");
    for found in [
        "Content Security Policy directive 'script-src 'self''",
        &format!("asks for {}/", other.base),
        "pixels wider than a window of 1280",
        "pixels wider than a window of 320",
        "html-has-lang: ",
        "label: ",
    ] {
        assert!(faults.contains(found), "{found}: {faults}");
    }
}

/// Asks for something, and what the member is shown then.
pub(crate) fn ask(query: &str, title: &str) -> Value {
    json!({ "open": format!("/sandbox/authorize?{query}"), "title": title })
}

/// A member who has a password; answers its id.
pub(crate) async fn ada(service: &Service) -> String {
    let (ada, _) = service.create_member("Ada Lovelace", &["auditor"]).await;
    let path = format!("/api/v1/members/{ada}/password");
    answer(service.request(Method::PUT, &path).json(&json!({ "password": PASSWORD }))).await.expect(200);
    ada
}

/// A client that waits at `callback`; answers what it asks for.
pub(crate) async fn matter_sync(service: &Service, callback: &str) -> String {
    let mut body = client_body("Matter sync");
    body["redirect_uris"] = json!([callback]);
    let created = service.post(CLIENTS, &body).await.expect(201);
    format!(
        "response_type=code&client_id={}&redirect_uri={callback}&scope=matters:read%20matters:write&state=xyz\
         &code_challenge={CHALLENGE}&code_challenge_method=S256",
        created.text_of("/client_id")
    )
}

/// Presses Enter, and is led to a page of this title.
pub(crate) fn enter(title: &str, picture: &str) -> Value {
    json!({ "press": "Enter", "leads": true, "title": title, "examine": format!("walk_{picture}") })
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_member_adds_and_removes_an_authenticator_by_the_keyboard_alone() {
    let service = Service::start_without_a_proxy().await;
    let client = Elsewhere::start(BACK).await;
    let callback = format!("{}/callback", client.base);
    let query = matter_sync(&service, &callback).await;
    ada(&service).await;
    let sandbox = service.get("/api/v1/environments/sandbox").await.expect(200);
    let policy = json!({ "policy": { "second_factor_required": "always" } });
    service.patch("/api/v1/environments/sandbox", sandbox.header("etag"), &policy).await.expect(200);
    let steps = json!([
        ask(&query, "Sign in"),
        { "reach": "#email", "type": "ada.lovelace@members.example" },
        { "reach": "#password", "type": PASSWORD },
        enter("Your second factor", "second_factor_wanted"),
        { "text": "To go on to Matter sync" },
        { "reach": "button.btn-primary" },
        enter("Add an authenticator", "authenticator"),
        { "reach": "#code", "type": "000000" },
        enter("Error: Add an authenticator", "authenticator_refused"),
        { "reach": "#code", "code": "#key" },
        enter("Keep your recovery codes", "recovery_codes"),
        { "reach": "a.btn-primary" },
        enter("Allow Matter sync?", "consent_with_a_second_factor"),
        { "reach": "[value=allow]", "press": "Enter", "leads": true },
        { "at": [callback, "code=mac_"] },
        { "open": "/sandbox/grants", "title": "What you have allowed" },
        { "reach": "[href=second_factor]" },
        enter("Your second factor", "second_factor"),
        { "reach": "[href='second_factor?remove=authenticator']" },
        enter("Remove the authenticator?", "second_factor_removing"),
        // The way out has the focus.
        enter("Your second factor", "second_factor_kept"),
        { "reach": "[href='second_factor?remove=authenticator']", "press": "Enter", "leads": true },
        { "reach": "button.btn-danger" },
        enter("Your second factor", "second_factor_removed"),
        { "text": "The authenticator is removed." },
        { "reach": "[href=logout]", "press": "Enter", "leads": true },
        { "reach": "button.btn-primary", "press": "Enter", "leads": true, "title": "You are signed out" },
    ]);
    browser::walk(&service.base, &client.base, &steps).await;
    service.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth_21_a_member_signs_in_denies_allows_and_withdraws_by_the_keyboard_alone() {
    let service = Service::start_without_a_proxy().await;
    let client = Elsewhere::start(BACK).await;
    let callback = format!("{}/callback", client.base);
    let query = matter_sync(&service, &callback).await;
    ada(&service).await;
    let other = query.replace("callback&", "callback/&");
    let sent_back = |with: &str| json!({ "at": [callback, with, "state=xyz", "iss="], "title": "Back" });
    let steps = json!([
        ask(&query, "Sign in"),
        { "reach": "#email", "type": "ada.lovelace@members.example" },
        { "reach": "#password", "type": "another password" },
        enter("Error: Sign in", "sign_in_refused"),
        { "reach": "#password", "type": PASSWORD },
        enter("Allow Matter sync?", "consent"),
        { "text": "Create and change matters" },
        { "reach": "[value=deny]", "press": "Enter", "leads": true },
        sent_back("error=access_denied"),
        ask(&query, "Allow Matter sync?"),
        { "reach": "#remember", "press": "Space" },
        { "reach": "[value=allow]", "press": "Enter", "leads": true },
        sent_back("code=mac_"),
        // It is remembered.
        ask(&query, "Back"),
        sent_back("code=mac_"),
        { "open": "/sandbox/grants", "title": "What you have allowed", "examine": "walk_allowed" },
        { "reach": "[href^='grants?withdraw=']" },
        enter("Withdraw Matter sync?", "withdraw"),
        // The way out has the focus.
        enter("What you have allowed", "kept"),
        { "text": "Create and change matters" },
        { "reach": "[href^='grants?withdraw=']", "press": "Enter", "leads": true },
        { "reach": "button.btn-danger" },
        enter("What you have allowed", "withdrawn"),
        { "text": "Matter sync can no longer use your account." },
        ask(&query, "Allow Matter sync?"),
        { "reach": "[href=logout]" },
        enter("Sign out?", "sign_out"),
        { "reach": "button.btn-primary" },
        enter("You are signed out", "signed_out"),
        ask(&other, "Error: "),
        { "text": "a trailing slash", "examine": "walk_mismatch" },
    ]);
    browser::walk(&service.base, &client.base, &steps).await;
    service.finish().await;
}
