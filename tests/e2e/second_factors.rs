//! What members sign in with beside their password, at the page where they see and change it.

use serde_json::json;
use tests::{
    Answer, Service,
    browser::{self, Elsewhere},
    oauth::{Visitor, hidden, sent_back},
};

use crate::{
    oauth::steps::{outcomes, part},
    pages::{BACK, PASSWORD, ada, ask, enter, matter_sync},
    passwords::code_of,
};

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
    form.extend(fields);
    for (name, value) in &kept {
        if form.iter().all(|(known, _)| known != name) {
            form.push((name, value));
        }
    }
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
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));

    // The session that had proved less is over.
    let earlier = ines.elsewhere();
    earlier.hold(before);
    let page = earlier.authorize(&application.request()).await.expect(200);
    assert!(page.text.contains("name=\"password\""), "{}", page.text);
    service.finish().await;
}

#[tokio::test]
async fn l1_who_adds_a_second_factor_for_a_request_that_was_handed_in_is_taken_back_to_it() {
    let service = Service::start_without_a_proxy().await;
    demand_of_all(&service).await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let request = application.request();
    let form: Vec<_> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kept = service.protocol(&application, "par", &form).await.expect(201);
    let named =
        vec![("client_id", application.id.clone()), ("request_uri", kept.text_of("/request_uri").to_owned())];
    let page = ines.authorize(&named).await.expect(200);
    let sent = ines.sign_in(&page).await.expect(303);
    let page = ines.get(sent.header("location")).await.expect(200);
    assert!(page.text.contains("To go on to <b><bdi>Matter sync"), "{}", page.text);
    let begun = send(&ines, &page, "add_authenticator", &[]).await.expect(200);
    let code = code_of(key_of(&begun));
    let codes = send(&ines, &begun, "confirm_authenticator", &[("code", &code)]).await.expect(200);
    let asked = ines.get(&next_of(&codes)).await.expect(200);
    let mut sent = sent_back(&ines.decide(&asked, "allow", false).await.expect(303));
    assert_eq!(sent["state"], "s-1");
    service.redeem(&application, &sent.remove("code").expect("a code")).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn l1_who_comes_to_the_page_of_second_factors_and_has_not_signed_in_comes_back_to_it() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let sent = ines.get("second_factor").await.expect(303);
    let page = ines.get(sent.header("location")).await.expect(200);
    let sent = ines.try_password(&page, tests::oauth::PASSWORD).await.expect(303);
    assert_eq!(sent.header("location"), "second_factor");
    // Nobody is led anywhere else by what stands there.
    let elsewhere = ines.elsewhere();
    let page = elsewhere.get("sign_in?next=%2F%2Fevil.example").await.expect(200);
    let sent = elsewhere.try_password(&page, tests::oauth::PASSWORD).await.expect(303);
    assert_eq!(sent.header("location"), "grants");
    // With a request it is that which goes on.
    let request = application.request();
    let query = tests::oauth::encoded(request.iter().map(|(name, value)| (*name, value.as_str())));
    let query = tests::oauth::encoded([("continue", query.as_str())].into_iter());
    let elsewhere = ines.elsewhere();
    let sent = elsewhere.get(&format!("second_factor?{query}")).await.expect(303);
    let page = elsewhere.get(sent.header("location")).await.expect(200);
    assert!(page.text.contains("To go on to <b><bdi>Matter sync"), "{}", page.text);
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

#[tokio::test(flavor = "multi_thread")]
async fn l1_a_member_adds_and_uses_a_passkey_by_the_keyboard_alone_and_a_copy_of_it_is_refused() {
    let service = Service::start_by_name().await;
    demand_of_all(&service).await;
    let client = Elsewhere::start(BACK).await;
    let callback = format!("{}/callback", client.base);
    let query = matter_sync(&service, &callback).await;
    let ada = ada(&service).await;
    let sign_in = [
        ask(&query, "Sign in"),
        json!({ "reach": "#email", "type": "ada.lovelace@members.example" }),
        json!({ "reach": "#password", "type": PASSWORD }),
    ];
    let sign_out = [
        json!({ "open": "/sandbox/logout", "title": "Sign out?" }),
        json!({ "reach": "button.btn-primary", "press": "Enter", "leads": true, "title": "You are signed out" }),
    ];
    let denied = json!({ "at": [callback, "error=access_denied"] });
    let deny = [json!({ "reach": "[value=deny]", "press": "Enter", "leads": true }), denied];
    let add = [
        json!({ "authenticator": { "plug": true } }),
        enter("Your second factor", "passkey_wanted"),
        json!({ "reach": "form:has([value=add_passkey]) button" }),
        enter("Add a passkey", "passkey"),
        json!({ "reach": "#label", "type": "Key on her ring" }),
        enter("Keep your recovery codes", "passkey_added"),
        json!({ "reach": "a.btn-primary" }),
        enter("Allow Matter sync?", "consent_with_a_passkey"),
    ];
    let touch = |title: &str, picture: &str| {
        [json!({ "reach": "[data-passkey] button.btn-primary" }), enter(title, picture)]
    };
    let waits = || enter("Use your passkey", "passkey_asked");
    let copied = |signed: u32| json!({ "authenticator": { "signed": signed } });
    let remove = [
        json!({ "open": "/sandbox/second_factor", "title": "Your second factor", "text": "Key on her ring", "examine": "walk_passkey_held" }),
        json!({ "reach": "[href^='second_factor?remove=']" }),
        enter("Remove Key on her ring?", "passkey_removing"),
        json!({ "reach": "button.btn-danger" }),
        enter("Your second factor", "passkey_removed"),
        json!({ "text": "The passkey is removed." }),
    ];
    let mut steps = Vec::new();
    steps.extend(sign_in.clone());
    steps.extend(add);
    steps.extend(deny.clone());
    steps.extend(sign_out.clone());
    // By the passkey; then by a copy of it that has not signed as often.
    steps.extend(sign_in.clone());
    steps.push(waits());
    steps.extend(touch("Allow Matter sync?", "passkey_used"));
    steps.extend(deny.clone());
    steps.extend(sign_out.clone());
    steps.extend(sign_in);
    steps.extend([waits(), copied(1)]);
    steps.extend(touch("Error: Use your passkey", "passkey_copied"));
    steps.push(copied(1_000));
    steps.extend(touch("Allow Matter sync?", "passkey_used_again"));
    steps.extend(deny);
    steps.extend(remove);
    steps.extend(sign_out);
    browser::walk_with_javascript(&service.base, &client.base, &json!(steps)).await;

    let mut walks = outcomes(&service, "second_factor").await;
    assert_eq!(walks.len(), 16, "four walks: {walks:?}");
    walks.truncate(4);
    assert_eq!(walks, ["done", "done", "passkey_cloned", "done"]);
    let member = service.get(&format!("/api/v1/members/{ada}")).await.expect(200);
    assert_eq!(member.body["passkeys"], json!([]));
    let doctor = service.muniment(["doctor"]);
    assert!(doctor.status.success(), "nothing of them is left: {doctor:?}");
    service.finish().await;
}

#[tokio::test]
async fn l1_without_a_script_or_a_name_of_the_service_a_passkey_is_not_added() {
    let service = Service::start_without_a_proxy().await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.get("sign_in").await.expect(200);
    ines.sign_in(&page).await.expect(200);
    let page = ines.get("second_factor").await.expect(200);
    assert!(page.text.contains("None can be added here") && !page.text.contains("value=\"add_passkey\""));
    let refused = send(&ines, &page, "register_passkey", &[("label", "Laptop")]).await.expect(422);
    assert!(refused.text.contains("That passkey does not do."), "{}", refused.text);

    let named = Service::start().await;
    let ines = named.visitor("Ines Duarte").await;
    let page = ines.get("sign_in").await.expect(200);
    ines.sign_in(&page).await.expect(200);
    let page = ines.get("second_factor").await.expect(200);
    let asked = send(&ines, &page, "add_passkey", &[]).await.expect(200);
    assert!(asked.text.contains("A passkey takes JavaScript"), "{}", asked.text);
    assert!(asked.text.contains("data-party=\"oauth.example.com\""), "{}", asked.text);
    for (client_data, attestation) in [("", ""), ("e30", "oA"), ("not base64url!", "%%"), ("AAAA", "v_8")] {
        let fields = [("label", "Laptop"), ("client_data", client_data), ("attestation", attestation)];
        let refused = send(&ines, &asked, "register_passkey", &fields).await.expect(422);
        assert!(refused.text.contains("That passkey does not do."), "{}", refused.text);
    }
    let events = named.get("/api/v1/audit/events?type=member.passkey_registered").await.expect(200);
    assert_eq!(events.body["items"], json!([]));
    named.finish().await;
    service.finish().await;
}
