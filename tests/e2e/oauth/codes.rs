//! Codes: each is good once, for a moment, for one client, with its verifier.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::{
    Service,
    http::CLIENTS,
    oauth::{CHALLENGE, VERIFIER},
};

use super::steps::{
    deeds, is_active, last_deed, last_event, public, redemption, refresh, refused, remembered, tokens, with,
};

const SANDBOX: &str = "/api/v1/environments/sandbox";

#[tokio::test]
async fn oauth_12_13_14_a_code_without_its_verifier_is_worth_nothing() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let (short, long) = ("a".repeat(42), "a".repeat(129));
    let challenge_of = |verifier: &str| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let other = "b".repeat(43);
    for (challenge, verifier, reason) in [
        (CHALLENGE.to_owned(), other.as_str(), "code_verifier_wrong"),
        (CHALLENGE.to_owned(), CHALLENGE, "code_verifier_wrong"),
        (CHALLENGE.to_owned(), "", "code_verifier_missing"),
        (challenge_of(&short), short.as_str(), "code_verifier_malformed"),
        (challenge_of(&long), long.as_str(), "code_verifier_malformed"),
    ] {
        let code = ines.allow(&application.request_with(&[("code_challenge", &challenge)])).await;
        let form = with(&redemption(&code), "code_verifier", verifier);
        refused(service.token(&application, &form).await, 400, "invalid_grant");
        assert_eq!(last_deed(&service, &application).await, format!("token {reason}"));
    }
    // A verifier that belongs to the code of another request does not fit either.
    let code = ines.allow(&application.request_with(&[("code_challenge", &challenge_of(&other))])).await;
    refused(service.redeem(&application, &code).await, 400, "invalid_grant");
    let code = ines.allow(&application.request()).await;
    service.token(&application, &with(&redemption(&code), "code_verifier", VERIFIER)).await.expect(200);
    assert_eq!(last_deed(&service, &application).await, "token done");
    service.finish().await;
}

#[tokio::test]
async fn oauth_24_25_a_code_used_twice_ends_all_that_came_of_it() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    let first = service.redeem(&application, &code).await.expect(200);
    let (access, old) = (first.text_of("/access_token"), first.text_of("/refresh_token"));
    let second = refresh(&service, &application, old).await.expect(200);
    let newest = second.text_of("/access_token");
    assert!(
        is_active(&service, &application, access).await && is_active(&service, &application, newest).await
    );
    refused(service.redeem(&application, &code).await, 400, "invalid_grant");
    assert_eq!(last_deed(&service, &application).await, "token reused_code");
    assert_eq!(last_event(&service, &application).await, "grant.code_reused");
    for access in [access, newest] {
        assert!(!is_active(&service, &application, access).await);
        ines.bearer("userinfo", access).await.expect(401);
        assert_eq!(last_deed(&service, &application).await, "userinfo token_of_ended_grant");
    }
    let refresh_token = second.text_of("/refresh_token");
    assert!(!is_active(&service, &application, refresh_token).await);
    refused(refresh(&service, &application, refresh_token).await, 400, "invalid_grant");
    refused(service.redeem(&application, &code).await, 400, "invalid_grant");
    service.finish().await;
}

#[tokio::test]
async fn oauth_26_of_many_at_once_one_code_gives_tokens_once_at_most() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let code = ines.allow(&application.request()).await;
    let redeem = || service.redeem(&application, &code);
    let (a, b, c, d, e, f) = tokio::join!(redeem(), redeem(), redeem(), redeem(), redeem(), redeem());
    let mut given = Vec::new();
    for found in [a, b, c, d, e, f] {
        if found.status == 200 {
            given.push(found);
        } else {
            refused(found, 400, "invalid_grant");
        }
    }
    assert!(given.len() <= 1, "{}", given.len());
    for tokens in &given {
        assert!(!is_active(&service, &application, tokens.text_of("/access_token")).await);
    }
    let recorded = deeds(&service, &application).await;
    assert_eq!(recorded.iter().filter(|deed| *deed == "token done").count(), given.len(), "{recorded:?}");
    assert!(recorded.contains(&"token reused_code".to_owned()), "{recorded:?}");
    assert_eq!(last_event(&service, &application).await, "grant.code_reused");
    service.finish().await;
}

#[tokio::test]
async fn oauth_27_a_code_lives_for_a_moment() {
    let service = Service::start_without_a_proxy().await;
    let policy = service.get(SANDBOX).await.expect(200).body["policy"].clone();
    assert!(policy["code_lifetime_seconds"].as_u64().is_some_and(|seconds| seconds <= 600), "{policy}");
    let change = |seconds: u32| json!({ "policy": { "code_lifetime_seconds": seconds } });
    service.patch(SANDBOX, "*", &change(601)).await.expect(422);
    service.patch(SANDBOX, "*", &change(2)).await.expect(200);
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let code = ines.allow(&application.request()).await;
    service.redeem(&application, &code).await.expect(200);
    let late = ines.allow(&application.request()).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    refused(service.redeem(&application, &late).await, 400, "invalid_grant");
    assert_eq!(last_deed(&service, &application).await, "token expired_code");
    service.finish().await;
}

