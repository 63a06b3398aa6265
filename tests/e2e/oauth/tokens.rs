//! The token endpoint and what it gives: refusals, refresh tokens, and what stands in an access token.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tests::{Service, http::answer, oauth::CALLBACK};

use super::steps::{
    deeds, is_active, last_deed, last_event, metadata, part, plain, redemption, refresh, refused, remembered,
    tokens, with,
};

const SANDBOX: &str = "/api/v1/environments/sandbox";

#[tokio::test]
async fn oauth_39_40_the_token_endpoint_takes_each_parameter_once_and_by_post() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let code = ines.allow(&application.request()).await;
    let form = redemption(&code);
    for field in &form {
        let mut twice = form.clone();
        twice.push(*field);
        refused(service.token(&application, &twice).await, 400, "invalid_request");
    }
    let twice = [("grant_type", "client_credentials"), ("scope", "matters:read"), ("scope", "matters:read")];
    refused(service.token(&application, &twice).await, 400, "invalid_request");
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&form).finish();
    let got = ines.get(&format!("token?{query}")).await.expect(405);
    assert!(got.header("allow").contains("POST") && !got.text.contains("access_token"), "{}", got.text);
    let body = json!({ "grant_type": "client_credentials" });
    let request = service.request(reqwest::Method::POST, "/sandbox/token").json(&body);
    refused(answer(request).await, 400, "invalid_request");
    assert_eq!(deeds(&service, &application).await, ["authorization done"]);
    service.redeem(&application, &code).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_41_no_cache_keeps_a_token() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let first = tokens(&service, &ines, &application).await;
    let second = refresh(&service, &application, first.text_of("/refresh_token")).await.expect(200);
    let itself = service.token(&application, &[("grant_type", "client_credentials")]).await.expect(200);
    let form = [("token", first.text_of("/access_token"))];
    let known = service.protocol(&application, "introspect", &form).await.expect(200);
    for found in [&first, &second, &itself, &known] {
        assert_eq!(found.header("cache-control"), "no-store");
        assert_eq!(found.header("content-type"), "application/json");
    }
    let recorded = deeds(&service, &application).await;
    assert_eq!(recorded, ["authorization done", "token done", "token done", "token done"]);
    service.finish().await;
}

#[tokio::test]
async fn oauth_42_50_no_more_scope_than_was_granted() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let machine = service.application("Machine").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    for scope in
        ["nonsense", "matters:read nonsense", "openid", "matters:read,matters:write", "matters:read \\"]
    {
        let form = [("grant_type", "client_credentials"), ("scope", scope)];
        refused(service.token(&machine, &form).await, 400, "invalid_scope");
        assert_eq!(last_deed(&service, &machine).await, "token unknown_scope");
    }
    let form = [("grant_type", "client_credentials"), ("scope", "matters:read")];
    assert_eq!(service.token(&machine, &form).await.expect(200).body["scope"], "matters:read");
    let all = service.token(&machine, &form[..1]).await.expect(200);
    assert_eq!(all.body["scope"], "matters:read matters:write", "nothing that is a member's");

    let first = tokens(&service, &ines, &application).await;
    let granted = first.text_of("/scope").to_owned();
    let asked = |token: &str, scope: &'static str| {
        let (service, application, token) = (&service, &application, token.to_owned());
        async move {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
            service.token(application, &form).await
        }
    };
    let held = first.text_of("/refresh_token");
    for more in ["matters:read matters:write", "matters:write", "nonsense"] {
        refused(asked(held, more).await, 400, "invalid_scope");
        assert_eq!(last_deed(&service, &application).await, "token unknown_scope");
    }
    let less = asked(held, "matters:read").await.expect(200);
    assert_eq!(less.body["scope"], "matters:read");
    let access = less.text_of("/access_token");
    assert_eq!(service.introspected(&application, access).await["scope"], "matters:read");
    ines.bearer("userinfo", access).await.expect(403);
    let again = refresh(&service, &application, less.text_of("/refresh_token")).await.expect(200);
    assert_eq!(again.body["scope"], granted, "the next one is good for all of it");
    service.finish().await;
}

