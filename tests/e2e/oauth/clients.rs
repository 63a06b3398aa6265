//! How clients prove who they are, and how guesses end.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tests::{Answer, Service, http::answer};

use super::steps::{
    deeds, last_deed, outcomes, plain, public, redemption, refused, remembered, tokens, with,
};

const ITSELF: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// The text with every character percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn oauth_31_id_and_secret_in_the_header_are_form_urlencoded() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let plain = format!("{}:{}", application.id, application.secret);
    let escaped = format!("{}:{}", encoded(&application.id), encoded(&application.secret));
    for pair in [plain, escaped] {
        let header = format!("Basic {}", STANDARD.encode(pair));
        answer(service.form("token", &ITSELF).header("authorization", header)).await.expect(200);
        assert_eq!(last_deed(&service, &application).await, "token done");
    }
    let form = [ITSELF[0], ("client_id", application.id.as_str()), ("client_secret", &application.secret)];
    answer(service.form("token", &form)).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_32_nothing_in_the_url_proves_who_a_client_is() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let pair = [("client_id", &application.id), ("client_secret", &application.secret)];
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pair).finish();
    for endpoint in ["token", "introspect", "revoke"] {
        let form = [ITSELF[0], ("token", "x")];
        let found = answer(service.form(&format!("{endpoint}?{query}"), &form)).await;
        refused(found, 400, "invalid_request");
        let found = service.protocol(&application, &format!("{endpoint}?client_id=x"), &form).await;
        refused(found, 400, "invalid_request");
    }
    assert!(deeds(&service, &application).await.is_empty(), "nobody was let in");
    service.finish().await;
}

#[tokio::test]
async fn oauth_33_a_client_proves_who_it_is_once() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let other = service.application("Other").await;
    let (id, secret) = (application.id.as_str(), application.secret.as_str());
    for endpoint in ["token", "introspect", "revoke"] {
        let form = vec![ITSELF[0], ("token", "x")];
        let both = with(&form, "client_secret", secret);
        refused(service.protocol(&application, endpoint, &both).await, 400, "invalid_request");
        let both = with(&both, "client_id", id);
        refused(service.protocol(&application, endpoint, &both).await, 400, "invalid_request");
        let another = with(&form, "client_id", &other.id);
        refused(service.protocol(&application, endpoint, &another).await, 400, "invalid_request");
        let request = service.form(endpoint, &form).basic_auth(id, Some(secret));
        let twice = request.basic_auth(&other.id, Some(&other.secret));
        refused(answer(twice).await, 401, "invalid_client");
        let bearer = service.form(endpoint, &with(&form, "client_id", id)).bearer_auth(secret);
        refused(answer(bearer).await, 401, "invalid_client");
    }
    let same = [ITSELF[0], ("client_id", id)];
    service.token(&application, &same).await.expect(200);
    let asked =
        |reason: &str| ["token", "introspection", "revocation"].map(|kind| format!("{kind} {reason}"));
    let claimed = deeds(&service, &application).await;
    let expected: Vec<_> = [asked("two_credentials"), asked("credentials_missing")].concat();
    assert!(expected.iter().all(|deed| claimed.contains(deed)), "{claimed:?}");
    assert_eq!(claimed.iter().filter(|deed| deed.ends_with(" done")).count(), 1, "{claimed:?}");
    assert_eq!(deeds(&service, &other).await, asked("client_id_differs"));
    service.finish().await;
}

#[tokio::test]
async fn oauth_34_a_wrong_secret_and_an_unknown_client_are_one_answer() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let other = service.application("Other").await;
    let nobody = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e";
    for endpoint in ["token", "introspect", "revoke"] {
        let mut answers: Vec<Answer> = Vec::new();
        for (id, secret) in [
            (application.id.as_str(), "wrong"),
            (&application.id, &other.secret),
            (nobody, &other.secret),
            ("no id at all", &other.secret),
            ("", ""),
        ] {
            let request = service.form(endpoint, &[ITSELF[0], ("token", "x")]);
            let found = refused(answer(request.basic_auth(id, Some(secret))).await, 401, "invalid_client");
            assert!(found.header("www-authenticate").starts_with("Basic "), "{}", found.text);
            answers.push(found);
        }
        for other in &answers {
            assert_eq!(other.text, answers[0].text);
            assert_eq!(other.header("www-authenticate"), answers[0].header("www-authenticate"));
        }
    }
    let expected = ["token malformed", "token unknown_tag", "introspection malformed"];
    assert_eq!(deeds(&service, &application).await[..3], expected);
    assert!(deeds(&service, &other).await.is_empty());
    let recorded = outcomes(&service, "token").await;
    assert!(recorded.contains(&"no_such_client".to_owned()), "{recorded:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_35_a_client_that_has_a_secret_gets_nothing_without_it() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    remembered(&ines, &application).await;
    let code = ines.allow(&application.request()).await;
    let given = tokens(&service, &ines, &application).await;
    let refresh = vec![("grant_type", "refresh_token"), ("refresh_token", given.text_of("/refresh_token"))];
    for form in [redemption(&code), refresh, ITSELF.to_vec()] {
        let claimed = with(&form, "client_id", &application.id);
        refused(answer(service.form("token", &claimed)).await, 401, "invalid_client");
        assert_eq!(last_deed(&service, &application).await, "token secret_missing");
        let mut empty = claimed.clone();
        empty.push(("client_secret", ""));
        refused(answer(service.form("token", &empty)).await, 401, "invalid_client");
        let basic = service.form("token", &form).basic_auth(&application.id, Some(""));
        refused(answer(basic).await, 401, "invalid_client");
        assert_eq!(last_deed(&service, &application).await, "token malformed");
        refused(answer(service.form("token", &form)).await, 401, "invalid_client");
    }
    // Nothing was spent by that.
    service.redeem(&application, &code).await.expect(200);
    service.finish().await;
}

