//! What is presented is written down nowhere.

use serde_json::json;
use tests::{
    Service,
    http::answer,
    oauth::{PASSWORD, VERIFIER},
};

use super::steps::{deeds, redemption, refresh, remembered, tokens};
use crate::secrecy::{assert_clean, grep};

#[tokio::test]
async fn oauth_37_38_no_credential_is_in_a_file_or_in_the_log() {
    let mut service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let opaque = json!({ "policy": { "access_token_format": "opaque" } });
    let mut needles = vec![application.secret.clone(), PASSWORD.to_owned(), VERIFIER.to_owned()];
    {
        let ines = service.visitor("Ines Duarte").await;
        remembered(&ines, &application).await;
        for round in 0..2 {
            let code = ines.allow(&application.request_with(&[("state", "canary-state")])).await;
            let unused = ines.allow(&application.request()).await;
            let given = service.redeem(&application, &code).await.expect(200);
            let more = refresh(&service, &application, given.text_of("/refresh_token")).await.expect(200);
            let access = more.text_of("/access_token");
            ines.bearer("userinfo", access).await.expect(200);
            service.introspected(&application, access).await;
            service.protocol(&application, "revoke", &[("token", access)]).await.expect(200);
            // What was wrong about a request is told without repeating it.
            service.redeem(&application, &code).await.expect(400);
            let posted = [&redemption(&unused)[..], &[("client_secret", "mcs_canary_wrong")]].concat();
            answer(service.form("token", &posted)).await.expect(401);
            ines.get(&format!("userinfo?access_token={access}&canary=1")).await.expect(401);
            needles.extend([code, unused, access.to_owned(), given.text_of("/id_token").to_owned()]);
            for tokens in [&given, &more] {
                let access = tokens.text_of("/access_token");
                // The signature of a JWT; what is sealed in an opaque token, in whose text an underscore may stand too.
                let part = match access.starts_with("mat_") {
                    true => access.splitn(3, '_').nth(2),
                    false => access.rsplit('.').next(),
                };
                needles.push(part.unwrap_or(access).to_owned());
                needles.push(tokens.text_of("/refresh_token").to_owned());
            }
            if round == 0 {
                remembered(&ines, &application).await;
                service.patch("/api/v1/environments/sandbox", "*", &opaque).await.expect(200);
                let sealed = tokens(&service, &ines, &application).await;
                assert!(sealed.text_of("/access_token").starts_with("mat_"), "{}", sealed.text);
                ines.bearer("userinfo", sealed.text_of("/access_token")).await.expect(200);
            }
        }
        needles.extend(ines.cookies().into_values());
    }
    needles.extend(registration_tokens(&service).await);
    // The secret part alone, too.
    let parts: Vec<_> = needles
        .iter()
        .filter(|needle| {
            ["mcs_", "mac_", "mrt_", "mse_", "mia_", "mra_"].iter().any(|kind| needle.starts_with(kind))
        })
        .filter_map(|needle| needle.split('_').nth(2).map(str::to_owned))
        .collect();
    assert!(parts.len() >= 8, "{}", parts.len());
    needles.extend(parts);
    needles.push("mcs_canary_wrong".to_owned());
    let recorded = deeds(&service, &application).await;
    assert!(recorded.contains(&"token reused_code".to_owned()), "{recorded:?}");
    for path in ["/metrics", "/api/v1/audit/events?limit=500", "/api/v1/activity?limit=500"] {
        assert_clean(path, service.get(path).await.expect(200).text.as_bytes(), &needles);
    }
    // Once while the write-ahead logs are full, once after the close.
    grep(&service.data(), &needles);
    service.stop().await;
    grep(&service.data(), &needles);
    assert_clean("standard error", service.stderr().as_bytes(), &needles);
    service.finish().await;
}

/// What a client registers itself with, and manages that with.
async fn registration_tokens(service: &Service) -> Vec<String> {
    let policy = json!({ "policy": { "registration": "initial_access_token", "registration_defaults": {
        "client_type": "standard", "contacts_required": false, "terms_required": false,
    }}});
    service.patch("/api/v1/environments/sandbox", "*", &policy).await.expect(200);
    let body = json!({ "label": "Agents", "expires_in_seconds": 60 });
    let issued = service.post("/api/v1/environments/sandbox/initial_access_tokens", &body).await.expect(201);
    let initial = issued.text_of("/token");
    let http = reqwest::Client::builder().no_proxy().build().expect("an HTTP client");
    let metadata = json!({ "redirect_uris": ["https://app.example.com/callback"] });
    let request = http.post(format!("{}/sandbox/register", service.base)).bearer_auth(initial);
    let own = answer(request.json(&metadata)).await.expect(201);
    let names = ["/client_secret", "/registration_access_token"];
    let of_client = names.map(|name| own.text_of(name).to_owned());
    [initial.to_owned()].into_iter().chain(of_client).collect()
}