#[tokio::test]
async fn oauth_43_45_errors_have_the_names_and_the_form_of_the_rfc() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    for grant_type in
        ["password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "Client_Credentials"]
    {
        let form = [("grant_type", grant_type), ("username", "ines"), ("password", "p"), ("scope", "openid")];
        refused(service.token(&application, &form).await, 400, "unsupported_grant_type");
    }
    let supported = metadata(&service).await["grant_types_supported"].clone();
    assert!(!supported.to_string().contains("password"), "{supported}");
    let grant_type = |name: &'static str| vec![("grant_type", name)];
    let ask = async |form: Vec<(&str, &str)>, error: &str| {
        let found = refused(service.token(&application, &form).await, 400, error);
        assert!(found.body["error_description"].is_string(), "{}", found.text);
    };
    ask(vec![], "invalid_request").await;
    ask(grant_type("authorization_code"), "invalid_request").await;
    ask(grant_type("refresh_token"), "invalid_request").await;
    ask(redemption("mac_nonsense"), "invalid_grant").await;
    assert_eq!(last_deed(&service, &application).await, "token unknown_code");
    ask(vec![("grant_type", "refresh_token"), ("refresh_token", "mrt_nonsense")], "invalid_grant").await;
    assert_eq!(last_deed(&service, &application).await, "token unknown_refresh_token");
    ask(vec![("grant_type", "client_credentials"), ("scope", "nonsense")], "invalid_scope").await;
    let resource = ("resource", "https://nobody.example/");
    ask(vec![("grant_type", "client_credentials"), resource], "invalid_target").await;
    assert_eq!(last_deed(&service, &application).await, "token unknown_resource");
    let machine = json!({ "grant_types": ["client_credentials"] });
    let machine = service.application_with("Machine", machine).await;
    refused(service.token(&machine, &redemption("mac_x")).await, 400, "unauthorized_client");
    assert_eq!(last_deed(&service, &machine).await, "token grant_type_not_allowed");
    service.finish().await;
}

