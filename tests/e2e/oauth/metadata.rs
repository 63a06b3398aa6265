//! What an environment says of itself, and the keys that its tokens are verified with.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use tests::{
    Service,
    http::answer,
    oauth::{PASSWORD, Visitor},
};

use super::steps::{outcomes, plain};

#[tokio::test]
async fn oauth_9_78_the_metadata_stands_where_it_belongs_and_no_header_moves_it() {
    let service = Service::start().await;
    let issuer = "https://oauth.example.com/sandbox";
    let paths =
        ["/.well-known/oauth-authorization-server/sandbox", "/sandbox/.well-known/openid-configuration"];
    for path in paths {
        let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
        let request = http.get(format!("{}{path}", service.base)).header("host", "evil.example");
        let request =
            request.header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example");
        let moved = answer(request).await.expect(200);
        let found = plain(&service, path).await.expect(200);
        assert_eq!(moved.body, found.body);
        assert_eq!(found.header("content-type"), "application/json");
        assert_eq!(found.body["issuer"], issuer);
        assert_eq!(found.body["authorization_response_iss_parameter_supported"], true);
        for (name, value) in found.body.as_object().expect("an object") {
            if name.ends_with("_endpoint") || name == "jwks_uri" {
                let url = value.as_str().unwrap_or_default();
                assert!(url.starts_with(&format!("{issuer}/")), "{name}: {url}");
                let path = url.strip_prefix("https://oauth.example.com").unwrap_or_default();
                assert_ne!(plain(&service, path).await.status, 404, "{name} leads somewhere");
            }
        }
        plain(&service, &path.replace("sandbox", "nowhere")).await.expect(404);
        plain(&service, &path.replace("sandbox", "..%2fsandbox")).await.expect(404);
    }
    // Nor does a header move where a browser is sent.
    let visitor = Visitor::new(&service, "ines@members.example".to_owned());
    let page = visitor.get("sign_in").await.expect(200);
    assert!(page.text.contains("oauth.example.com"), "{}", page.text);
    visitor.try_password(&page, PASSWORD).await.expect(422);
    assert_eq!(outcomes(&service, "sign_in").await, ["unknown_member"]);
    service.finish().await;
}

#[tokio::test]
async fn oauth_79_the_keys_of_an_environment_are_public_strong_and_its_own() {
    let service = Service::start().await;
    let mut names = BTreeSet::new();
    let mut total = 0;
    for environment in ["sandbox", "production"] {
        let found = plain(&service, &format!("/{environment}/jwks")).await.expect(200);
        let keys = found.body["keys"].as_array().cloned().unwrap_or_default();
        assert!(!keys.is_empty(), "{}", found.text);
        for key in &keys {
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert!(key.get(private).is_none(), "{private} is published");
            }
            assert_eq!(key["use"], json!("sig"));
            match key["kty"].as_str() {
                Some("RSA") => {
                    let n = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap_or_default()).expect("a number");
                    assert!(n.len() >= 256 && n[0] >= 0x80, "{} bytes", n.len());
                }
                kind => assert_eq!((kind, &key["crv"]), (Some("EC"), &json!("P-256"))),
            }
            names.insert(key["kid"].as_str().expect("a name").to_owned());
            total += 1;
        }
        assert!(keys.iter().any(|key| key["kty"] == "RSA"), "{}", found.text);
    }
    assert_eq!(names.len(), total, "no two have one name, on whatever island");
    let made =
        async || service.get("/api/v1/audit/events?limit=500").await.expect(200).text.contains("nowhere");
    plain(&service, "/nowhere/jwks").await.expect(404);
    assert!(!made().await, "nobody makes keys of an environment by making up its name");
    service.finish().await;
}
