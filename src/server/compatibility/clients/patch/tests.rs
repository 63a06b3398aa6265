//! What a patch may do, and what it makes of a client.

use domain::{
    Client as Aggregate, ClientEvent, EnvironmentName, MemberId, SecretId,
    client::{ClientCreated, IssuedSigningSecret},
    oauth::{RedirectUri, ScopeSet, TokenEndpointAuthMethod},
};
use jiff::Timestamp;
use serde_json::json;

use super::{ClientEdit, ClientId, PatchBody, Registration, Rule, Uuid, Value, Violation, edited, read};

fn client() -> Registration {
    let uri = |text: &str| RedirectUri::parse(text).unwrap();
    let created = ClientCreated {
        environment: EnvironmentName::production(),
        client_name: "Matter sync".to_owned(),
        client_type: "standard".to_owned(),
        singleton: false,
        redirect_uris: vec![uri("https://a.example/cb"), uri("http://localhost/cb")],
        scope: ScopeSet::default(),
        contacts: Vec::new(),
        grant_types: Vec::new(),
        token_endpoint_auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        responsible: MemberId(Uuid::nil()),
        terms_accepted: "2026-01".to_owned(),
        secret: None,
        signing_secret: IssuedSigningSecret { id: SecretId("s".to_owned()), commitment: String::new() },
    };
    let mut client = Aggregate::default();
    client.apply(&ClientEvent::Created(created), Timestamp::UNIX_EPOCH);
    client.registration().unwrap().clone()
}

fn asked(patch: Value) -> Result<PatchBody, Vec<(String, Rule)>> {
    read(patch).map_err(broken)
}

fn made(patch: Value) -> Result<ClientEdit, Vec<(String, Rule)>> {
    let PatchBody { patch, .. } = asked(patch)?;
    edited(Uuid::nil(), ClientId(Uuid::nil()), &client(), &patch).map_err(broken)
}

fn broken(violations: Vec<Violation>) -> Vec<(String, Rule)> {
    violations.into_iter().map(|violation| (violation.pointer, violation.rule)).collect()
}

fn refused(patch: Value) -> Vec<(String, Rule)> {
    made(patch).unwrap_err()
}

fn at(pointer: &str, rule: Rule) -> Vec<(String, Rule)> {
    vec![(pointer.to_owned(), rule)]
}

/// What a patch makes that changes nothing.
fn same() -> ClientEdit {
    ClientEdit { client_name: Some("Matter sync".into()), description: Some(None), redirect_uris: None }
}

#[test]
fn d3_a_patch_changes_name_description_and_the_redirect_uri_that_is_shown() {
    assert_eq!(made(json!([])).unwrap(), same());
    let edit = made(json!([
        { "op": "replace", "path": "/name", "value": "Other" },
        { "op": "replace", "path": "/description", "value": "For others" },
        { "op": "add", "path": "/redirectUri", "value": "https://b.example/cb" },
    ]))
    .unwrap();
    assert_eq!(
        (edit.client_name.unwrap().as_str(), edit.description),
        ("Other", Some(Some("For others".into())))
    );
    assert_eq!(
        edit.redirect_uris.unwrap(),
        ["https://b.example/cb", "http://localhost/cb"],
        "the others stay"
    );
    let second = json!([{ "op": "replace", "path": "/redirectUri", "value": "http://localhost/cb" }]);
    assert_eq!(made(second).unwrap().redirect_uris.unwrap(), ["http://localhost/cb"], "none stands twice");
    let copied = json!([{ "op": "copy", "from": "/_links/self/href", "path": "/description" }]);
    assert!(made(copied).unwrap().description.unwrap().unwrap().starts_with("/api/v2/"));
}

