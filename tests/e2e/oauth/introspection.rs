//! What a token is worth, and who may know: introspection and userinfo.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use crypto::{ExposeSecret, JwtAlgorithm, JwtSigner, JwtType, SystemEntropy, generate_signing_key};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tests::{Service, http::answer};

use super::steps::{
    deeds, is_active, last_deed, outcomes, part, plain, public, refused, remembered, tokens, with,
};

#[tokio::test]
async fn oauth_56_a_forged_token_is_none() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let given = tokens(&service, &ines, &application).await;
    let access = given.text_of("/access_token");
    let (header, mut claims) = (part(access, 0), part(access, 1));
    let signature = access.rsplit('.').next().expect("a signature");
    claims["scope"] = json!("openid profile email matters:read matters:write");
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let kid = header["kid"].as_str().expect("a key");
    let with_header = |alg: &str| json!({ "alg": alg, "kid": kid, "typ": "at+jwt" });
    let mut forged = vec![
        format!("{}.{}.{signature}", encoded(&header), encoded(&claims)),
        format!("{access}x"),
        access[..access.len() - 4].to_owned(),
        format!("{}.{}.", encoded(&with_header("none")), encoded(&claims)),
        format!("{}.{}.", encoded(&with_header("None")), encoded(&part(access, 1))),
        format!("{}.{}.{signature}", encoded(&with_header("none")), encoded(&part(access, 1))),
        format!("{}.{}.{signature}", encoded(&with_header("RS256")), encoded(&part(access, 1))),
    ];
    let keys = plain(&service, "/sandbox/jwks").await.expect(200).body["keys"].clone();
    for key in keys.as_array().expect("keys") {
        // The public key as the secret of an HMAC, in whatever form it may be read.
        let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap_or_default());
        let (x, y) = (number("x").unwrap_or_default(), number("y").unwrap_or_default());
        let point = [&[4][..], &x, &y].concat();
        for secret in [number("n").unwrap_or_default(), point, x, key.to_string().into_bytes(), Vec::new()] {
            let named = json!({ "alg": "HS256", "kid": key["kid"], "typ": "at+jwt" });
            let signed = format!("{}.{}", encoded(&named), encoded(&claims));
            let mac = Hmac::<Sha256>::new_from_slice(&secret).expect("a key of any length");
            let tag = mac.chain_update(signed.as_bytes()).finalize().into_bytes();
            forged.push(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)));
        }
    }
    // A key of the attacker's own: under the name of ours, under its own, and brought along in the header.
    let own = generate_signing_key(JwtAlgorithm::Es256, &SystemEntropy).expect("a key");
    let public = json!(own.public).to_string();
    for name in [
        kid.to_owned(),
        "mine".to_owned(),
        format!("{kid}\",\"jwk\":{public},\"x\":\""),
        format!("mine\",\"jku\":\"{}/sandbox/jwks\",\"jwk\":{public},\"x\":\"", service.base),
    ] {
        let signer = JwtSigner::new(JwtAlgorithm::Es256, &name, own.private.expose_secret()).expect("a key");
        forged.push(signer.sign(JwtType::AccessToken, &claims).expect("a token"));
    }
    for token in &forged {
        assert!(!is_active(&service, &application, token).await, "{token}");
        let found = ines.bearer("userinfo", token).await.expect(401);
        assert!(found.header("www-authenticate").contains("invalid_token"), "{token}");
    }
    assert!(outcomes(&service, "userinfo").await.iter().all(|reason| reason == "unknown_token"));
    assert!(is_active(&service, &application, access).await);
    ines.bearer("userinfo", access).await.expect(200);
    assert_eq!(last_deed(&service, &application).await, "userinfo done");
    service.finish().await;
}

#[tokio::test]
async fn oauth_56_a_token_of_another_environment_is_none() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let given = tokens(&service, &ines, &application).await;
    let access = given.text_of("/access_token");
    ines.bearer(&format!("{}/production/userinfo", service.base), access).await.expect(401);
    ines.bearer("userinfo", access).await.expect(200);
    // Also once it is known here that it is good.
    ines.bearer(&format!("{}/production/userinfo", service.base), access).await.expect(401);
    assert_eq!(outcomes(&service, "userinfo").await, ["unknown_token", "done", "unknown_token"]);
    service.finish().await;
}

