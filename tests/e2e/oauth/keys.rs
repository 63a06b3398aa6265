//! Clients that prove themselves by a key of their own (RFC 7523, OpenID Connect Core section 9).

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::{
    Answer, Service,
    http::answer,
    keys::{ClientKey, assertion_claims, now},
    oauth::Application,
};

use super::steps::{is_active, last_deed, last_event, metadata, part};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client that has this key, and no secret.
async fn application(service: &Service, name: &str, key: &ClientKey) -> Application {
    let metadata = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.set() });
    let application = service.application_with(name, metadata).await;
    assert_eq!(application.secret, "", "no secret");
    application
}

fn issuer(service: &Service) -> String {
    format!("{}/sandbox", service.base)
}

async fn presented(service: &Service, endpoint: &str, assertion: &str, form: &[(&str, &str)]) -> Answer {
    let mut sent = vec![("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)];
    sent.extend(form);
    answer(service.form(endpoint, &sent)).await
}

async fn token(service: &Service, assertion: &str) -> Answer {
    presented(service, "token", assertion, &[("grant_type", "client_credentials")]).await
}

#[tokio::test]
async fn oauth_35_a_client_with_a_key_proves_itself_by_an_assertion_and_each_is_good_once() {
    let service = Service::start_without_a_proxy().await;
    let key = ClientKey::new();
    let application = application(&service, "Matter sync", &key).await;
    let known = metadata(&service).await;
    let methods = |of: &str| known[format!("{of}_endpoint_auth_methods_supported")].to_string();
    for endpoint in ["token", "introspection", "revocation"] {
        assert!(methods(endpoint).contains("private_key_jwt"), "{endpoint}");
    }
    for audience in [issuer(&service), format!("{}/token", issuer(&service))] {
        let assertion = key.assertion(&application.id, &audience);
        let tokens = token(&service, &assertion).await.expect(200);
        assert_eq!(last_deed(&service, &application).await, "token done");
        token(&service, &assertion).await.expect(401);
        assert_eq!(last_deed(&service, &application).await, "token assertion_reused");
        let access = tokens.text_of("/access_token");
        let asking = key.assertion(&application.id, &issuer(&service));
        let known = presented(&service, "introspect", &asking, &[("token", access)]).await.expect(200);
        assert_eq!(known.body["active"], true);
        presented(&service, "introspect", &asking, &[("token", access)]).await.expect(401);
        assert_eq!(last_deed(&service, &application).await, "introspection assertion_reused");
        let ending = key.assertion(&application.id, &issuer(&service));
        presented(&service, "revoke", &ending, &[("token", access)]).await.expect(200);
        let asking = key.assertion(&application.id, &issuer(&service));
        let known = presented(&service, "introspect", &asking, &[("token", access)]).await.expect(200);
        assert_eq!(known.body, json!({ "active": false }));
    }
    let asking = key.assertion(&application.id, &format!("{}/par", issuer(&service)));
    let request = application.request();
    let request: Vec<_> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    presented(&service, "par", &asking, &request).await.expect(201);
    token(&service, &key.assertion(&application.id, &format!("{}/par", issuer(&service)))).await.expect(401);
    let refused = key.assertion(&application.id, &issuer(&service));
    let form = [("grant_type", "client_credentials"), ("scope", "no:such")];
    presented(&service, "token", &refused, &form).await.expect(400);
    token(&service, &refused).await.expect(401);
    assert_eq!(last_deed(&service, &application).await, "token assertion_reused", "also after a refusal");
    service.finish().await;
}

#[tokio::test]
async fn oauth_26_one_assertion_in_parallel_succeeds_once() {
    let service = Service::start_without_a_proxy().await;
    let key = ClientKey::new();
    let application = application(&service, "Matter sync", &key).await;
    let assertion = key.assertion(&application.id, &issuer(&service));
    let ask = async || token(&service, &assertion).await.status;
    let (a, b, c, d, e, f) = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    let mut statuses = [a, b, c, d, e, f];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401]);
    service.finish().await;
}

