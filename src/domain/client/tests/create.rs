use super::*;

fn command(edit: impl FnOnce(&mut CreateClient)) -> ClientCommand {
    let mut command = create();
    edit(&mut command);
    ClientCommand::CreateClient(Box::new(command))
}

#[track_caller]
fn refused(edit: impl FnOnce(&mut CreateClient)) -> Vec<(String, Rule)> {
    wrong(nothing(), 0, command(edit))
}

fn made(edit: impl FnOnce(&mut CreateClient)) -> ClientCreated {
    let ClientEvent::Created(created) = event(nothing(), 0, command(edit)) else { panic!("not a creation") };
    created
}

#[test]
fn l2_a_client_is_created_as_it_was_asked_for() {
    nothing()
        .when(At { now: after(0), command: command(|_| {}) })
        .then_expect_events(vec![Stamped { at: after(0), event: ClientEvent::Created(created()) }]);
    let registration = registration(&[]);
    assert_eq!(registration.status, Status::Active);
    assert_eq!((registration.created_at, registration.updated_at), (after(0), after(0)));
    assert_eq!(registration.terms_accepted, "2026-01");
    assert_eq!(registration.responsible, created().responsible);
    assert_eq!(registration.signing_secret.id, id("sign1"));
    assert_eq!(
        registration.live_secrets(after(0)).map(|secret| &secret.id).collect::<Vec<_>>(),
        [&id("first")]
    );
}

#[test]
fn l2_a_client_is_created_once() {
    assert_eq!(error(given(&[]), 1, command(|_| {})), ClientError::AlreadyExists);
    assert_eq!(error(given(&[(1, deleted())]), 2, command(|_| {})), ClientError::AlreadyExists);
}

#[test]
fn l2_a_name_is_required_and_can_be_read() {
    let named = |name: &str| refused(|create| create.metadata.client_name = name.to_owned());
    for (name, rule) in [
        ("", Rule::Required),
        (" \t\u{a0}", Rule::Required),
        ("\u{200d}", Rule::Required),
        ("Matter\u{0}sync", Rule::ControlCharacter),
        ("Matter\nsync", Rule::ControlCharacter),
        ("Matter\u{202e}cnys", Rule::ControlCharacter),
        ("Matter\u{200b}sync", Rule::ControlCharacter),
    ] {
        assert_eq!(named(name), at("/client_name", rule), "{name:?}");
    }
    assert_eq!(named(&"x".repeat(121)), at("/client_name", Rule::TooLong));
    assert_eq!(made(|create| create.metadata.client_name = "é".repeat(120)).client_name, "é".repeat(120));
    assert_eq!(
        made(|create| create.metadata.client_name = "  Matter sync ".into()).client_name,
        "Matter sync"
    );
}

#[test]
fn l2_at_least_one_redirect_uri_is_required() {
    let with = |given: &[&str]| refused(|create| create.metadata.redirect_uris = texts(given));
    assert_eq!(with(&[]), at("/redirect_uris", Rule::Required));
    assert_eq!(with(&["https://a.example/", "https://a.example/"]), at("/redirect_uris/1", Rule::Duplicate));
    assert_eq!(
        with(&[
            "/cb",
            "https://a.example/",
            "http://a.example/",
            "https://a.example/#x",
            "https://me@a.example/",
            ""
        ]),
        [
            ("/redirect_uris/0".to_owned(), Rule::NotAbsolute),
            ("/redirect_uris/2".to_owned(), Rule::NotHttps),
            ("/redirect_uris/3".to_owned(), Rule::HasFragment),
            ("/redirect_uris/4".to_owned(), Rule::HasUserinfo),
            ("/redirect_uris/5".to_owned(), Rule::Required),
        ]
    );
}

#[test]
fn l6_redirect_uris_are_kept_byte_for_byte_in_their_order() {
    let given = [
        "https://b.example/CB/?x=%2f",
        "https://a.example",
        "http://[::1]:8080/",
        "https://b.example/CB?x=%2f",
    ];
    assert_eq!(made(|create| create.metadata.redirect_uris = texts(&given)).redirect_uris, uris(&given));
}

