//! What is wrong with a body or a query is told by place and rule, and never by value.

use actix_web::body::to_bytes;
use crypto::{CursorKey, DataKey, SystemEntropy};
use domain::Rule;
use serde::Deserialize;
use serde_json::Value;

use super::{Object, json, json::Salvaged, page, present, query, time};
use crate::{api::audit::Order, problem::Problem};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read is looked at")]
struct Body {
    name: String,
    #[serde(default, deserialize_with = "present")]
    scope: Option<String>,
    #[serde(default)]
    contacts: Vec<Contact>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read is looked at")]
struct Contact {
    email: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only that it can be read is looked at")]
struct Parameters {
    limit: Option<usize>,
    at: Option<jiff::Timestamp>,
    order: Option<Order>,
    #[serde(default, deserialize_with = "time")]
    from: Option<jiff::Timestamp>,
}

async fn told(problem: Problem) -> Value {
    let body = to_bytes(problem.to_response("r-1").into_body()).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

async fn wrong_body(body: &str) -> (u64, String, String, String) {
    wrong(json::parse::<Body>(body.as_bytes()).expect_err(body), "pointer").await
}

async fn wrong_query(text: &str) -> (u64, String, String, String) {
    wrong(query::parse::<Parameters>(text).expect_err(text), "parameter").await
}

async fn wrong(problem: Problem, place: &str) -> (u64, String, String, String) {
    let body = told(problem).await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let error = &body["errors"][0];
    (body["status"].as_u64().unwrap(), text(&error[place]), text(&error["rule"]), text(&error["detail"]))
}

#[actix_web::test]
async fn every_way_a_body_can_be_wrong_has_its_pointer_and_rule() {
    for (body, status, pointer, rule) in [
        ("{\"name\":\"a\",\"nmae\":1}", 422, "/nmae", "unknown_field"),
        (
            "{\"name\":\"a\",\"contacts\":[{\"email\":\"a\",\"phone\":1}]}",
            422,
            "/contacts/0/phone",
            "unknown_field",
        ),
        ("{\"name\":\"a\",\"a/b~c\":1}", 422, "/a~1b~0c", "unknown_field"),
        ("{}", 422, "/name", "required"),
        ("{\"name\":\"a\",\"contacts\":[{}]}", 422, "/contacts/0/email", "required"),
        ("{\"name\":7}", 422, "/name", "wrong_type"),
        ("{\"name\":\"a\",\"contacts\":[{\"email\":[]}]}", 422, "/contacts/0/email", "wrong_type"),
        ("{\"name\":\"a\",\"scope\":null}", 422, "/scope", "null_not_allowed"),
        ("{\"name\":\"a\",\"name\":\"b\"}", 422, "/name", "duplicate"),
        ("[1]", 422, "", "wrong_type"),
        ("7", 422, "", "wrong_type"),
        ("", 400, "", "malformed"),
        ("{\"name\":", 400, "", "malformed"),
        ("{\"name\":\"a\"} x", 400, "", "malformed"),
        ("{\"name\":\"\u{1}\"}", 400, "", "malformed"),
    ] {
        let (found_status, found_pointer, found_rule, _) = wrong_body(body).await;
        assert_eq!((found_status, &*found_pointer, &*found_rule), (status, pointer, rule), "{body}");
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lenient {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "present")]
    scope: Option<String>,
    #[serde(default)]
    contacts: Vec<Object<Contact>>,
}

#[test]
fn all_that_is_wrong_with_a_body_is_named_where_it_was_sent_and_the_rest_is_read() {
    let body = r#"{"nmae":1,"name":7,"scope":null,
        "contacts":[3,{"email":"a"},{"email":[]},4,{"phone":1},{"email":"b"}]}"#;
    let Salvaged { value, faults } = json::salvage::<Lenient>(body.as_bytes()).unwrap();
    let faults: Vec<_> = faults.iter().map(|fault| (fault.pointer.as_str(), fault.rule)).collect();
    assert_eq!(
        faults,
        [
            ("/nmae", Rule::UnknownField),
            ("/contacts/0", Rule::WrongType),
            ("/contacts/2/email", Rule::WrongType),
            ("/contacts/3", Rule::WrongType),
            ("/contacts/4/phone", Rule::UnknownField),
            ("/contacts/4/email", Rule::Required),
            ("/name", Rule::WrongType),
            ("/scope", Rule::NullNotAllowed),
        ]
    );
    assert_eq!((value.name.as_str(), value.scope, value.contacts.len()), ("", None, 2));
}

#[actix_web::test]
async fn without_what_must_be_there_all_that_was_found_is_named_all_the_same() {
    let problem = json::parse::<Body>(br#"{"nmae":1,"contacts":7}"#).expect_err("no name");
    let told = told(problem).await;
    let pointers: Vec<_> = told["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(pointers, ["/nmae", "/contacts", "/name"]);
}

#[actix_web::test]
async fn a_time_is_told_its_form() {
    let (_, _, rule, detail) = wrong_query("from=yesterday").await;
    assert_eq!((&*rule, &*detail), ("malformed", "must be a time of RFC 3339, like 2026-11-20T22:13:25Z"));
}

#[actix_web::test]
async fn a3_what_is_told_never_repeats_a_value() {
    for body in [
        "{\"name\":\"a\",\"contacts\":\"canary@example.com\"}",
        "{\"name\":\"a\",\"contacts\":[\"canary@example.com\"]}",
        "{\"name\":\"a\",\"contacts\":[{\"email\":{\"canary\":\"canary\"}}]}",
        "\"canary\"",
    ] {
        let (_, _, _, detail) = wrong_body(body).await;
        assert!(!detail.contains("canary") && detail.starts_with("must be "), "{detail}");
    }
    for query in ["limit=canary", "at=canary", "order=canary"] {
        let (_, _, _, detail) = wrong_query(query).await;
        assert!(!detail.is_empty() && !detail.contains("canary"), "{query}: {detail}");
    }
}

#[actix_web::test]
async fn a_parameter_is_refused_by_its_name() {
    for (text, parameter, rule) in [
        ("limt=5", "limt", "unknown_parameter"),
        ("limit=5&limit=6", "limit", "duplicate"),
        ("limit=x", "limit", "malformed"),
        ("limit=-1", "limit", "malformed"),
        ("limit=", "limit", "required"),
        ("limt=", "limt", "unknown_parameter"),
    ] {
        let (status, found, found_rule, _) = wrong_query(text).await;
        assert_eq!((status, &*found, &*found_rule), (400, parameter, rule), "{text}");
    }
}

#[test]
fn a4_a_cursor_is_good_for_its_list_alone() {
    let key = CursorKey::new(&DataKey::random(&SystemEntropy).unwrap());
    let cursor = page::cursor(&key, "clients/sandbox", &42_u64).unwrap();
    assert_eq!(page::place::<u64>(&key, "clients/sandbox", &cursor).unwrap(), 42);
    assert!(page::place::<u64>(&key, "clients/production", &cursor).is_err());
    assert!(page::place::<u64>(&key, "clients/sandbox", "42").is_err());
    assert!(page::place::<String>(&key, "clients/sandbox", &cursor).is_err());
}

#[test]
fn a_page_has_1_to_500_items() {
    assert_eq!(page::limit(None).unwrap(), 50);
    assert_eq!(page::limit(Some(500)).unwrap(), 500);
    assert!(page::limit(Some(0)).is_err() && page::limit(Some(501)).is_err());
}