#[tokio::test]
async fn oauth_46_a_refresh_token_is_replaced_each_time() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let mut given = tokens(&service, &ines, &application).await;
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        let held = given.text_of("/refresh_token").to_owned();
        assert!(seen.insert(held.clone()), "it came before");
        assert!(is_active(&service, &application, &held).await);
        given = refresh(&service, &application, &held).await.expect(200);
        assert!(!is_active(&service, &application, &held).await, "one that was used is good no longer");
    }
    let recorded = deeds(&service, &application).await;
    assert_eq!(recorded.iter().filter(|deed| *deed == "token done").count(), 5, "{recorded:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_48_of_many_at_once_one_refresh_token_gives_tokens_once_at_most() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let first = tokens(&service, &ines, &application).await;
    let held = first.text_of("/refresh_token");
    let ask = || refresh(&service, &application, held);
    let (a, b, c, d, e, f) = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    let mut given = vec![first.clone()];
    for found in [a, b, c, d, e, f] {
        if found.status == 200 {
            given.push(found);
        } else {
            refused(found, 400, "invalid_grant");
        }
    }
    assert!(given.len() <= 2, "{}", given.len());
    for tokens in &given {
        assert!(!is_active(&service, &application, tokens.text_of("/access_token")).await);
        assert!(!is_active(&service, &application, tokens.text_of("/refresh_token")).await);
    }
    assert_eq!(last_event(&service, &application).await, "grant.refresh_token_reused");
    let recorded = deeds(&service, &application).await;
    assert!(recorded.contains(&"token reused_refresh_token".to_owned()), "{recorded:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_49_a_refresh_token_is_of_one_client() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let thief = service.application("Thief").await;
    let ines = service.visitor("Ines Duarte").await;
    let first = tokens(&service, &ines, &application).await;
    let held = first.text_of("/refresh_token");
    refused(refresh(&service, &thief, held).await, 400, "invalid_grant");
    assert_eq!(last_deed(&service, &thief).await, "token refresh_token_of_another_client");
    assert!(!is_active(&service, &thief, held).await);
    assert!(is_active(&service, &application, first.text_of("/access_token")).await);
    refresh(&service, &application, held).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_51_62_what_is_old_is_good_no_longer() {
    let service = Service::start_without_a_proxy().await;
    let lifetimes = json!({ "policy": {
        "access_token_lifetime_seconds": 60, "refresh_token_lifetime_seconds": 60,
    } });
    service.patch(SANDBOX, "*", &lifetimes).await.expect(200);
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let given = tokens(&service, &ines, &application).await;
    let (access, held) = (given.text_of("/access_token"), given.text_of("/refresh_token"));
    assert_eq!(given.body["expires_in"], 60);
    assert!(is_active(&service, &application, access).await && is_active(&service, &application, held).await);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(!is_active(&service, &application, access).await);
    assert!(!is_active(&service, &application, held).await);
    ines.bearer("userinfo", access).await.expect(401);
    assert_eq!(last_deed(&service, &application).await, "userinfo token_expired");
    refused(refresh(&service, &application, held).await, 400, "invalid_grant");
    assert_eq!(last_deed(&service, &application).await, "token expired_refresh_token");
    service.finish().await;
}

#[tokio::test]
async fn oauth_52_57_a_token_of_one_kind_is_none_of_another() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let given = tokens(&service, &ines, &application).await;
    let code = ines.allow(&application.request()).await;
    let access = given.text_of("/access_token");
    let (held, id_token) = (given.text_of("/refresh_token"), given.text_of("/id_token"));
    let session = ines.cookies().into_values().find(|value| value.starts_with("mse_")).expect("a session");
    for wrong in [access, id_token, &code, &session, &application.secret, &service.token] {
        refused(refresh(&service, &application, wrong).await, 400, "invalid_grant");
    }
    for wrong in [access, id_token, held, &session, &application.secret, &service.token] {
        refused(service.redeem(&application, wrong).await, 400, "invalid_grant");
    }
    for wrong in [id_token, held, &code, &session, &application.secret, &service.token] {
        let found = ines.bearer("userinfo", wrong).await.expect(401);
        assert!(found.header("www-authenticate").contains("invalid_token"), "{}", found.text);
    }
    for wrong in [id_token, &code, &session, &application.secret, &service.token] {
        assert!(!is_active(&service, &application, wrong).await, "{wrong}");
    }
    // Nor is any of them a member's token.
    for wrong in [access, id_token, held, &code, &session, &application.secret] {
        let asked = service.request_as(wrong, reqwest::Method::GET, "/api/v1/me");
        answer(asked).await.expect(401);
    }
    assert_ne!(part(id_token, 0)["typ"], "at+jwt");
    assert!(
        super::steps::outcomes(&service, "userinfo").await.iter().all(|reason| reason == "unknown_token")
    );
    // None of that spent or ended anything.
    assert!(is_active(&service, &application, access).await);
    service.redeem(&application, &code).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_53_54_55_an_access_token_says_who_whom_and_for_how_long() {
    let service = Service::start_without_a_proxy().await;
    let api = "https://api.example.com/v1";
    let resources = json!({ "policy": { "resources": [api] } });
    service.patch(SANDBOX, "*", &resources).await.expect(200);
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let issuer = format!("{}/sandbox", service.base);
    let keys = plain(&service, "/sandbox/jwks").await.expect(200).body["keys"].clone();
    let keys = keys.as_array().cloned().unwrap_or_default();
    let published =
        |kid: &Value, alg: &Value| keys.iter().any(|key| key["kid"] == *kid && key["alg"] == *alg);
    assert!(keys.iter().any(|key| key["alg"] == "RS256"), "{keys:?}");
    let mut ids = BTreeSet::new();
    for _ in 0..3 {
        let given = tokens(&service, &ines, &application).await;
        let (header, claims) =
            (part(given.text_of("/access_token"), 0), part(given.text_of("/access_token"), 1));
        assert_eq!(header["typ"], "at+jwt");
        assert!(["ES256", "RS256"].contains(&header["alg"].as_str().unwrap_or_default()), "{header}");
        assert!(published(&header["kid"], &header["alg"]), "{header}");
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(issuer), &json!([issuer])));
        assert_eq!(claims["client_id"], json!(application.id));
        assert_eq!(claims["scope"], given.body["scope"]);
        let lives = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
        assert_eq!(lives, given.body["expires_in"].as_i64());
        assert!(claims["sub"].is_string() && claims["auth_time"].is_i64(), "{claims}");
        assert!(ids.insert(claims["jti"].as_str().expect("an id").to_owned()), "{claims}");
        let id_token = given.text_of("/id_token");
        assert!(published(&part(id_token, 0)["kid"], &json!("RS256")));
        let said = part(id_token, 1);
        assert_eq!((&said["aud"], &said["sub"]), (&json!(application.id), &claims["sub"]));
        assert_eq!((&said["iss"], &said["nonce"]), (&json!(issuer), &json!("n-1")));
    }
    // Who is to read it is said, by the resource that was asked for alone.
    let form = [("grant_type", "client_credentials"), ("resource", api)];
    let given = service.token(&application, &form).await.expect(200);
    assert_eq!(part(given.text_of("/access_token"), 1)["aud"], json!([api]));
    assert_eq!(part(given.text_of("/access_token"), 1)["sub"], json!(application.id));
    let code = ines.allow(&application.request_with(&[("resource", api)])).await;
    let more = with(&redemption(&code), "resource", &issuer);
    refused(service.token(&application, &more).await, 400, "invalid_target");
    assert_eq!(last_deed(&service, &application).await, "token unknown_resource");
    let given = service.redeem(&application, &code).await.expect(200);
    assert_eq!(part(given.text_of("/access_token"), 1)["aud"], json!([api]));
    let form = [("grant_type", "client_credentials"), ("resource", CALLBACK)];
    refused(service.token(&application, &form).await, 400, "invalid_target");
    service.finish().await;
}