#[test]
fn l2_redirect_uris_fit_into_an_entry() {
    let many = |count: usize, length: usize| -> Vec<String> {
        (0..count).map(|place| format!("https://a.example/{place:0>width$}", width = length - 18)).collect()
    };
    assert_eq!(
        refused(|create| create.metadata.redirect_uris = many(51, 30)),
        at("/redirect_uris", Rule::TooMany)
    );
    assert_eq!(
        made(|create| create.metadata.redirect_uris = many(50, 30)).redirect_uris.len(),
        MOST_REDIRECT_URIS
    );
    assert_eq!(
        refused(|create| create.metadata.redirect_uris = many(11, 1_900)),
        at("/redirect_uris", Rule::TooLong)
    );
    assert_eq!(made(|create| create.metadata.redirect_uris = many(10, 2_000)).redirect_uris.len(), 10);
}

#[test]
fn l2_contacts_are_required() {
    assert_eq!(refused(|create| create.contacts = vec![]), at("/contacts", Rule::Required));
    assert_eq!(
        refused(|create| create.contacts = vec![person(1), person(2), person(1)]),
        at("/contacts", Rule::Duplicate)
    );
    assert_eq!(
        refused(|create| create.contacts = (0..21).map(person).collect()),
        at("/contacts", Rule::TooMany)
    );
    assert_eq!(made(|create| create.contacts = (0..20).map(person).collect()).contacts.len(), 20);
}

#[test]
fn l2_the_newest_terms_are_to_be_accepted() {
    assert_eq!(refused(|create| create.terms_accepted = None), at("/terms_accepted", Rule::Required));
    for other in ["2025-06", "", "2026-01 ", "2027-01"] {
        let with = refused(|create| create.terms_accepted = Some(other.into()));
        assert_eq!(with, at("/terms_accepted", Rule::TermsNotAccepted), "{other}");
    }
    let unpublished = |create: &mut CreateClient| create.policy.terms = vec![];
    assert_eq!(
        refused(unpublished),
        at("/terms_accepted", Rule::TermsNotAccepted),
        "nothing to accept, so no client"
    );
}

#[test]
fn o2_the_type_must_be_in_the_catalog_and_take_clients() {
    assert_eq!(refused(|create| create.type_rules = None), at("/client_type", Rule::Unknown));
    let deprecated =
        |create: &mut CreateClient| create.type_rules = Some(TypeRules { deprecated: true, ..standard() });
    assert_eq!(refused(deprecated), at("/client_type", Rule::Deprecated));
    let unnamed = |create: &mut CreateClient| {
        create.metadata.client_type = " ".into();
        create.type_rules = None;
    };
    assert_eq!(refused(unnamed), at("/client_type", Rule::Required), "said once, not also as unknown");
}

#[test]
fn o2_the_type_fixes_the_scopes() {
    let asked = |scope: &str| refused(|create| create.metadata.scope = scope.into());
    assert_eq!(asked("matters:read events:notify"), at("/scope", Rule::NotAllowedByType));
    assert_eq!(asked("records:search events:notify").len(), 2, "each scope at fault is named");
    assert_eq!(asked("matters:\"read\""), at("/scope", Rule::Malformed));
    assert_eq!(made(|create| create.metadata.scope = "matters:read".into()).scope, scopes("matters:read"));
}

#[test]
fn c2_at_least_one_scope_is_on() {
    assert_eq!(refused(|create| create.metadata.scope = String::new()), at("/scope", Rule::Required));
    assert_eq!(refused(|create| create.metadata.scope = "  ".into()), at("/scope", Rule::Required));
}

#[test]
fn o2_a_client_of_a_singleton_type_says_so() {
    assert!(made(|create| create.type_rules = Some(TypeRules { singleton: true, ..standard() })).singleton);
    assert!(!made(|_| {}).singleton);
}

#[test]
fn l2_grant_types_are_known_and_agree() {
    let with =
        |grant_types: &[&str]| refused(|create| create.metadata.grant_types = Some(texts(grant_types)));
    assert_eq!(with(&[]), at("/grant_types", Rule::Required));
    assert_eq!(with(&["authorization_code", "implicit"]), at("/grant_types/1", Rule::Unsupported));
    assert_eq!(with(&["password"]), at("/grant_types/0", Rule::Unsupported));
    assert_eq!(with(&["authorization_code", "authorization_code"]), at("/grant_types/1", Rule::Duplicate));
    assert_eq!(with(&["refresh_token"]), at("/grant_types", Rule::Contradiction));
    assert_eq!(with(&["refresh_token", "client_credentials"]), at("/grant_types", Rule::Contradiction));
    assert_eq!(with(&["x"; 1_000]), at("/grant_types", Rule::TooMany), "one violation, not a thousand");
    let made = made(|create| {
        create.metadata.grant_types =
            Some(texts(&["client_credentials", "refresh_token", "authorization_code"]));
    });
    assert_eq!(made.grant_types, GrantType::ALL, "sorted, so that equal sets have equal bytes");
}

