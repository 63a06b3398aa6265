use super::*;

fn registers(name: &str) -> SelfRegistration {
    SelfRegistration {
        initial_access_token_id: Some(id("initial")),
        token: token(name),
        software: Software { software_id: Some("sync".into()), ..Software::default() },
        names_contacts: true,
    }
}

fn token(name: &str) -> NewRegistrationToken {
    NewRegistrationToken { id: id(name), commitment: format!("commitment of {name}") }
}

fn issued_token(name: &str) -> IssuedRegistrationToken {
    IssuedRegistrationToken { id: id(name), commitment: format!("commitment of {name}") }
}

fn registered() -> ClientEvent {
    ClientEvent::SelfRegistered(ClientSelfRegistered {
        initial_access_token_id: Some(id("initial")),
        registration_access_token: issued_token("manages1"),
        software: Software { software_id: Some("sync".into()), ..Software::default() },
        names_contacts: true,
    })
}

fn replace(change: ChangeClient) -> ReplaceRegistration {
    ReplaceRegistration {
        change,
        grant_types: None,
        token_endpoint_auth_method: None,
        software: Software::default(),
        names_contacts: true,
        token: token("manages2"),
    }
}

fn command(replace: ReplaceRegistration) -> ClientCommand {
    ClientCommand::ReplaceRegistration(Box::new(replace))
}

#[test]
fn oauth_71_a_client_that_registers_itself_says_how() {
    let create = CreateClient { self_registration: Some(registers("manages1")), ..create() };
    let events = decided(nothing(), 0, ClientCommand::CreateClient(Box::new(create)));
    assert_eq!(events, Ok(vec![ClientEvent::Created(created()), registered()]));
    let state = registration(&[(0, registered())]).self_registered.expect("by itself");
    assert_eq!(state.registration_access_token.id, id("manages1"));
    assert!(registration(&[]).self_registered.is_none());
}

#[test]
fn oauth_73_what_it_says_of_its_software_is_refused_with_the_rest() {
    let mut wrong_one = registers("manages1");
    wrong_one.software.client_uri = Some("javascript:alert(1)".into());
    let mut create = CreateClient { self_registration: Some(wrong_one), ..create() };
    create.metadata.client_name = String::new();
    let found = wrong(nothing(), 0, ClientCommand::CreateClient(Box::new(create)));
    let expected = [at("/client_name", Rule::Required), at("/client_uri", Rule::NotHttps)].concat();
    assert_eq!(found, expected);
}

#[test]
fn oauth_76_who_registers_anew_gets_another_token() {
    let before = [(0, registered())];
    let change = ChangeClient { client_name: Some("Day sync".into()), ..ChangeClient::default() };
    let events = decided(given(&before), 1, command(replace(change))).expect("events");
    let [ClientEvent::NameChanged(_), replaced] = &events[..] else { panic!("{events:?}") };
    let software = Software { software_id: Some("sync".into()), ..Software::default() };
    let expected = ClientEvent::RegistrationReplaced(RegistrationReplaced {
        registration_access_token: issued_token("manages2"),
        replaced_id: id("manages1"),
        software: Some(Change::new(software, Software::default())),
        names_contacts: None,
    });
    assert_eq!(*replaced, expected);
    let after = registration(&[(0, registered()), (1, expected)]).self_registered.expect("by itself");
    assert_eq!(after.registration_access_token.id, id("manages2"));
    assert_eq!(after.software, Software::default());
    assert_eq!(after.initial_access_token_id, Some(id("initial")), "how it came stays as it was");
    // Nobody else has anything to replace.
    let nothing_said = || command(replace(ChangeClient::default()));
    assert_eq!(error(given(&[]), 1, nothing_said()), ClientError::NotFound);
    assert_eq!(error(given(&[(0, registered()), (1, deleted())]), 2, nothing_said()), ClientError::Deleted);
}

#[test]
fn oauth_75_what_its_secrets_hang_on_stays_as_it_is() {
    let asks = |grant_types: &[&str], method: &str| {
        command(ReplaceRegistration {
            grant_types: Some(texts(grant_types)),
            token_endpoint_auth_method: Some(method.to_owned()),
            ..replace(ChangeClient::default())
        })
    };
    let before = [(0, registered())];
    let same = asks(&["refresh_token", "authorization_code"], "client_secret_basic");
    assert_eq!(decided(given(&before), 1, same).map(|events| events.len()), Ok(1));
    let other = wrong(given(&before), 1, asks(&["implicit"], "none"));
    let expected =
        [at("/token_endpoint_auth_method", Rule::Contradiction), at("/grant_types", Rule::Contradiction)];
    assert_eq!(other, expected.concat());
}