#[tokio::test]
async fn oauth_28_a_code_is_of_one_client() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let thief = service.application("Thief").await;
    let open = public(&service, "Open thief").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    refused(service.redeem(&thief, &code).await, 400, "invalid_grant");
    assert_eq!(last_deed(&service, &thief).await, "token code_of_another_client");
    let form = with(&redemption(&code), "client_id", &open.id);
    refused(tests::http::answer(service.form("token", &form)).await, 400, "invalid_grant");
    assert_eq!(last_deed(&service, &open).await, "token code_of_another_client");
    // Whoever stole it took nothing from its owner.
    let given = service.redeem(&application, &code).await.expect(200);
    assert!(is_active(&service, &application, given.text_of("/access_token")).await);
    service.finish().await;
}

#[tokio::test]
async fn oauth_28_a_code_is_of_one_environment_and_of_a_client_that_is_active() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    let elsewhere = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(redemption(&code)).finish();
    let request = elsewhere.post(format!("{}/production/token", service.base)).body(body);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let found = tests::http::answer(request.basic_auth(&application.id, Some(&application.secret))).await;
    refused(found, 401, "invalid_client");
    assert_eq!(last_deed(&service, &application).await, "token other_environment");
    service.post(&format!("{CLIENTS}/{}/deactivate", application.id), &json!({})).await.expect(200);
    refused(service.redeem(&application, &code).await, 401, "invalid_client");
    assert_eq!(last_deed(&service, &application).await, "token inactive");
    service.finish().await;
}

#[tokio::test]
async fn oauth_29_a_code_is_redeemed_with_the_redirect_uri_that_it_was_sent_to() {
    let service = Service::start_without_a_proxy().await;
    let second = "https://app.example.com/second";
    let metadata = json!({ "redirect_uris": [tests::oauth::CALLBACK, second] });
    let application = service.application_with("Matter sync", metadata).await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    for uri in [second, "https://app.example.com/callback/", "https://evil.example/", ""] {
        let code = ines.allow(&application.request()).await;
        let form = with(&redemption(&code), "redirect_uri", uri);
        refused(service.token(&application, &form).await, 400, "invalid_grant");
        assert_eq!(last_deed(&service, &application).await, "token redirect_uri_differs");
    }
    service.finish().await;
}

#[tokio::test]
async fn oauth_30_nobody_guesses_a_code_a_token_or_a_secret() {
    let service = Service::start_without_a_proxy().await;
    let ines = service.visitor("Ines Duarte").await;
    let mut secrets = Vec::new();
    for number in 0..4 {
        let application = service.application(&format!("Matter sync {number}")).await;
        remembered(&ines, &application).await;
        for _ in 0..4 {
            let code = ines.allow(&application.request()).await;
            let given = service.redeem(&application, &code).await.expect(200);
            secrets.extend([code, given.text_of("/refresh_token").to_owned()]);
        }
        secrets.push(application.secret);
    }
    let session = ines.cookies().into_values().find(|value| value.starts_with("mse_"));
    secrets.push(session.expect("a session"));
    let bodies: BTreeSet<_> =
        secrets.iter().map(|secret| secret.split('_').nth(2).expect("a body")).collect();
    assert_eq!(bodies.len(), secrets.len(), "all are different");
    for body in &bodies {
        // 43 characters of base 62 hold 256 bits.
        assert!(body.len() >= 43 && body.chars().all(|c| c.is_ascii_alphanumeric()), "{body}");
        let distinct: BTreeSet<_> = body.chars().collect();
        assert!(distinct.len() >= 15, "{body}");
    }
    // No place has the same character in most of them.
    for place in 0..43 {
        let at: BTreeSet<_> = bodies.iter().filter_map(|body| body.chars().nth(place)).collect();
        assert!(place == 0 || at.len() >= 8, "{place}: {at:?}");
    }
    service.finish().await;
}

#[tokio::test]
async fn oauth_25_codes_refresh_tokens_and_revocations_outlive_a_restart() {
    let mut service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let (code, used, first, revoked) = {
        let ines = service.visitor("Ines Duarte").await;
        remembered(&ines, &application).await;
        let used = ines.allow(&application.request()).await;
        let first = service.redeem(&application, &used).await.expect(200);
        let revoked = tokens(&service, &ines, &application).await.text_of("/access_token").to_owned();
        service.protocol(&application, "revoke", &[("token", &revoked)]).await.expect(200);
        (ines.allow(&application.request()).await, used, first, revoked)
    };
    service.stop().await;
    service.launch().await;
    assert!(!is_active(&service, &application, &revoked).await);
    assert!(is_active(&service, &application, first.text_of("/refresh_token")).await);
    let given = service.redeem(&application, &code).await.expect(200);
    assert_eq!(given.body.get("refresh_token").map(Value::is_string), Some(true));
    // All are of one grant that is remembered: it ends for all of them.
    refused(service.redeem(&application, &used).await, 400, "invalid_grant");
    assert_eq!(last_event(&service, &application).await, "grant.code_reused");
    assert!(!is_active(&service, &application, given.text_of("/access_token")).await);
    service.finish().await;
}
