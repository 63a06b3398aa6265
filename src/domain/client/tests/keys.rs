//! Keys that a client signs its assertions with, and what its tokens are.

use serde_json::{Map, Value, json};

use super::*;
use crate::environment::AccessTokenFormat;

fn key(name: &str) -> Map<String, Value> {
    let coordinate = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    let x = format!("{name}{}", &coordinate[name.len()..]);
    json!({ "kty": "EC", "crv": "P-256", "kid": name, "x": x, "y": coordinate }).as_object().unwrap().clone()
}

fn keys(names: &[&str]) -> Vec<PublicKey> {
    let keys: Vec<_> = names.iter().map(|name| key(name)).collect();
    PublicKey::parse_set(&keys, "").unwrap()
}

fn changed(old: &[&str], new: &[&str]) -> ClientEvent {
    ClientEvent::KeysChanged(KeysChanged { keys: Change::new(keys(old), keys(new)) })
}

fn change(jwks: &[&str]) -> ClientCommand {
    let jwks = Some(jwks.iter().map(|name| key(name)).collect());
    ClientCommand::ChangeClient(Box::new(ChangeClient { jwks, ..ChangeClient::default() }))
}

fn by_key(jwks: &[&str]) -> CreateClient {
    let mut create = create();
    create.metadata.token_endpoint_auth_method = Some("private_key_jwt".into());
    create.metadata.jwks = jwks.iter().map(|name| key(name)).collect();
    create
}

fn created_by_key() -> ClientEvent {
    ClientEvent::Created(ClientCreated {
        token_endpoint_auth_method: TokenEndpointAuthMethod::PrivateKeyJwt,
        secret: None,
        ..created()
    })
}

fn broken(result: Result<Vec<ClientEvent>, ClientError>) -> Vec<(String, Rule)> {
    match result {
        Err(ClientError::Invalid(wrong)) => wrong.into_iter().map(|one| (one.pointer, one.rule)).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn oauth_35_a_client_that_proves_itself_by_a_key_has_one_and_no_secret() {
    let create = |keys: &[&str]| ClientCommand::CreateClient(Box::new(by_key(keys)));
    let begun = decided(nothing(), 0, create(&["one"]));
    assert_eq!(begun, Ok(vec![created_by_key(), changed(&[], &["one"])]));
    let missing = vec![("/jwks/keys".to_owned(), Rule::Required)];
    assert_eq!(broken(decided(nothing(), 0, create(&[]))), missing);

    let mut client = Client::Absent;
    for event in begun.unwrap() {
        client.apply(&event, after(0));
    }
    assert_eq!(broken(client.decide(change(&[]), after(1))), missing, "it keeps one");
    assert_eq!(client.decide(change(&["one"]), after(1)), Ok(vec![]), "nothing would change");
    assert_eq!(client.decide(change(&["two"]), after(1)), Ok(vec![changed(&["one"], &["two"])]));
    assert_eq!(client.decide(secrets::issue(minted("second")), after(1)), Err(ClientError::PublicClient));
}

#[test]
fn l2_any_client_can_have_keys_and_let_them_go() {
    let added = event(given(&[]), 1, change(&["one", "two"]));
    assert_eq!(added, changed(&[], &["one", "two"]));
    let since = [(1, added)];
    assert_eq!(registration(&since).keys, keys(&["one", "two"]));
    assert_eq!(event(given(&since), 2, change(&[])), changed(&["one", "two"], &[]));
}

#[test]
fn l2_the_format_of_tokens_is_the_environments_unless_the_client_says_so() {
    let set = |new| {
        let access_token_format = Some(new);
        ClientCommand::ChangeClient(Box::new(ChangeClient { access_token_format, ..ChangeClient::default() }))
    };
    let opaque = Some(AccessTokenFormat::Opaque);
    assert_eq!(registration(&[]).access_token_format, None);
    let changed = event(given(&[]), 1, set(opaque));
    let expected = AccessTokenFormatChanged { access_token_format: Change::new(None, opaque) };
    assert_eq!(changed, ClientEvent::AccessTokenFormatChanged(expected));
    let since = [(1, changed)];
    assert_eq!(registration(&since).access_token_format, opaque);
    assert_eq!(decided(given(&since), 2, set(opaque)), Ok(vec![]));
    let mut create = create();
    create.metadata.access_token_format = opaque;
    let events = decided(nothing(), 0, ClientCommand::CreateClient(Box::new(create))).unwrap();
    assert_eq!(events.len(), 2, "{events:?}");
}