#[test]
fn d3_a_test_looks_at_any_field_and_one_that_fails_undoes_all() {
    for (path, value) in [
        ("/_clientId", json!(Uuid::nil())),
        ("/_creationDate", json!(0)),
        ("/_links/parent/type", json!("application/json")),
        ("/redirectUri", json!("https://a.example/cb")),
        ("/description", json!(null)),
    ] {
        assert_eq!(made(json!([{ "op": "test", "path": path, "value": value }])).unwrap(), same(), "{path}");
    }
    let rename = json!({ "op": "replace", "path": "/name", "value": "Other" });
    let failing = json!({ "op": "test", "path": "/name", "value": "Matter sync" });
    assert_eq!(refused(json!([rename, failing])), at("/1", Rule::PatchFailed));
    let nowhere = json!({ "op": "test", "path": "/scope", "value": "" });
    assert_eq!(refused(json!([nowhere])), at("/0", Rule::PatchFailed));
}

#[test]
fn d3_what_begins_with_an_underscore_and_what_is_not_named_stays() {
    for operation in [
        json!({ "op": "replace", "path": "/_clientId", "value": "x" }),
        json!({ "op": "add", "path": "/_clientSecret", "value": "x" }),
        json!({ "op": "remove", "path": "/_links/self" }),
        json!({ "op": "add", "path": "/scope", "value": "x" }),
        json!({ "op": "add", "path": "", "value": {} }),
        json!({ "op": "add", "path": "/name/x", "value": "x" }),
        json!({ "op": "move", "from": "/_clientId", "path": "/name" }),
        json!({ "op": "copy", "from": "", "path": "/name" }),
    ] {
        assert_eq!(refused(json!([operation.clone()])), at("/0/path", Rule::Unsupported), "{operation}");
    }
}

#[test]
fn d3_a_name_and_a_redirect_uri_stay_texts() {
    let replace = |path: &str, value| json!([{ "op": "replace", "path": path, "value": value }]);
    assert_eq!(refused(json!([{ "op": "remove", "path": "/name" }])), at("/client_name", Rule::Required));
    assert_eq!(refused(replace("/redirectUri", json!(null))), at("/redirect_uris/0", Rule::Required));
    assert_eq!(refused(replace("/name", json!(7))), at("/client_name", Rule::WrongType));
    assert_eq!(refused(replace("/description", json!([]))), at("/description", Rule::WrongType));
    assert_eq!(made(replace("/description", json!(null))).unwrap(), same());
    let moved = json!([{ "op": "move", "from": "/name", "path": "/description" }]);
    assert_eq!(refused(moved), at("/client_name", Rule::Required));
}

#[test]
fn d3_a_body_is_a_patch_or_a_patch_with_a_comment() {
    let operation = json!({ "op": "replace", "path": "/name", "value": "Other" });
    let commented = asked(json!({ "comment": "why", "patch": [operation], "more": 1 })).unwrap();
    assert_eq!(commented.comment.unwrap().expose(), "why");
    assert_eq!(commented.patch.len(), 1);
    assert!(asked(json!({ "comment": null, "patch": [] })).unwrap().comment.is_none());
    let wrong = |body: Value| asked(body).unwrap_err();
    assert_eq!(wrong(json!("x")), at("", Rule::WrongType));
    assert_eq!(wrong(json!({ "comment": 1, "patch": [] })), at("/comment", Rule::WrongType));
    assert_eq!(wrong(json!({ "comment": "why" })), at("/patch", Rule::Required));
    assert_eq!(wrong(json!({ "patch": {} })), at("/patch", Rule::WrongType));
    assert_eq!(wrong(json!(vec![operation; 101])), at("/patch", Rule::TooMany));
    let malformed = json!([
        { "op": "shout", "path": "/name" },
        { "op": "replace", "path": "/name" },
        { "op": "replace", "value": "Other" },
        { "op": "replace", "path": "name", "value": "Other" },
        "remove",
    ]);
    let rules = wrong(malformed);
    let expected = [Rule::Malformed, Rule::Required, Rule::Required, Rule::Malformed, Rule::WrongType];
    let places = expected.iter().enumerate().map(|(place, rule)| (format!("/{place}"), *rule));
    assert_eq!(rules, places.collect::<Vec<_>>());
}
