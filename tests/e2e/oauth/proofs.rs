//! Tokens that are bound to a key (RFC 9449): worth nothing to who stole them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{
    Answer, Service,
    http::answer,
    keys::{ClientKey, now, proof_claims},
    oauth::{Application, CALLBACK, VERIFIER, Visitor},
};

use super::steps::{is_active, last_deed, metadata, outcomes, part, public, refused, remembered, told};

const ITSELF: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn url(service: &Service, endpoint: &str) -> String {
    format!("{}/sandbox/{endpoint}", service.base)
}

/// A form with a proof, from a client with a secret, or without one.
async fn proved(service: &Service, application: &Application, form: &[(&str, &str)], proof: &str) -> Answer {
    let request = service.form("token", form).header("dpop", proof);
    if application.secret.is_empty() {
        return answer(request).await;
    }
    answer(request.basic_auth(&application.id, Some(&application.secret))).await
}

async fn userinfo(service: &Service, scheme: &str, token: &str, proof: &str) -> Answer {
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let mut request = http.get(url(service, "userinfo")).header("authorization", format!("{scheme} {token}"));
    if !proof.is_empty() {
        request = request.header("dpop", proof);
    }
    answer(request).await
}

async fn code(visitor: &Visitor<'_>, application: &Application, changes: &[(&'static str, &str)]) -> String {
    visitor.allow(&application.request_with(changes)).await
}

fn redemption<'f>(application: &'f Application, code: &'f str) -> Vec<(&'f str, &'f str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", &application.id),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

#[tokio::test]
async fn oauth_56_a_token_that_is_bound_to_a_key_is_worth_nothing_without_it() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let known = metadata(&service).await;
    assert_eq!(known["dpop_signing_alg_values_supported"], json!(["ES256", "RS256"]));
    let (key, stranger) = (ClientKey::new(), ClientKey::new());
    let at_token = || key.proof("POST", &url(&service, "token"), None);
    let first = code(&ines, &application, &[]).await;
    let tokens =
        proved(&service, &application, &redemption(&application, &first), &at_token()).await.expect(200);
    assert_eq!(tokens.body["token_type"], "DPoP");
    let access = tokens.text_of("/access_token").to_owned();
    let thumbprint = part(&access, 1)["cnf"]["jkt"].clone();
    assert_eq!(thumbprint.as_str().map(str::len), Some(43));
    let told = service.introspected(&application, &access).await;
    assert_eq!((told["cnf"]["jkt"].clone(), told["token_type"].clone()), (thumbprint, json!("DPoP")));

    let here = url(&service, "userinfo");
    let proof = key.proof("GET", &here, Some(&access));
    userinfo(&service, "DPoP", &access, &proof).await.expect(200);
    for (scheme, proof, reason) in [
        ("DPoP", proof, "proof_reused"),
        ("Bearer", String::new(), "key_not_proved"),
        ("DPoP", String::new(), "proof_missing"),
        ("DPoP", stranger.proof("GET", &here, Some(&access)), "key_not_proved"),
        ("DPoP", key.proof("GET", &here, None), "proof_token"),
        ("DPoP", key.proof("GET", &here, Some("another")), "proof_token"),
        ("DPoP", key.proof("POST", &here, Some(&access)), "proof_request"),
        ("DPoP", key.proof("GET", &url(&service, "token"), Some(&access)), "proof_request"),
    ] {
        let found = userinfo(&service, scheme, &access, &proof).await;
        assert_eq!(found.status, 401, "{reason}: {}", found.text);
        assert_eq!(outcomes(&service, "userinfo").await.last().map(String::as_str), Some(reason));
        assert!(found.header("www-authenticate").starts_with(scheme), "{reason}");
    }
    // A client that has a secret may take another key; it is bound by its secret.
    let refresh = tokens.text_of("/refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
    let other = stranger.proof("POST", &url(&service, "token"), None);
    let again = proved(&service, &application, &form, &other).await.expect(200);
    assert_ne!(part(again.text_of("/access_token"), 1)["cnf"]["jkt"], part(&access, 1)["cnf"]["jkt"]);
    let plain = service.token(&application, &ITSELF).await.expect(200);
    let unbound = plain.text_of("/access_token");
    assert_eq!(plain.body["token_type"], "Bearer");
    let proof = key.proof("GET", &here, Some(unbound));
    userinfo(&service, "DPoP", unbound, &proof).await.expect(401);
    service.finish().await;
}