#[tokio::test]
async fn oauth_59_60_userinfo_takes_a_token_from_its_header_alone() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let given = tokens(&service, &ines, &application).await;
    let access = given.text_of("/access_token");
    let nothing = ines.get("userinfo").await.expect(401);
    assert_eq!(nothing.header("www-authenticate"), "Bearer", "nothing is said of a token");
    let in_query = ines.get(&format!("userinfo?access_token={access}")).await.expect(401);
    assert_eq!(in_query.header("www-authenticate"), "Bearer");
    ines.post(&format!("userinfo?access_token={access}"), &[]).await.expect(401);
    let bad = ines.bearer("userinfo", "nonsense").await.expect(401);
    assert!(
        bad.header("www-authenticate").starts_with("Bearer error=\"invalid_token\""),
        "{:?}",
        bad.headers
    );
    let code = ines.allow(&application.request_with(&[("scope", "matters:read")])).await;
    let without = service.redeem(&application, &code).await.expect(200);
    assert!(without.body.get("id_token").is_none(), "who was not asked is not told who signed in");
    let itself = service.token(&application, &[("grant_type", "client_credentials")]).await.expect(200);
    for token in [without.text_of("/access_token"), itself.text_of("/access_token")] {
        let found = ines.bearer("userinfo", token).await.expect(403);
        assert!(found.header("www-authenticate").contains("error=\"insufficient_scope\""));
        assert_eq!(last_deed(&service, &application).await, "userinfo insufficient_scope");
    }
    // No more is told than the scopes say.
    let code = ines.allow(&application.request_with(&[("scope", "openid")])).await;
    let little = service.redeem(&application, &code).await.expect(200);
    let found = ines.bearer("userinfo", little.text_of("/access_token")).await.expect(200);
    let names: Vec<_> = found.body.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(names, ["sub"]);
    assert_eq!(last_deed(&service, &application).await, "userinfo done");
    service.finish().await;
}

#[tokio::test]
async fn oauth_61_nothing_is_told_to_who_does_not_prove_who_it_is() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let open = public(&service, "Open").await;
    let ines = service.visitor("Ines Duarte").await;
    let given = tokens(&service, &ines, &application).await;
    let form = vec![("token", given.text_of("/access_token"))];
    let found = refused(answer(service.form("introspect", &form)).await, 401, "invalid_client");
    assert!(!found.text.contains("active"), "{}", found.text);
    let wrong = service.form("introspect", &form).basic_auth(&application.id, Some("wrong"));
    refused(answer(wrong).await, 401, "invalid_client");
    assert_eq!(last_deed(&service, &application).await, "introspection malformed");
    let claimed = with(&form, "client_id", &application.id);
    refused(answer(service.form("introspect", &claimed)).await, 401, "invalid_client");
    assert_eq!(last_deed(&service, &application).await, "introspection secret_missing");
    let claimed = with(&form, "client_id", &open.id);
    refused(answer(service.form("introspect", &claimed)).await, 401, "invalid_client");
    assert_eq!(last_deed(&service, &open).await, "introspection secret_missing");
    refused(answer(service.form("introspect", &form).bearer_auth(form[0].1)).await, 401, "invalid_client");
    service.finish().await;
}

#[tokio::test]
async fn oauth_62_63_64_what_is_not_good_or_not_its_own_is_inactive_and_no_more_is_said() {
    let mut service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let other = service.application("Other").await;
    let given = {
        let ines = service.visitor("Ines Duarte").await;
        tokens(&service, &ines, &application).await
    };
    let (access, held) = (given.text_of("/access_token"), given.text_of("/refresh_token"));
    for unknown in ["nonsense", "a.b.c", "mat_x_y", "mrt_x_y", "é", &"x".repeat(60_000)] {
        assert!(!is_active(&service, &application, unknown).await);
    }
    for token in [access, held] {
        assert!(!is_active(&service, &other, token).await, "it is none of its business");
        for hint in ["access_token", "refresh_token", "nonsense"] {
            let form = [("token", token), ("token_type_hint", hint)];
            let found = service.protocol(&application, "introspect", &form).await.expect(200);
            assert_eq!(found.body["active"], true, "{hint}");
            assert_eq!(found.body["client_id"], json!(application.id));
        }
    }
    let known = service.introspected(&application, access).await;
    for claim in ["scope", "client_id", "token_type", "exp", "iat", "sub", "aud", "iss", "jti"] {
        assert!(!known[claim].is_null(), "{claim}: {known}");
    }
    service.protocol(&application, "revoke", &[("token", access)]).await.expect(200);
    assert!(!is_active(&service, &application, access).await);
    // Who asked how often is recorded when its minute is over, or the service stops.
    service.stop().await;
    service.launch().await;
    let recorded = deeds(&service, &application).await;
    assert!(recorded.contains(&"introspection done".to_owned()), "{recorded:?}");
    assert!(deeds(&service, &other).await.contains(&"introspection done".to_owned()));
    service.finish().await;
}

#[tokio::test]
async fn oauth_65_tokens_stay_out_of_urls() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let given = tokens(&service, &ines, &application).await;
    let access = given.text_of("/access_token");
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    for endpoint in ["introspect", "revoke"] {
        let url = format!("{}/sandbox/{endpoint}?token={access}", service.base);
        let request = http.get(&url).basic_auth(&application.id, Some(&application.secret));
        let found = answer(request).await.expect(405);
        assert!(found.header("allow").contains("POST") && !found.text.contains("active"), "{}", found.text);
        let path = format!("{endpoint}?token={access}");
        let found = service.protocol(&application, &path, &[("token_type_hint", "access_token")]).await;
        refused(found, 400, "invalid_request");
    }
    assert!(is_active(&service, &application, access).await);
    let recorded = deeds(&service, &application).await;
    assert_eq!(recorded, ["authorization done", "token done"]);
    service.finish().await;
}
