use super::*;

fn change(edit: impl FnOnce(&mut ChangeClient)) -> ClientCommand {
    let mut command = ChangeClient { type_rules: Some(standard()), ..ChangeClient::default() };
    edit(&mut command);
    ClientCommand::ChangeClient(Box::new(command))
}

fn rename(name: &str) -> ClientCommand {
    change(|change| change.client_name = Some(name.into()))
}

fn redirect(uris: &[&str]) -> ClientCommand {
    change(|change| change.redirect_uris = Some(texts(uris)))
}

fn rescope(scope: &str) -> ClientCommand {
    change(|change| change.scope = Some(scope.into()))
}

#[test]
fn l5_what_is_not_given_stays() {
    assert_eq!(decided(given(&[]), 1, change(|_| {})), Ok(vec![]));
}

#[test]
fn l5_what_is_the_same_is_no_event() {
    for same in [
        rename("Matter sync"),
        rename(" Matter sync "),
        redirect(&["https://app.example.com/callback"]),
        rescope("matters:write  matters:read"),
    ] {
        assert_eq!(decided(given(&[]), 1, same.clone()), Ok(vec![]), "{same:?}");
    }
}

#[test]
fn l5_a_name_changes_with_old_and_new() {
    let renamed = ClientEvent::NameChanged(ClientNameChanged {
        client_name: Change::new("Matter sync".into(), "Matter export".into()),
    });
    assert_eq!(event(given(&[]), 1, rename(" Matter export ")), renamed);
    let now = registration(&[(1, renamed)]);
    assert_eq!((now.client_name.as_str(), now.updated_at), ("Matter export", after(1)));
    assert_eq!(wrong(given(&[]), 1, rename("")), at("/client_name", Rule::Required));
    assert_eq!(wrong(given(&[]), 1, rename("a\u{7}")), at("/client_name", Rule::ControlCharacter));
    assert_eq!(wrong(given(&[]), 1, rename(&"x".repeat(121))), at("/client_name", Rule::TooLong));
}

#[test]
fn d1_a_client_is_described_with_old_and_new_and_a_blank_text_says_nothing() {
    let describe = |text: Option<&str>| {
        let description = text.map(str::to_owned);
        change(|change| change.description = Some(description))
    };
    let described = |old: Option<&str>, new: Option<&str>| {
        let description = Change::new(old.map(str::to_owned), new.map(str::to_owned));
        ClientEvent::DescriptionChanged(DescriptionChanged { description })
    };
    let first = described(None, Some("Keeps matters in step"));
    assert_eq!(event(given(&[]), 1, describe(Some(" Keeps matters in step "))), first);
    assert_eq!(registration(&[(1, first.clone())]).description.as_deref(), Some("Keeps matters in step"));
    for nothing in [None, Some(""), Some(" \t")] {
        assert_eq!(decided(given(&[]), 1, describe(nothing)), Ok(vec![]));
        let removed = described(Some("Keeps matters in step"), None);
        assert_eq!(event(given(&[(1, first.clone())]), 2, describe(nothing)), removed);
        assert_eq!(registration(&[(1, first.clone()), (2, removed)]).description, None);
    }
    assert_eq!(wrong(given(&[]), 1, describe(Some("a\nb"))), at("/description", Rule::ControlCharacter));
    assert_eq!(wrong(given(&[]), 1, describe(Some(&"x".repeat(1_001)))), at("/description", Rule::TooLong));
}

#[test]
fn l5_contacts_change_even_for_the_same_pseudonyms() {
    let contacts = |people: Vec<PersonId>| change(|change| change.contacts = Some(people));
    let changed =
        |old, new| ClientEvent::ContactsChanged(ContactsChanged { contacts: Change::new(old, new) });
    let other = changed(vec![person(1)], vec![person(2), person(3)]);
    assert_eq!(event(given(&[]), 1, contacts(vec![person(2), person(3)])), other);
    assert_eq!(registration(&[(1, other)]).contacts, [person(2), person(3)]);
    assert_eq!(event(given(&[]), 1, contacts(vec![person(1)])), changed(vec![person(1)], vec![person(1)]));
    assert_eq!(wrong(given(&[]), 1, contacts(vec![])), at("/contacts", Rule::Required));
    assert_eq!(wrong(given(&[]), 1, contacts(vec![person(1); 2])), at("/contacts", Rule::Duplicate));
    assert_eq!(wrong(given(&[]), 1, contacts((0..21).map(person).collect())), at("/contacts", Rule::TooMany));
}

