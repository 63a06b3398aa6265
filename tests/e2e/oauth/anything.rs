//! Whatever is sent to the protocol's endpoints: the service answers, and sends nobody where nobody registered.

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRunner},
};
use reqwest::Method;
use tests::{
    Service,
    http::answer,
    oauth::{CALLBACK, CHALLENGE, VERIFIER, hidden},
};

use super::steps::{last_deed, remembered, tokens};

/// Requests that are sent.
const CASES: usize = 300;

/// The parameters that there are.
const NAMES: [&str; 39] = [
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "resource",
    "request",
    "request_uri",
    "dpop_jkt",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "token",
    "token_type_hint",
    "email",
    "password",
    "csrf",
    "continue",
    "decision",
    "remember",
    "withdraw",
    "muniment_signed_in",
    "next",
    "pending",
    "do",
    "remove",
    "enrolment_id",
    "credential",
    "client_data",
];

const ENDPOINTS: [(Method, &str); 20] = [
    (Method::POST, "par"),
    (Method::GET, "authorize"),
    (Method::GET, "authorize"),
    (Method::POST, "authorize"),
    (Method::POST, "token"),
    (Method::POST, "token"),
    (Method::POST, "introspect"),
    (Method::POST, "revoke"),
    (Method::GET, "userinfo"),
    (Method::POST, "userinfo"),
    (Method::POST, "sign_in"),
    (Method::POST, "consent"),
    (Method::POST, "logout"),
    (Method::POST, "grants"),
    (Method::GET, "grants"),
    (Method::GET, "sign_in"),
    (Method::GET, "second_factor"),
    (Method::POST, "second_factor"),
    (Method::POST, "register"),
    (Method::GET, "register/x"),
];

/// A request that somebody made up.
#[derive(Clone, Debug)]
struct MadeUp {
    endpoint: usize,
    parameters: Vec<(String, String)>,
    /// Sent as they are, behind the parameters.
    raw: Vec<u8>,
    /// Added to the last parameter.
    padding: usize,
    with_secret: bool,
    with_session: bool,
    bearer: Option<String>,
}

/// A value: one that fits somewhere, or anything.
fn value(known: Vec<String>) -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(known),
        1 => any::<String>(),
        1 => "[ -~]{0,60}",
        1 => "[\\x00-\\x1f%&=+#?/\\\\<>\"']{0,20}",
    ]
}

fn made_up(known: &[String]) -> impl Strategy<Value = MadeUp> + use<> {
    let name =
        prop_oneof![9 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => any::<String>()];
    let parameters = proptest::collection::vec((name, value(known.to_vec())), 0..14);
    let raw = prop_oneof![3 => Just(Vec::new()), 1 => proptest::collection::vec(any::<u8>(), 0..80)];
    let padding = prop_oneof![8 => Just(0_usize), 1 => 0..60_000_usize];
    let bearer = proptest::option::weighted(0.3, value(known.to_vec()));
    (0..ENDPOINTS.len(), parameters, raw, padding, any::<bool>(), any::<bool>(), bearer).prop_map(
        |(endpoint, parameters, raw, padding, with_secret, with_session, bearer)| MadeUp {
            endpoint,
            parameters,
            raw,
            padding,
            with_secret,
            with_session,
            bearer,
        },
    )
}

#[tokio::test]
async fn oauth_20_whatever_is_sent_nothing_breaks_and_nobody_is_led_astray() {
    let service = Service::start_without_a_proxy().await;
    let application = service.application("Matter sync").await;
    let ines = service.visitor("Ines Duarte").await;
    let page = ines.authorize(&application.request()).await.expect(200);
    let of_sign_in = hidden(&page);
    let asked = ines.sign_in(&page).await.expect(200);
    let mut known: Vec<String> = application.request().into_iter().map(|(_, value)| value).collect();
    known.extend(of_sign_in.into_iter().chain(hidden(&asked)).map(|(_, value)| value));
    remembered(&ines, &application).await;
    let given = tokens(&service, &ines, &application).await;
    for name in ["/access_token", "/refresh_token", "/id_token"] {
        known.push(given.text_of(name).to_owned());
    }
    known.push(ines.allow(&application.request()).await);
    known.push(application.secret.clone());
    let plain = [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "none",
        "login",
        "consent",
        "allow",
        "deny",
        "plain",
        "token",
        "0",
        "-1",
        "4294967296",
        "https://evil.example/",
        "//evil.example",
        "yes",
        "",
        " ",
        CALLBACK,
        CHALLENGE,
        VERIFIER,
        "\r\nlocation: https://evil.example/",
        "openid",
        "query",
        "fragment",
    ];
    known.extend(plain.map(str::to_owned));
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let http = http.expect("an HTTP client");
    let cookies: Vec<_> = ines.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let strategy = made_up(&known);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    for _ in 0..CASES {
        let made_up = strategy.new_tree(&mut runner).expect("a request").current();
        let mut parameters = made_up.parameters.clone();
        if let Some((_, value)) = parameters.last_mut() {
            value.extend(std::iter::repeat_n('x', made_up.padding));
        }
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
        let (method, endpoint) = &ENDPOINTS[made_up.endpoint];
        let url = format!("{}/sandbox/{endpoint}", service.base);
        let mut request = if *method == Method::GET {
            http.get(format!("{url}?{text}"))
        } else {
            let body = [text.as_bytes(), &made_up.raw].concat();
            http.post(url).header("content-type", "application/x-www-form-urlencoded").body(body)
        };
        if made_up.with_secret {
            request = request.basic_auth(&application.id, Some(&application.secret));
        }
        if made_up.with_session {
            request = request.header("cookie", cookies.join("; "));
        }
        let in_header = |text: &&String| reqwest::header::HeaderValue::from_str(text).is_ok();
        if let Some(bearer) = made_up.bearer.as_ref().filter(in_header) {
            request = request.bearer_auth(bearer);
        }
        let found = answer(request).await;
        assert!(found.status < 500, "{}: {made_up:?}", found.status);
        let location = found.header("location");
        let ours = format!("{}/sandbox/", service.base);
        let registered = format!("{CALLBACK}?");
        // A page beside this one, or nowhere.
        let beside = ["", "authorize", "sign_in", "grants", "consent", "logout", "second_factor"]
            .contains(&location.split('?').next().unwrap_or_default());
        let fits = beside || location.starts_with(&ours) || location.starts_with(&registered);
        assert!(fits, "{location}: {made_up:?}");
        assert!(!found.headers.contains_key("x-injected"), "{made_up:?}");
    }
    // It still does its work.
    let other = ines.elsewhere();
    let next = service.application("Next").await;
    let page = other.authorize(&next.request()).await.expect(200);
    assert!(page.text.contains("name=\"password\""));
    service.token(&next, &[("grant_type", "client_credentials")]).await.expect(200);
    assert_eq!(last_deed(&service, &next).await, "token done");
    service.finish().await;
}
