//! The protocol, each rule by its number: through the endpoints that a client uses, and the pages that a member sees.

mod anything;
mod authorization;
mod clients;
mod codes;
mod introspection;
mod keys;
mod kills;
mod logout;
mod metadata;
mod pages;
mod proofs;
mod pushed;
mod registration;
mod revocation;
mod secrecy;
pub(crate) mod steps;
mod tokens;

use serde_json::json;
use tests::{
    Service,
    oauth::{CALLBACK, sent_back},
};

#[tokio::test]
async fn d5_a_member_signs_in_to_an_application_and_each_step_is_in_the_trail() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let asked = ines.sign_in(&page).await.expect(200);
    assert!(asked.text.contains("Matter sync") && asked.text.contains("Castellan"), "{}", asked.text);
    let sent = ines.decide(&asked, "allow", true).await.expect(303);
    let mut sent = sent_back(&sent);
    assert_eq!(sent.remove("state").as_deref(), Some("s-1"));
    let issuer = format!("{}/sandbox", service.base);
    assert_eq!(sent.remove("iss").as_ref(), Some(&issuer));
    let tokens = service.redeem(&application, &sent["code"]).await.expect(200);
    assert_eq!(tokens.header("cache-control"), "no-store");
    assert_eq!(tokens.body["scope"], "email matters:read offline_access openid profile");

    let access = tokens.text_of("/access_token");
    let known = service.introspected(&application, access).await;
    assert_eq!((known["active"].clone(), known["iss"].clone()), (json!(true), json!(issuer)));
    let userinfo = ines.bearer("userinfo", access).await.expect(200);
    assert_eq!(userinfo.text_of("/name"), "Ines Duarte");
    assert_eq!(userinfo.text_of("/email"), ines.email);
    assert_eq!(userinfo.text_of("/sub"), known["sub"].as_str().unwrap_or_default());

    // Remembered, she is not asked again.
    let sent = ines.authorize(&application.request()).await.expect(303);
    assert!(sent.header("location").starts_with(CALLBACK), "{}", sent.header("location"));

    let done: Vec<_> = service.deeds(&application).await;
    let done: Vec<_> = done.iter().map(|(kind, reason)| format!("{kind} {reason}")).collect();
    assert_eq!(done, ["authorization done", "token done", "userinfo done", "authorization done"]);
    assert_eq!(service.history_of(&application).await.last().map(String::as_str), Some("grant.given"));
    service.finish().await;
}

#[tokio::test]
async fn oauth_47_an_old_refresh_token_ends_all_tokens_of_its_grant() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    let first = service.redeem(&application, &code).await.expect(200);
    let refresh = |token: &str| {
        let (service, application, token) = (&service, &application, token.to_owned());
        async move {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
            service.token(application, &form).await
        }
    };
    let old = first.text_of("/refresh_token").to_owned();
    let second = refresh(&old).await.expect(200);
    let new = second.text_of("/refresh_token").to_owned();
    assert_ne!(old, new);
    assert_eq!(refresh(&old).await.expect(400).text_of("/error"), "invalid_grant");
    assert_eq!(refresh(&new).await.expect(400).text_of("/error"), "invalid_grant");
    for tokens in [&first, &second] {
        let known = service.introspected(&application, tokens.text_of("/access_token")).await;
        assert_eq!(known, json!({ "active": false }));
    }
    let history = service.history_of(&application).await;
    assert_eq!(history.last().map(String::as_str), Some("grant.refresh_token_reused"));
    service.finish().await;
}