#[test]
fn l5_redirect_uris_are_added_removed_and_reordered() {
    let [one, two] = ["https://app.example.com/callback", "https://app.example.com/callback/"];
    let changed = |old: &[&str], new: &[&str]| {
        ClientEvent::RedirectUrisChanged(RedirectUrisChanged {
            redirect_uris: Change::new(uris(old), uris(new)),
        })
    };
    let added = changed(&[one], &[one, two]);
    assert_eq!(event(given(&[]), 1, redirect(&[one, two])), added);
    assert_eq!(registration(&[(1, added.clone())]).redirect_uris, uris(&[one, two]));
    assert_eq!(event(given(&[(1, added.clone())]), 2, redirect(&[two])), changed(&[one, two], &[two]));
    assert_eq!(event(given(&[(1, added)]), 2, redirect(&[two, one])), changed(&[one, two], &[two, one]));
}

#[test]
fn d5_addresses_for_who_has_signed_out_have_the_rules_of_redirect_uris_and_there_need_be_none() {
    let bye = "https://app.example.com/bye";
    let to = |given: &[&str]| change(|change| change.post_logout_redirect_uris = Some(texts(given)));
    let changed = |old: &[&str], new: &[&str]| {
        let post_logout_redirect_uris = Change::new(uris(old), uris(new));
        let changed = PostLogoutRedirectUrisChanged { post_logout_redirect_uris };
        ClientEvent::PostLogoutRedirectUrisChanged(changed)
    };
    let added = changed(&[], &[bye]);
    assert_eq!(event(given(&[]), 1, to(&[bye])), added);
    let now = registration(&[(1, added.clone())]);
    assert_eq!(now.post_logout_redirect_uris, uris(&[bye]));
    assert_eq!(now.redirect_uris, registration(&[]).redirect_uris, "no code goes there");
    assert_eq!(decided(given(&[(1, added.clone())]), 2, to(&[bye])), Ok(vec![]));
    assert_eq!(event(given(&[(1, added)]), 2, to(&[])), changed(&[bye], &[]));
    let at_place = |place: &str| format!("/post_logout_redirect_uris{place}");
    for (given_uris, place, rule) in [
        (vec!["http://a.example/"], "/0", Rule::NotHttps),
        (vec![bye, bye], "/1", Rule::Duplicate),
        (vec![bye; 51], "", Rule::TooMany),
    ] {
        assert_eq!(wrong(given(&[]), 1, to(&given_uris)), at(&at_place(place), rule));
    }
}

#[test]
fn l5_redirect_uris_keep_their_rules() {
    assert_eq!(wrong(given(&[]), 1, redirect(&[])), at("/redirect_uris", Rule::Required));
    assert_eq!(
        wrong(given(&[]), 1, redirect(&["https://a.example/", "http://a.example/"])),
        at("/redirect_uris/1", Rule::NotHttps)
    );
    assert_eq!(
        wrong(given(&[]), 1, redirect(&["https://a.example/"; 2])),
        at("/redirect_uris/1", Rule::Duplicate)
    );
    assert_eq!(
        wrong(given(&[]), 1, redirect(&["https://a.example/"; 51])),
        at("/redirect_uris", Rule::TooMany)
    );
    let by_credentials = ClientCreated { grant_types: vec![GrantType::ClientCredentials], ..created() };
    let emptied = event(given_created(by_credentials, &[]), 1, redirect(&[]));
    assert!(
        matches!(emptied, ClientEvent::RedirectUrisChanged(changed) if changed.redirect_uris.new.is_empty())
    );
}