#[test]
fn l2_only_who_asks_for_client_credentials_needs_no_redirect_uri() {
    let alone = made(|create| {
        create.metadata.redirect_uris = vec![];
        create.metadata.grant_types = Some(texts(&["client_credentials"]));
    });
    assert_eq!((alone.redirect_uris, alone.grant_types), (vec![], vec![GrantType::ClientCredentials]));
    let with_code = |create: &mut CreateClient| {
        create.metadata.redirect_uris = vec![];
        create.metadata.grant_types = Some(texts(&["client_credentials", "authorization_code"]));
    };
    assert_eq!(refused(with_code), at("/redirect_uris", Rule::Required));
}

#[test]
fn l2_a_public_client_has_no_secret() {
    let made = made(|create| create.metadata.token_endpoint_auth_method = Some("none".into()));
    assert_eq!(made, public(), "a secret that was minted all the same is not kept");
    let with_credentials = |create: &mut CreateClient| {
        create.metadata.token_endpoint_auth_method = Some("none".into());
        create.metadata.grant_types = Some(texts(&["client_credentials"]));
    };
    assert_eq!(refused(with_credentials), at("/grant_types", Rule::Contradiction));
    let without_uris = |create: &mut CreateClient| {
        create.metadata.token_endpoint_auth_method = Some("none".into());
        create.metadata.redirect_uris = vec![];
    };
    assert_eq!(refused(without_uris), at("/redirect_uris", Rule::Required));
}

#[test]
fn l2_the_authentication_method_is_known() {
    let with =
        |method: &str| refused(|create| create.metadata.token_endpoint_auth_method = Some(method.into()));
    for method in ["", "None", "client_secret_jwt"] {
        assert_eq!(with(method), at("/token_endpoint_auth_method", Rule::Unsupported), "{method}");
    }
    let post = made(|create| create.metadata.token_endpoint_auth_method = Some("client_secret_post".into()));
    assert_eq!(post.token_endpoint_auth_method, TokenEndpointAuthMethod::ClientSecretPost);
    assert!(post.secret.is_some());
}

#[test]
fn l4_the_first_secret_lives_as_long_as_asked_within_the_policy() {
    let lives = |seconds| {
        move |create: &mut CreateClient| {
            create.secret = Some(NewSecret { expires_in_seconds: seconds, ..minted("first") });
        }
    };
    let end = |seconds| made(lives(seconds)).secret.expect("a secret").expires_at;
    assert_eq!(end(None), Some(after(YEAR)));
    assert_eq!(end(Some(1)), Some(after(1)));
    assert_eq!(end(Some(2 * YEAR)), Some(after(2 * YEAR)));
    for seconds in [0, 2 * YEAR + 1, u32::MAX] {
        assert_eq!(refused(lives(Some(seconds))), at("/expires_in_seconds", Rule::OutOfRange), "{seconds}");
    }
}

#[test]
fn l2_one_answer_names_everything_that_is_wrong() {
    let wrong = refused(|create| {
        create.metadata = ClientDraft {
            client_name: String::new(),
            description: Some("a\u{0}b".into()),
            client_type: "standard".into(),
            redirect_uris: texts(&["ftp://a.example/"]),
            post_logout_redirect_uris: Vec::new(),
            scope: "events:notify".into(),
            grant_types: Some(texts(&["authorization_code", "password"])),
            token_endpoint_auth_method: Some("magic".into()),
            jwks: Vec::new(),
            access_token_format: None,
            payload_encryption: false,
        };
        create.contacts = vec![];
        create.terms_accepted = None;
        create.type_rules = Some(TypeRules { deprecated: true, ..standard() });
        create.secret =
            Some(NewSecret { label: Some(" ".into()), expires_in_seconds: Some(0), ..minted("first") });
    });
    assert_eq!(
        wrong,
        [
            ("/client_name", Rule::Required),
            ("/description", Rule::ControlCharacter),
            ("/token_endpoint_auth_method", Rule::Unsupported),
            ("/grant_types/1", Rule::Unsupported),
            ("/redirect_uris/0", Rule::NotHttps),
            ("/terms_accepted", Rule::Required),
            ("/contacts", Rule::Required),
            ("/client_type", Rule::Deprecated),
            ("/scope", Rule::NotAllowedByType),
            ("/label", Rule::Required),
            ("/expires_in_seconds", Rule::OutOfRange),
        ]
        .map(|(pointer, rule)| (pointer.to_owned(), rule))
    );
}
