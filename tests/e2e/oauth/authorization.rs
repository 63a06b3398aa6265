//! The authorization endpoint: who may ask for what, and where the answer goes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::json;
use tests::{
    Service,
    browser::{self, Elsewhere},
    http::{CLIENTS, answer},
    oauth::{Application, CALLBACK, CHALLENGE, sent_back},
};

use super::steps::{deeds, last_deed, metadata, outcomes, remembered, stays, told};

#[tokio::test]
async fn oauth_1_a_redirect_uri_that_differs_in_any_way_leads_nowhere() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let before = deeds(&service, &application).await.len();
    for uri in [
        "https://app.example.com/callback/",
        "https://app.example.com/callback2",
        "https://app.example.com/",
        "https://app.example.com/./callback",
        "https://app.example.com/x/../callback",
        "https://app.example.com/%63allback",
        "https://app.example.com/Callback",
        "https://app.example.com/callback?",
        "https://app.example.com/callback?x=1",
        "https://app.example.com/callback#",
        "https://app.example.com/callback#x",
        "https://app.example.com:443/callback",
        "https://app.example.com:8443/callback",
        "https://APP.example.com/callback",
        "HTTPS://app.example.com/callback",
        "http://app.example.com/callback",
        "https://evil.app.example.com/callback",
        "https://app.example.com.evil.example/callback",
        "https://app.example.com@evil.example/callback",
        "https://user@app.example.com/callback",
        "https://app.example.com\\@evil.example/callback",
        "//app.example.com/callback",
        "/callback",
        "javascript:alert(1)",
        " https://app.example.com/callback",
        "https://app.example.com/callback ",
        "https://app.example.com/callback https://evil.example/",
        "",
    ] {
        let shown = stays(ines.authorize(&application.request_with(&[("redirect_uri", uri)])).await, 400);
        assert!(!shown.text.contains("href=\"https://evil"), "{uri}: {}", shown.text);
    }
    let recorded = deeds(&service, &application).await.split_off(before);
    assert!(recorded.len() >= 12, "{recorded:?}");
    assert!(recorded.iter().all(|deed| deed.starts_with("authorization redirect_uri")), "{recorded:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_1_a_changed_redirect_uri_holds_from_the_next_request_on() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let change = json!({ "redirect_uris": ["https://new.example.com/callback"] });
    service.patch(&format!("{CLIENTS}/{}", application.id), "*", &change).await.expect(200);
    stays(ines.authorize(&application.request()).await, 400);
    assert!(last_deed(&service, &application).await.starts_with("authorization redirect_uri"));
    let request = application.request_with(&[("redirect_uri", "https://new.example.com/callback")]);
    let sent = ines.authorize(&request).await.expect(303);
    assert!(sent.header("location").starts_with("https://new.example.com/callback?code="));
    assert_eq!(last_deed(&service, &application).await, "authorization done");
    service.finish().await;
}

#[tokio::test]
async fn oauth_2_nobody_is_sent_anywhere_for_a_client_that_is_not_known() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let gone = service.application("Gone").await;
    service.delete(&format!("{CLIENTS}/{}", gone.id)).await.expect(204);
    let ines = service.visitor("Ines Duarte").await;
    for client_id in ["0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e", "nobody", "", "../../api", gone.id.as_str()] {
        for redirect_uri in [CALLBACK, "https://evil.example/", ""] {
            let changes = [("client_id", client_id), ("redirect_uri", redirect_uri)];
            stays(ines.authorize(&application.request_with(&changes)).await, 400);
        }
    }
    // In another environment it is nobody.
    let query = format!("client_id={}&redirect_uri={CALLBACK}&response_type=code", application.id);
    stays(ines.get(&format!("{}/production/authorize?{query}", service.base)).await, 400);
    stays(ines.get(&format!("{}/nowhere/authorize?{query}", service.base)).await, 404);
    let recorded = outcomes(&service, "authorization").await;
    assert!(recorded.contains(&"no_such_client".to_owned()), "{recorded:?}");
    assert!(recorded.contains(&"client_id_missing".to_owned()), "{recorded:?}");
    assert!(!recorded.contains(&"done".to_owned()), "{recorded:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_2_a_client_that_is_deactivated_or_deleted_asks_nobody() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let client = format!("{CLIENTS}/{}", application.id);
    service.post(&format!("{client}/deactivate"), &json!({})).await.expect(200);
    stays(ines.authorize(&application.request()).await, 400);
    assert_eq!(last_deed(&service, &application).await, "authorization inactive");
    service.delete(&client).await.expect(204);
    stays(ines.authorize(&application.request()).await, 400);
    assert_eq!(last_deed(&service, &application).await, "authorization no_such_client");
    service.finish().await;
}