#[tokio::test]
async fn oauth_56_a_proof_is_good_for_one_request_of_this_minute() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let (key, here) = (ClientKey::new(), url(&service, "token"));
    let signed = |header: Value, changes: Value| {
        let mut claims = proof_claims("POST", &here, None);
        for (name, value) in changes.as_object().cloned().unwrap_or_default() {
            claims[name] = value;
        }
        key.sign(&header, &claims)
    };
    let header = key.proof_header();
    let with = |changes: Value| signed(header.clone(), changes);
    let good = with(json!({}));
    proved(&service, &application, &ITSELF, &good).await.expect(200);
    let mut private = header.clone();
    private["jwk"]["d"] = json!("AA");
    let mut foreign = header.clone();
    foreign["jwk"] = ClientKey::new().public;
    let cases = [
        (good, "proof_reused"),
        ("nonsense".to_owned(), "proof_malformed"),
        (signed(json!({ "alg": "ES256", "typ": "dpop+jwt" }), json!({})), "proof_malformed"),
        (signed(private, json!({})), "proof_malformed"),
        (signed(foreign, json!({})), "proof_wrong"),
        (with(json!({ "htm": "GET" })), "proof_request"),
        (with(json!({ "htu": "https://elsewhere.example/sandbox/token" })), "proof_request"),
        (with(json!({ "iat": now() - 70 })), "proof_time"),
        (with(json!({ "iat": now() + 70 })), "proof_time"),
    ];
    let mut listed = BTreeSet::new();
    for (proof, reason) in cases {
        let found = proved(&service, &application, &ITSELF, &proof).await;
        refused(found, 400, "invalid_dpop_proof");
        if listed.insert(reason) {
            assert_eq!(last_deed(&service, &application).await, format!("token {reason}"));
        }
    }
    let twice =
        service.form("token", &ITSELF).header("dpop", with(json!({}))).header("dpop", with(json!({})));
    let twice = twice.basic_auth(&application.id, Some(&application.secret));
    refused(answer(twice).await, 400, "invalid_dpop_proof");
    service.finish().await;
}

#[tokio::test]
async fn oauth_49_the_refresh_token_of_a_public_client_is_bound_to_its_key() {
    let service = Service::start_without_a_proxy().await;
    let application = public(&service, "On a phone").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let (key, stranger) = (ClientKey::new(), ClientKey::new());
    let proof = |key: &ClientKey| key.proof("POST", &url(&service, "token"), None);
    let first = code(&ines, &application, &[]).await;
    let tokens =
        proved(&service, &application, &redemption(&application, &first), &proof(&key)).await.expect(200);
    let refresh = tokens.text_of("/refresh_token").to_owned();
    let form = [("grant_type", "refresh_token"), ("client_id", &application.id), ("refresh_token", &refresh)];
    refused(answer(service.form("token", &form)).await, 400, "invalid_dpop_proof");
    refused(proved(&service, &application, &form, &proof(&stranger)).await, 400, "invalid_dpop_proof");
    assert_eq!(last_deed(&service, &application).await, "token another_key");
    let again = proved(&service, &application, &form, &proof(&key)).await.expect(200);
    assert_eq!(again.body["token_type"], "DPoP");

    // One that was got without a proof is bound by the first that comes.
    let second = code(&ines, &application, &[]).await;
    let unbound = answer(service.form("token", &redemption(&application, &second))).await.expect(200);
    let next = async |refresh: &str, proof: &str| {
        let form =
            [("grant_type", "refresh_token"), ("client_id", &application.id), ("refresh_token", refresh)];
        proved(&service, &application, &form, proof).await
    };
    let bound = next(unbound.text_of("/refresh_token"), &proof(&key)).await.expect(200);
    let refresh = bound.text_of("/refresh_token");
    refused(next(refresh, &proof(&stranger)).await, 400, "invalid_dpop_proof");
    next(refresh, &proof(&key)).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_12_a_code_that_was_asked_for_with_a_key_is_redeemed_with_it() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let (key, stranger) = (ClientKey::new(), ClientKey::new());
    let proof = |key: &ClientKey| key.proof("POST", &url(&service, "token"), None);
    let bound = proved(&service, &application, &ITSELF, &proof(&key)).await.expect(200);
    let thumbprint = part(bound.text_of("/access_token"), 1)["cnf"]["jkt"].as_str().unwrap().to_owned();
    let first = code(&ines, &application, &[("dpop_jkt", &thumbprint)]).await;
    let form = redemption(&application, &first);
    refused(service.token(&application, &form).await, 400, "invalid_dpop_proof");
    refused(proved(&service, &application, &form, &proof(&stranger)).await, 400, "invalid_dpop_proof");
    let tokens = proved(&service, &application, &form, &proof(&key)).await.expect(200);
    assert!(is_active(&service, &application, tokens.text_of("/access_token")).await);
    told(ines.authorize(&application.request_with(&[("dpop_jkt", "short")])).await, "invalid_request");
    service.finish().await;
}
