//! Requests that a client hands in before it sends a member along (RFC 9126).

use serde_json::json;
use tests::{
    Answer, Service,
    http::answer,
    keys::ClientKey,
    oauth::{Application, Parameters, sent_back},
};

use super::steps::{
    deeds, last_deed, metadata, outcomes, part, public, redemption, refused, remembered, stays, with,
};

const URN: &str = "urn:ietf:params:oauth:request_uri:";

async fn push(service: &Service, application: &Application, request: &Parameters<'_>) -> Answer {
    let form: Vec<_> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    service.protocol(application, "par", &form).await
}

async fn pushed(service: &Service, application: &Application) -> String {
    let kept = push(service, application, &application.request()).await.expect(201);
    kept.text_of("/request_uri").to_owned()
}

/// What a member is sent along with.
fn named(application: &Application, request_uri: &str) -> Parameters<'static> {
    vec![("client_id", application.id.clone()), ("request_uri", request_uri.to_owned())]
}

#[tokio::test]
async fn oauth_3_a_request_that_was_handed_in_is_answered_once_and_cannot_be_changed_on_the_way() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let endpoint = metadata(&service).await["pushed_authorization_request_endpoint"].clone();
    assert_eq!(endpoint, json!(format!("{}/sandbox/par", service.base)));
    let kept = push(&service, &application, &application.request()).await.expect(201);
    assert_eq!((kept.body["expires_in"].clone(), kept.header("cache-control")), (json!(600), "no-store"));
    let request_uri = kept.text_of("/request_uri");
    assert!(request_uri.starts_with(URN) && request_uri.len() > URN.len() + 40, "{request_uri}");
    assert_eq!(deeds(&service, &application).await, ["pushed_request done"]);

    // The member signs in and is asked: the name is carried through all of it, and what stands beside it counts for nothing.
    let mut sent_along = named(&application, request_uri);
    sent_along.push(("scope", "matters:write".to_owned()));
    sent_along.push(("state", "changed".to_owned()));
    let page = ines.authorize(&sent_along).await.expect(200);
    let asked = ines.sign_in(&page).await.expect(200);
    assert!(asked.text.contains("Matter sync"), "{}", asked.text);
    let sent = sent_back(&ines.decide(&asked, "allow", true).await.expect(303));
    assert_eq!(sent["state"], "s-1");
    let tokens = service.redeem(&application, &sent["code"]).await.expect(200);
    assert_eq!(tokens.body["scope"], "email matters:read offline_access openid profile");

    let shown = stays(ines.authorize(&named(&application, request_uri)).await, 400);
    assert!(shown.text.contains("request_uri is unknown, expired, used before"), "{}", shown.text);
    assert_eq!(last_deed(&service, &application).await, "authorization request_uri");
    service.finish().await;
}

#[tokio::test]
async fn oauth_28_a_name_is_of_use_to_its_own_client_alone() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let other = service.application("Other").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let request_uri = pushed(&service, &application).await;
    stays(ines.authorize(&named(&other, &request_uri)).await, 400);
    let nobody = vec![("request_uri", request_uri.clone())];
    stays(ines.authorize(&nobody).await, 400);
    for made_up in [format!("{URN}made-up"), URN.to_owned(), "https://elsewhere.example/request".to_owned()] {
        stays(ines.authorize(&named(&application, &made_up)).await, 400);
    }
    let twice = [named(&application, &request_uri), vec![("request_uri", request_uri.clone())]].concat();
    stays(ines.authorize(&twice).await, 400);
    let denied = [named(&application, &request_uri), vec![("prompt", "none".to_owned())]].concat();
    ines.allow(&denied).await;
    let again = pushed(&service, &application).await;
    service
        .patch(
            &format!("{}/{}", tests::http::CLIENTS, application.id),
            "*",
            &json!({
                "redirect_uris": ["https://app.example.com/elsewhere"],
            }),
        )
        .await
        .expect(200);
    stays(ines.authorize(&named(&application, &again)).await, 400);
    service.finish().await;
}

#[tokio::test]
async fn oauth_5_what_would_be_refused_of_a_member_is_refused_when_it_is_handed_in() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let long = "login ".repeat(1_000);
    let refusals = [
        (
            vec![("redirect_uri", "https://elsewhere.example/callback")],
            "invalid_request",
            "redirect_uri_host",
        ),
        (vec![("redirect_uri", "")], "invalid_request", "redirect_uri_missing"),
        (vec![("response_type", "token")], "unsupported_response_type", "response_type"),
        (vec![("code_challenge", "")], "invalid_request", "code_challenge_missing"),
        (vec![("scope", "no:such")], "invalid_scope", "unknown_scope"),
        (vec![("prompt", long.as_str())], "invalid_request", "parameter_too_long"),
        (vec![("request_uri", "urn:x")], "request_not_supported", "request_object"),
    ];
    for (changes, error, reason) in refusals {
        let found = push(&service, &application, &application.request_with(&changes)).await;
        refused(found, 400, error);
        assert_eq!(last_deed(&service, &application).await, format!("pushed_request {reason}"));
    }
    let wrong = Application { secret: service.application("Other").await.secret, ..application.clone() };
    refused(push(&service, &wrong, &application.request()).await, 401, "invalid_client");
    let unsaid = service.form("par", &[("response_type", "code")]);
    refused(answer(unsaid).await, 401, "invalid_client");
    assert_eq!(
        outcomes(&service, "pushed_request").await.last().map(String::as_str),
        Some("credentials_missing")
    );
    let mut twice = application.request();
    twice.push(("state", "s-2".to_owned()));
    refused(push(&service, &application, &twice).await, 400, "invalid_request");
    service.finish().await;
}

#[tokio::test]
async fn oauth_12_what_is_handed_in_with_a_proof_is_bound_to_its_key() {
    let service = Service::start_without_a_proxy().await;
    let application = public(&service, "On a phone").await;
    let ines = service.visitor("Ines Duarte").await;
    let key = ClientKey::new();
    let proof = |endpoint: &str| key.proof("POST", &format!("{}/sandbox/{endpoint}", service.base), None);
    let request = application.request();
    let form: Vec<_> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let first = proof("par");
    let kept = answer(service.form("par", &form).header("dpop", &first)).await.expect(201);
    refused(answer(service.form("par", &form).header("dpop", &first)).await, 400, "invalid_dpop_proof");
    let page = ines.authorize(&named(&application, kept.text_of("/request_uri"))).await.expect(200);
    let asked = ines.sign_in(&page).await.expect(200);
    let sent = sent_back(&ines.decide(&asked, "allow", true).await.expect(303));
    let redeem = with(&redemption(&sent["code"]), "client_id", &application.id);
    refused(answer(service.form("token", &redeem)).await, 400, "invalid_dpop_proof");
    let tokens = answer(service.form("token", &redeem).header("dpop", proof("token"))).await.expect(200);
    assert!(part(tokens.text_of("/access_token"), 1)["cnf"]["jkt"].is_string());
    service.finish().await;
}