#[tokio::test]
async fn oauth_36_who_guesses_is_told_to_wait_and_the_honest_client_is_not() {
    let service = Service::start_with_settings("[limits]\nanonymous_per_minute = 5\n").await;
    let application = service.application("Matter sync").await;
    let form = [ITSELF[0], ("token", "x")];
    for _ in 0..5 {
        let guess = service.form("token", &form).basic_auth(&application.id, Some("mcs_guess"));
        refused(answer(guess).await, 401, "invalid_client");
    }
    for endpoint in ["token", "introspect", "revoke"] {
        let guess = service.form(endpoint, &form).basic_auth(&application.id, Some("mcs_guess"));
        let stopped = answer(guess).await.expect(429);
        let wait: u64 = stopped.header("retry-after").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    }
    // The honest client is let in, also from the same address.
    service.token(&application, &ITSELF).await.expect(200);
    service.protocol(&application, "introspect", &form).await.expect(200);
    service.protocol(&application, "revoke", &form).await.expect(200);
    let recorded = deeds(&service, &application).await;
    assert_eq!(recorded.iter().filter(|deed| *deed == "token malformed").count(), 5, "{recorded:?}");
    assert!(recorded.contains(&"token done".to_owned()), "{recorded:?}");
    service.finish().await;
}

#[tokio::test]
async fn oauth_44_a_public_client_does_not_act_for_itself() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let open = public(&service, "Open").await;
    assert_eq!(open.secret, "");
    let form = [ITSELF[0], ("client_id", open.id.as_str())];
    refused(answer(service.form("token", &form)).await, 400, "unauthorized_client");
    assert_eq!(last_deed(&service, &open).await, "token grant_type_not_allowed");
    let given = service.token(&application, &ITSELF).await.expect(200);
    let names: Vec<_> = given.body.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(names, ["access_token", "expires_in", "scope", "token_type"]);
    assert_eq!(given.body["token_type"], json!("Bearer"));
    assert_eq!(last_deed(&service, &application).await, "token done");
    // A public client cannot be registered for it either.
    let mut body = tests::client_body("Both");
    body["token_endpoint_auth_method"] = json!("none");
    body["grant_types"] = json!(["authorization_code", "client_credentials"]);
    service.post(tests::http::CLIENTS, &body).await.expect_problem(422, "invalid_request");
    service.finish().await;
}

#[tokio::test]
async fn oauth_58_a_client_does_not_choose_who_it_is() {
    let service = Service::start_without_a_proxy().await;
    let wanted = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e";
    for (field, value) in
        [("client_id", wanted), ("client_secret", "mcs_mine"), ("account_id", "mine"), ("_accountId", "mine")]
    {
        let mut body = tests::client_body("Chooser");
        body[field] = json!(value);
        let found = service.post(tests::http::CLIENTS, &body).await;
        assert!((400..500).contains(&found.status), "{field}: {}", found.text);
    }
    service.get(&format!("{}/{wanted}", tests::http::CLIENTS)).await.expect(404);
    let form = [ITSELF[0], ("client_id", wanted), ("client_secret", "mcs_mine")];
    refused(answer(service.form("token", &form)).await, 401, "invalid_client");
    let events = service.get("/api/v1/audit/events?type=client.created&limit=500").await.expect(200);
    assert_eq!(events.body["items"], json!([]));
    service.finish().await;
}

#[tokio::test]
async fn oauth_39_a_request_of_which_nothing_can_be_made_is_recorded_too() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let id = application.id.as_str();
    let claimed = [("client_id", id)];
    let form = |changes: &[(&'static str, &'static str)]| {
        let mut form = claimed.to_vec();
        form.extend(changes);
        form
    };
    let cases = [
        ("token", form(&[]), "grant_type_missing"),
        ("token", form(&[("grant_type", "password")]), "grant_type"),
        ("token", form(&[("grant_type", "authorization_code")]), "code_missing"),
        ("token", form(&[("grant_type", "refresh_token")]), "refresh_token_missing"),
        ("token", form(&[("scope", "a"), ("scope", "b")]), "repeated_parameter"),
        ("introspect", form(&[]), "token_missing"),
        ("revoke", form(&[]), "token_missing"),
    ];
    for (endpoint, form, reason) in cases {
        answer(service.form(endpoint, &form)).await.expect(400);
        assert!(last_deed(&service, &application).await.ends_with(&format!(" {reason}")), "{endpoint}");
    }
    answer(service.form("token", &ITSELF)).await.expect(401);
    assert_eq!(outcomes(&service, "token").await.last().map(String::as_str), Some("credentials_missing"));
    plain(&service, "/sandbox/userinfo").await.expect(401);
    assert_eq!(outcomes(&service, "userinfo").await, ["token_missing"]);
    for (page, kind) in [("consent", "authorization"), ("grants", "authorization"), ("sign_in", "sign_in")] {
        let visitor = service.visitor(&format!("Ines {page}")).await;
        visitor.post(page, &[("csrf", "made up")]).await;
        assert_eq!(
            outcomes(&service, kind).await.last().map(String::as_str),
            Some("form_not_proved"),
            "{page}"
        );
    }
    service.finish().await;
}