#[tokio::test]
async fn oauth_35_an_assertion_that_is_not_for_this_moment_server_and_client_is_refused() {
    let service = Service::start_without_a_proxy().await;
    let (key, stranger) = (ClientKey::new(), ClientKey::new());
    let application = application(&service, "Matter sync", &key).await;
    let other = self::application(&service, "Other", &stranger).await;
    let with_secret = service.application("With secret").await;
    let (id, issuer) = (application.id.as_str(), issuer(&service));
    let es256 = json!({ "alg": "ES256" });
    let claims = |changes: Value| {
        let mut claims = assertion_claims(id, &issuer);
        for (name, value) in changes.as_object().cloned().unwrap_or_default() {
            claims[name] = value;
        }
        claims
    };
    let signed = |changes: Value| key.sign(&es256, &claims(changes));
    let plain = signed(json!({}));
    let (head, signature) = plain.rsplit_once('.').unwrap();
    let none = ClientKey::new().sign(&json!({ "alg": "none" }), &claims(json!({})));
    let embedded = json!({ "alg": "ES256", "jwk": stranger.public });
    let cases = [
        (stranger.sign(&es256, &claims(json!({}))), "assertion_wrong"),
        (stranger.sign(&embedded, &claims(json!({}))), "assertion_wrong"),
        (none.rsplit_once('.').unwrap().0.to_owned() + ".", "assertion_wrong"),
        (
            format!("{head}.{}", signature.replace(|byte: char| byte.is_ascii_lowercase(), "a")),
            "assertion_wrong",
        ),
        (key.sign(&json!({ "alg": "ES256", "kid": "unknown" }), &claims(json!({}))), "assertion_wrong"),
        (key.sign(&json!({ "alg": "ES256", "typ": "at+jwt" }), &claims(json!({}))), "assertion_malformed"),
        (signed(json!({ "iss": other.id })), "assertion_wrong"),
        (signed(json!({ "aud": "https://elsewhere.example" })), "assertion_audience"),
        (signed(json!({ "aud": [] })), "assertion_audience"),
        (signed(json!({ "exp": now() - 60 })), "assertion_time"),
        (signed(json!({ "exp": now() + 8_000 })), "assertion_time"),
        (signed(json!({ "nbf": now() + 600 })), "assertion_time"),
        (signed(json!({ "exp": "soon" })), "assertion_malformed"),
    ];
    let mut listed = BTreeSet::new();
    for (assertion, reason) in cases {
        let found = token(&service, &assertion).await.expect(401);
        assert_eq!(found.body, json!({ "error": "invalid_client" }), "one answer for all");
        // Of a kind five are listed in a minute.
        if listed.insert(reason) {
            assert_eq!(last_deed(&service, &application).await, format!("token {reason}"), "{assertion}");
        }
    }
    let foreign = stranger.assertion(&other.id, &issuer);
    let form = [("grant_type", "client_credentials"), ("client_id", id)];
    presented(&service, "token", &foreign, &form).await.expect(400);
    let of_secret = key.assertion(&with_secret.id, &issuer);
    token(&service, &of_secret).await.expect(401);
    assert_eq!(last_deed(&service, &with_secret).await, "token another_method");
    answer(service.form("token", &form)).await.expect(401);
    assert_eq!(last_deed(&service, &application).await, "token secret_missing");
    let saml = [("grant_type", "client_credentials"), ("client_assertion", plain.as_str())];
    answer(service.form("token", &saml)).await.expect(400);
    token(&service, &signed(json!({ "aud": ["https://elsewhere.example", issuer] }))).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn l4_what_was_got_with_a_key_ends_with_that_key() {
    let service = Service::start_without_a_proxy().await;
    let (first, second) = (ClientKey::new(), ClientKey::new());
    let application = application(&service, "Matter sync", &first).await;
    let sign = |key: &ClientKey| key.assertion(&application.id, &issuer(&service));
    let tokens = token(&service, &sign(&first)).await.expect(200);
    let access = tokens.text_of("/access_token").to_owned();
    let watcher = service.application("Watcher").await;
    assert!(!is_active(&service, &watcher, &access).await, "none of its own");
    let known = presented(&service, "introspect", &sign(&first), &[("token", &access)]).await.expect(200);
    assert_eq!(known.body["active"], true);

    let path = format!("{}/{}", tests::http::CLIENTS, application.id);
    let changed = service.patch(&path, "*", &json!({ "jwks": second.set() })).await.expect(200);
    assert_eq!(changed.body["jwks"]["keys"][0]["x"], second.public["x"]);
    assert_eq!(last_event(&service, &application).await, "client.keys_changed");
    token(&service, &sign(&first)).await.expect(401);
    let known = presented(&service, "introspect", &sign(&second), &[("token", &access)]).await.expect(200);
    assert_eq!(known.body, json!({ "active": false }));
    token(&service, &sign(&second)).await.expect(200);

    let private =
        json!({ "jwks": { "keys": [{ "kty": "EC", "crv": "P-256", "d": "AA", "x": "AA", "y": "AA" }] } });
    let refused = service.patch(&path, "*", &private).await.expect(422);
    assert_eq!(refused.text_of("/errors/0/pointer"), "/jwks/keys/0/d");
    service.finish().await;
}

#[tokio::test]
async fn l2_a_client_can_have_opaque_tokens_where_its_environment_has_others() {
    let service = Service::start_without_a_proxy().await;
    let opaque = service.application_with("Matter sync", json!({ "access_token_format": "opaque" })).await;
    let jwt = service.application("Other").await;
    let form = [("grant_type", "client_credentials")];
    let of = async |application: &Application| {
        let tokens = service.token(application, &form).await.expect(200);
        tokens.text_of("/access_token").to_owned()
    };
    let (sealed, signed) = (of(&opaque).await, of(&jwt).await);
    assert!(sealed.starts_with("mat_"), "{sealed}");
    assert_eq!(signed.split('.').count(), 3, "{signed}");
    assert!(is_active(&service, &opaque, &sealed).await);
    let old = service.application_with("Old", json!({ "access_token_format": "jwt_rs256" })).await;
    let signed = of(&old).await;
    assert_eq!(part(&signed, 0)["alg"], "RS256");
    assert!(is_active(&service, &old, &signed).await);
    let path = format!("{}/{}", tests::http::CLIENTS, opaque.id);
    let changed = service.patch(&path, "*", &json!({ "access_token_format": null })).await.expect(200);
    assert_eq!(changed.body["access_token_format"], Value::Null);
    assert_eq!(of(&opaque).await.split('.').count(), 3);
    assert!(is_active(&service, &opaque, &sealed).await, "what it has stays good");
    service.finish().await;
}
