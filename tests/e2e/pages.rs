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

const PASSWORD: &str = "the password of Ada";
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
fn ask(query: &str, title: &str) -> Value {
    json!({ "open": format!("/sandbox/authorize?{query}"), "title": title })
}

#[tokio::test(flavor = "multi_thread")]
async fn oauth_21_a_member_signs_in_denies_allows_and_withdraws_by_the_keyboard_alone() {
    let service = Service::start_without_a_proxy().await;
    let client = Elsewhere::start(
        "<!doctype html><html lang=en><title>Back</title><link rel=icon href=data:,><main><h1>Back</h1></main>",
    )
    .await;
    let callback = format!("{}/callback", client.base);
    let mut body = client_body("Matter sync");
    body["redirect_uris"] = json!([callback]);
    let created = service.post(CLIENTS, &body).await.expect(201);
    let (ada, _) = service.create_member("Ada Lovelace", &["auditor"]).await;
    let path = format!("/api/v1/members/{ada}/password");
    answer(service.request(Method::PUT, &path).json(&json!({ "password": PASSWORD }))).await.expect(200);

    let query = format!(
        "response_type=code&client_id={}&redirect_uri={callback}&scope=matters:read%20matters:write&state=xyz\
         &code_challenge={CHALLENGE}&code_challenge_method=S256",
        created.text_of("/client_id")
    );
    let other = query.replace("callback&", "callback/&");
    let sent_back = |with: &str| json!({ "at": [callback, with, "state=xyz", "iss="], "title": "Back" });
    let enter = |title: &str, picture: &str| json!({ "press": "Enter", "leads": true, "title": title, "examine": format!("walk_{picture}") });
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