#[tokio::test]
async fn oauth_3_a_parameter_that_stands_twice_gives_no_code() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let request = application.request();
    for (name, value) in &request {
        let mut twice = request.clone();
        twice.push((*name, value.clone()));
        let found = ines.authorize(&twice).await;
        if ["client_id", "redirect_uri"].contains(name) {
            stays(found, 400);
            let recorded = outcomes(&service, "authorization").await;
            let reason = recorded.last().map(String::as_str);
            assert_eq!(reason, Some("repeated_client_or_redirect_uri"), "{name}");
        } else {
            let told = told(found, "invalid_request");
            // Which of two states would be the right one?
            assert_eq!(told.contains_key("state"), *name != "state", "{told:?}");
        }
    }
    let recorded = deeds(&service, &application).await;
    assert!(recorded.contains(&"authorization repeated_parameter".to_owned()), "{recorded:?}");
    assert_eq!(recorded.iter().filter(|deed| *deed == "authorization done").count(), 1, "{recorded:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_4_no_response_but_a_code_and_no_token_in_a_url() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    for response_type in
        ["token", "id_token", "id_token token", "code token", "code id_token", "none", "Code"]
    {
        let request = application.request_with(&[("response_type", response_type)]);
        let found = ines.authorize(&request).await;
        let location = found.header("location").to_owned();
        assert!(!location.contains('#') && !location.contains("access_token"), "{location}");
        told(found, "unsupported_response_type");
        assert_eq!(last_deed(&service, &application).await, "authorization response_type");
    }
    for mode in ["fragment", "form_post"] {
        told(ines.authorize(&application.request_with(&[("response_mode", mode)])).await, "invalid_request");
    }
    let metadata = metadata(&service).await;
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(metadata["response_modes_supported"], json!(["query"]));
    let grant_types = json!(["authorization_code", "refresh_token", "client_credentials"]);
    let mut supported = metadata["grant_types_supported"].as_array().cloned().unwrap_or_default();
    supported.sort_by_key(ToString::to_string);
    let mut expected = grant_types.as_array().cloned().unwrap_or_default();
    expected.sort_by_key(ToString::to_string);
    assert_eq!(supported, expected);
    service.finish().await;
}

#[tokio::test]
async fn oauth_5_8_errors_of_a_known_client_go_back_with_state_and_issuer() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let long = "s".repeat(2_001);
    for (name, value, error, reason) in [
        ("response_type", "", "invalid_request", "response_type_missing"),
        ("response_type", "token", "unsupported_response_type", "response_type"),
        ("scope", "matters:read nonsense", "invalid_scope", "unknown_scope"),
        ("scope", "matters:read \"", "invalid_scope", "unknown_scope"),
        ("prompt", "none", "login_required", "login_required"),
        ("prompt", "none login", "invalid_request", "prompt"),
        ("prompt", "nonsense", "invalid_request", "prompt"),
        ("max_age", "-1", "invalid_request", "max_age"),
        ("nonce", &long, "invalid_request", "parameter_too_long"),
        ("request", "eyJhbGciOiJub25lIn0.e30.", "request_not_supported", "request_object"),
        ("request_uri", "https://evil.example/", "request_not_supported", "request_object"),
        ("resource", "https://nobody.example/", "invalid_target", "unknown_resource"),
    ] {
        let told = told(ines.authorize(&application.request_with(&[(name, value)])).await, error);
        assert_eq!(told["state"], "s-1", "{told:?}");
        assert_eq!(told["iss"], format!("{}/sandbox", service.base));
        assert_eq!(last_deed(&service, &application).await, format!("authorization {reason}"));
    }
    let metadata = json!({ "grant_types": ["client_credentials"] });
    let machine = service.application_with("Machine", metadata).await;
    told(ines.authorize(&machine.request()).await, "unauthorized_client");
    assert_eq!(last_deed(&service, &machine).await, "authorization grant_type_not_allowed");
    // Once somebody has signed in who was not asked yet, nothing is given without a question either.
    let page = ines.authorize(&application.request()).await.expect(200);
    ines.sign_in(&page).await.expect(200);
    told(ines.authorize(&application.request_with(&[("prompt", "none")])).await, "consent_required");
    assert_eq!(last_deed(&service, &application).await, "authorization consent_required");
    service.finish().await;
}

