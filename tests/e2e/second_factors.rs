//! What members sign in with beside their password, at the page where they see and change it.

use serde_json::json;
use tests::{
    Answer, Service,
    oauth::{Visitor, hidden, sent_back},
};

use crate::{oauth::steps::part, passwords::code_of};

/// Has every member prove a second factor.
async fn demand_of_all(service: &Service) {
    let sandbox = service.get("/api/v1/environments/sandbox").await.expect(200);
    let policy = json!({ "policy": { "second_factor_required": "always" } });
    service.patch("/api/v1/environments/sandbox", sandbox.header("etag"), &policy).await.expect(200);
}

/// Sends the form of a page that does `what`, with further fields.
async fn send(visitor: &Visitor<'_>, page: &Answer, what: &str, fields: &[(&str, &str)]) -> Answer {
    let kept = hidden(page);
    let mut form: Vec<(&str, &str)> = vec![("do", what)];
    for (name, value) in &kept {
        if form.iter().all(|(known, _)| known != name) {
            form.push((name, value));
        }
    }
    form.extend(fields);
    visitor.post("second_factor", &form).await
}

/// The key that a page shows.
fn key_of(page: &Answer) -> &str {
    let key = page.text.split_once("id=\"key\" data-value=\"").expect("a key").1;
    key.split_once('"').expect("its end").0
}

/// Where a page leads on.
fn next_of(page: &Answer) -> String {
    let link = page.text.split_once("class=\"btn btn-primary\" href=\"").expect("a link").1;
    link.split_once('"').expect("its end").0.replace("&#38;", "&")
}

/// Adds an authenticator on the page that is shown; answers the page that follows.
async fn add_authenticator(visitor: &Visitor<'_>, page: &Answer) -> Answer {
    let begun = send(visitor, page, "add_authenticator", &[]).await.expect(200);
    let code = code_of(key_of(&begun));
    send(visitor, &begun, "confirm_authenticator", &[("code", &code)]).await.expect(200)
}

#[tokio::test]
async fn l1_who_has_no_second_factor_adds_one_on_the_way_and_is_taken_back() {
    let service = Service::start().await;
    demand_of_all(&service).await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    // The client wants it anew: once is enough, whatever else is asked for on the way.
    let request = application.request_with(&[("prompt", "login")]);
    let page = ines.authorize(&request).await.expect(200);
    let sent = ines.sign_in(&page).await.expect(303);
    let page = ines.get(sent.header("location")).await.expect(200);
    assert!(page.text.contains("To go on to <b><bdi>Matter sync"), "{}", page.text);
    assert!(!page.text.contains("name=\"current_password\""), "she has just entered it: {}", page.text);
    let before = ines.cookies();
    let begun = send(&ines, &page, "add_authenticator", &[]).await.expect(200);
    assert!(begun.text.contains("<svg class=\"qr\""), "{}", begun.text);
    let wrong = send(&ines, &begun, "confirm_authenticator", &[("code", "000000")]).await.expect(422);
    assert_eq!(key_of(&wrong), key_of(&begun));
    let code = code_of(key_of(&wrong));
    let codes = send(&ines, &wrong, "confirm_authenticator", &[("code", &code)]).await.expect(200);
    assert_eq!(codes.text.matches("<br>").count(), 9, "ten codes: {}", codes.text);
    assert_ne!(ines.cookies(), before, "another session, which has proved more");
    let asked = ines.get(&next_of(&codes)).await.expect(200);
    let sent = ines.decide(&asked, "allow", false).await.expect(303);
    let code = sent_back(&sent).remove("code").expect("a code");
    let tokens = service.redeem(&application, &code).await.expect(200);
    let claims = part(tokens.text_of("/id_token"), 1);
    assert_eq!(claims["amr"], json!(["pwd", "otp"]));

    // The session that had proved less is over.
    let earlier = ines.elsewhere();
    earlier.hold(before);
    let page = earlier.authorize(&application.request()).await.expect(200);
    assert!(page.text.contains("name=\"password\""), "{}", page.text);
    service.finish().await;
}

#[tokio::test]
async fn l1_a_way_back_is_judged_anew_at_each_step() {
    let service = Service::start().await;
    demand_of_all(&service).await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let sent = ines.sign_in(&page).await.expect(303);
    let page = ines.get(sent.header("location")).await.expect(200);
    // A request that no client may make leads nowhere, on the page and behind its forms.
    let elsewhere = "client_id=nobody&redirect_uri=https://evil.example/";
    let query = tests::oauth::encoded([("continue", elsewhere)].into_iter());
    ines.get(&format!("second_factor?{query}")).await.expect(400);
    let csrf = hidden(&page).into_iter().find(|(name, _)| name == "csrf").expect("a proof").1;
    let form = [("do", "add_authenticator"), ("csrf", csrf.as_str()), ("continue", elsewhere)];
    ines.post("second_factor", &form).await.expect(400);
    // Without having signed in for it, nobody has: the proof of another request is none.
    let other = application.request_with(&[("prompt", "login"), ("state", "s-2")]);
    let query = tests::oauth::encoded(other.iter().map(|(name, value)| (*name, value.as_str())));
    let form = [("do", "add_authenticator"), ("csrf", csrf.as_str()), ("continue", query.as_str())];
    let begun = ines.post("second_factor", &form).await.expect(200);
    let code = code_of(key_of(&begun));
    let codes = send(&ines, &begun, "confirm_authenticator", &[("code", &code)]).await.expect(200);
    let page = ines.get(&next_of(&codes)).await.expect(200);
    assert!(page.text.contains("name=\"password\""), "the client wants her to sign in: {}", page.text);
    service.finish().await;
}

#[tokio::test]
async fn l1_a_member_sees_and_changes_its_second_factor() {
    let service = Service::start().await;
    let ines = service.visitor("Ines Duarte").await;
    assert_eq!(ines.get("second_factor").await.expect(303).header("location"), "sign_in");
    let page = ines.get("sign_in").await.expect(200);
    ines.sign_in(&page).await.expect(200);
    let page = ines.get("second_factor").await.expect(200);
    assert!(page.text.contains("Add an authenticator"), "{}", page.text);
    let codes = add_authenticator(&ines, &page).await;
    assert_eq!(next_of(&codes), "second_factor");
    let page = ines.get("second_factor").await.expect(200);
    assert!(page.text.contains("Use another authenticator") && page.text.contains("Make new recovery codes"));
    let further = send(&ines, &page, "make_codes", &[]).await.expect(200);
    assert_ne!(further.text.split_once("data-value"), codes.text.split_once("data-value"));
    // Nobody else's form, and nothing that nobody asks for.
    for form in [&[("do", "remove_authenticator")][..], &[("do", "remove_authenticator"), ("csrf", "x")]] {
        ines.post("second_factor", form).await.expect(403);
    }
    send(&ines, &page, "dance", &[]).await.expect(403);
    let asked = ines.get("second_factor?remove=authenticator").await.expect(200);
    let sent = send(&ines, &asked, "remove_authenticator", &[]).await.expect(303);
    let page = ines.get(sent.header("location")).await.expect(200);
    assert!(page.text.contains("The authenticator is removed."), "{}", page.text);
    assert!(page.text.contains("Add an authenticator"), "{}", page.text);
    service.finish().await;
}