#[test]
fn c4_scopes_change_within_the_type() {
    let narrowed = ClientEvent::ScopeChanged(ScopeChanged {
        scope: Change::new(scopes("matters:read matters:write"), scopes("matters:read")),
    });
    assert_eq!(event(given(&[]), 1, rescope("matters:read")), narrowed);
    let now = registration(&[(1, narrowed)]);
    assert_eq!(now.scope, scopes("matters:read"));
    assert_eq!(now.secrets, registration(&[]).secrets, "editing never makes a new secret");
    assert_eq!(
        wrong(given(&[]), 1, rescope("matters:read events:notify")),
        at("/scope", Rule::NotAllowedByType)
    );
    assert_eq!(wrong(given(&[]), 1, rescope("")), at("/scope", Rule::Required));
    assert_eq!(wrong(given(&[]), 1, rescope("caf\u{e9}")), at("/scope", Rule::Malformed));
}

#[test]
fn o2_a_scope_that_is_held_stays_allowed() {
    let now_without_write = |scope: &str| {
        let type_rules = Some(TypeRules { scopes: scopes("matters:read documents:read"), ..standard() });
        let scope = Some(scope.to_owned());
        ClientCommand::ChangeClient(Box::new(ChangeClient { scope, type_rules, ..ChangeClient::default() }))
    };
    let grown = event(given(&[]), 1, now_without_write("matters:read matters:write documents:read"));
    assert!(matches!(grown, ClientEvent::ScopeChanged(_)));
    let narrowed = ClientEvent::ScopeChanged(ScopeChanged {
        scope: Change::new(scopes("matters:read matters:write"), scopes("matters:read")),
    });
    let back = now_without_write("matters:read matters:write");
    assert_eq!(
        wrong(given(&[(1, narrowed)]), 2, back),
        at("/scope", Rule::NotAllowedByType),
        "given up is given up"
    );
}

#[test]
fn o2_scopes_are_added_only_by_a_type_of_the_catalog() {
    let without_type = |scope: &str| {
        ClientCommand::ChangeClient(Box::new(ChangeClient {
            scope: Some(scope.to_owned()),
            ..ChangeClient::default()
        }))
    };
    assert_eq!(wrong(given(&[]), 1, without_type("matters:read events:notify")), at("/scope", Rule::Unknown));
    assert!(decided(given(&[]), 1, without_type("matters:read")).is_ok(), "giving up needs nobody's leave");
    let deprecated = change(|change| {
        change.scope = Some("matters:read documents:read".into());
        change.type_rules =
            Some(TypeRules { scopes: scopes("documents:read"), deprecated: true, ..standard() });
    });
    assert!(decided(given(&[]), 1, deprecated).is_ok(), "clients of a deprecated type go on");
}

#[test]
fn l5_one_command_is_all_or_nothing() {
    let both = |name: &str, scope: &str| {
        change(|change| {
            change.client_name = Some(name.to_owned());
            change.contacts = Some(vec![person(2)]);
            change.redirect_uris = Some(texts(&["https://b.example/"]));
            change.scope = Some(scope.to_owned());
        })
    };
    let events = decided(given(&[]), 1, both("Other", "matters:read")).expect("four changes");
    let types: Vec<_> = events.iter().map(crate::aggregate::Named::event_type).collect();
    assert_eq!(
        types,
        [
            "client.name_changed",
            "client.contacts_changed",
            "client.redirect_uris_changed",
            "client.scope_changed"
        ]
    );
    assert_eq!(
        wrong(given(&[]), 1, both("", "")),
        [("/client_name".to_owned(), Rule::Required), ("/scope".to_owned(), Rule::Required)]
    );
}

#[test]
fn o6_an_inactive_client_can_be_changed() {
    let inactive = (1, ClientEvent::Deactivated(status(Status::Active, Status::Inactive)));
    assert!(matches!(event(given(&[inactive]), 2, rename("Other")), ClientEvent::NameChanged(_)));
}