#[tokio::test]
async fn oauth_6_the_state_comes_back_as_it_went() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let state = "a b&c=d/e+f%20g\"h'i<j>k;l\\m#n?o é 漢 %2B &amp; &#38;";
    let changes = [("state", state)];
    let back = |location: &str| {
        let (_, query) = location.split_once('?').expect("a query");
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        let states: Vec<_> = pairs.filter(|(name, _)| name == "state").map(|(_, value)| value).collect();
        assert_eq!(states, [state], "{location}");
    };
    // Through both pages, at once when remembered, and with an error.
    let page = ines.authorize(&application.request_with(&changes)).await.expect(200);
    let asked = ines.sign_in(&page).await.expect(200);
    back(ines.decide(&asked, "allow", true).await.expect(303).header("location"));
    back(ines.authorize(&application.request_with(&changes)).await.expect(303).header("location"));
    let wrong = [("state", state), ("response_type", "token")];
    back(ines.authorize(&application.request_with(&wrong)).await.expect(303).header("location"));
    let sent = sent_back(&ines.authorize(&application.request_with(&[("state", "")])).await.expect(303));
    assert!(!sent.contains_key("state"), "who sends none gets none: {sent:?}");
    assert_eq!(last_deed(&service, &application).await, "authorization done");
    service.finish().await;
}

#[tokio::test]
async fn oauth_7_9_the_answer_names_the_issuer_of_the_metadata() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let sent = sent_back(&ines.authorize(&application.request()).await.expect(303));
    let metadata = metadata(&service).await;
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(Some(sent["iss"].as_str()), metadata["issuer"].as_str());
    assert!(sent.contains_key("code"));
    assert_eq!(last_deed(&service, &application).await, "authorization done");
    service.finish().await;
}

#[tokio::test]
async fn oauth_10_11_14_without_a_challenge_of_s256_there_is_no_code() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let padded = format!("{CHALLENGE}=");
    for (name, value, reason) in [
        ("code_challenge", "", "code_challenge_missing"),
        ("code_challenge_method", "", "code_challenge_method"),
        ("code_challenge_method", "plain", "code_challenge_method"),
        ("code_challenge_method", "s256", "code_challenge_method"),
        ("code_challenge_method", "S512", "code_challenge_method"),
        ("code_challenge", "tooshort", "code_challenge_malformed"),
        ("code_challenge", &padded, "code_challenge_malformed"),
        ("code_challenge", &CHALLENGE[..42], "code_challenge_malformed"),
        ("code_challenge", "++++++++++++++++++++++++++++++++++++++++++A", "code_challenge_malformed"),
    ] {
        told(ines.authorize(&application.request_with(&[(name, value)])).await, "invalid_request");
        assert_eq!(last_deed(&service, &application).await, format!("authorization {reason}"), "{value}");
    }
    let neither = [("code_challenge", ""), ("code_challenge_method", "")];
    told(ines.authorize(&application.request_with(&neither)).await, "invalid_request");
    assert_eq!(metadata(&service).await["code_challenge_methods_supported"], json!(["S256"]));
    service.finish().await;
}

#[tokio::test]
async fn oauth_15_after_a_form_the_browser_goes_on_with_a_get() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let signed_in = ines.try_password(&page, tests::oauth::PASSWORD).await;
    assert_eq!(signed_in.status, 303);
    assert!(!signed_in.header("location").contains("password"), "{}", signed_in.header("location"));
    let asked = ines.get(signed_in.header("location")).await.expect(200);
    assert_eq!(ines.decide(&asked, "deny", false).await.status, 303);
    let asked = ines.authorize(&application.request()).await.expect(200);
    assert_eq!(ines.decide(&asked, "allow", true).await.status, 303);
    let request = application.request();
    let form: Vec<_> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(ines.post("authorize", &form).await.status, 303);
    let wrong: Vec<_> = form.iter().filter(|(name, _)| *name != "response_type").copied().collect();
    assert_eq!(ines.post("authorize", &wrong).await.status, 303);
    let recorded = deeds(&service, &application).await;
    let expected = [
        "authorization denied",
        "authorization done",
        "authorization done",
        "authorization response_type_missing",
    ];
    assert_eq!(recorded, expected);
    service.finish().await;
}

#[tokio::test]
async fn oauth_19_no_page_of_another_origin_reads_an_authorization() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(application.request()).finish();
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        let request = service.request(method.clone(), &format!("/sandbox/authorize?{query}"));
        let request = request.header("origin", "https://evil.example");
        let found = answer(request.header("access-control-request-method", "GET")).await;
        assert!(found.status < 500, "{method}: {}", found.status);
        let cors: Vec<_> =
            found.headers.keys().filter(|name| name.as_str().starts_with("access-control")).collect();
        assert!(cors.is_empty(), "{method}: {cors:?}");
    }
    // The POST carried nothing in its body: it named no client.
    assert_eq!(outcomes(&service, "authorization").await, ["client_id_missing"]);
    service.finish().await;
}

/// What a program does in a page: it finds the endpoints, asks for a token with headers that no browser sends unasked, asks whose
/// it is, and ends it.
fn program(issuer: &str, application: &Application) -> String {
    let basic = STANDARD.encode(format!("{}:{}", application.id, application.secret));
    format!(
        r#"<!doctype html><html lang="en"><head><title>Waits</title></head><body><h1>A program</h1><script>
        (async () => {{
          const metadata = await (await fetch("{issuer}/.well-known/openid-configuration")).json();
          const headers = {{ authorization: "Basic {basic}", "content-type": "application/x-www-form-urlencoded" }};
          const ask = (endpoint, body) => fetch(endpoint, {{ method: "POST", headers, body }});
          const keys = await (await fetch(metadata.jwks_uri)).json();
          const got = await ask(metadata.token_endpoint, "grant_type=client_credentials");
          const {{ access_token: token, token_type }} = await got.json();
          const userinfo = await fetch(metadata.userinfo_endpoint, {{ headers: {{ authorization: `Bearer ${{token}}` }} }});
          const why = userinfo.headers.get("www-authenticate").includes("error=");
          const revoked = await ask(metadata.revocation_endpoint, `token=${{token}}`);
          document.title = [Array.isArray(keys.keys), got.status, token_type, userinfo.status, why, revoked.status].join(" ");
        }})();
        </script></body></html>"#
    )
}

#[tokio::test]
async fn oauth_19_a_program_in_a_page_of_another_origin_gets_tokens() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    for endpoint in ["token", "revoke", "userinfo", "par"] {
        let request = service.request(Method::OPTIONS, &format!("/sandbox/{endpoint}"));
        let request = request.header("origin", "https://app.example.com");
        let found = answer(request.header("access-control-request-method", "POST")).await.expect(204);
        assert_eq!(found.header("access-control-allow-origin"), "*");
        assert_eq!(found.header("access-control-allow-credentials"), "");
        assert!(found.header("access-control-allow-methods").contains("POST"), "{endpoint}");
        assert!(found.header("access-control-allow-headers").contains("dpop"), "{endpoint}");
    }
    for endpoint in
        ["authorize", "sign_in", "consent", "grants", "logout", "second_factor", "introspect", "register"]
    {
        let request = service.request(Method::OPTIONS, &format!("/sandbox/{endpoint}"));
        let found = answer(request.header("origin", "https://app.example.com")).await.expect(405);
        assert_eq!(found.header("access-control-allow-origin"), "", "{endpoint}");
    }
    let issuer = format!("{}/sandbox", service.base);
    let page = Elsewhere::start_with_script(&program(&issuer, &application)).await;
    let steps = json!([{ "open": page.base }, { "becomes": "true 200 Bearer 403 true 200" }]);
    browser::walk_with_javascript(&service.base, &page.base, &steps).await;
    assert_eq!(deeds(&service, &application).await[0], "token done");
    service.finish().await;
}
