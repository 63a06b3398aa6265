//! The table against the router and against the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::StatusCode;
use reqwest::Method;
use serde_json::Value;

use super::{ASKED_OFTEN, Access, Audit, Methods, Route, all, is_anyones, is_of};
use crate::{compatibility, openapi::Operation, openapi_document, pages, testing};

fn document() -> Value {
    serde_json::to_value(openapi_document()).unwrap()
}

fn described<'a>(document: &'a Value, route: &Route) -> &'a Value {
    &document["paths"][route.path][route.method.as_str().to_lowercase()]
}

/// The path with something in the place of each parameter.
fn example(path: &str) -> String {
    let id = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e";
    path.replace("{environment}", "sandbox")
        .replace("{position}", "1")
        .replace("{asset}", pages::assets::example())
        .replace("{client_id}", id)
        .replace("{member_id}", id)
        .replace("{person_id}", id)
        .replace("{legal_hold_id}", id)
        .replace("{verification_id}", id)
        .replace("{secret_id}", "x")
        .replace("{key_id}", "x")
        .replace("{token_id}", "x")
        .replace("{name}", "standard")
        .replace("{scheme}", "com.example.app")
        .replace("{role}", "on_call")
}

/// All but those of the protocol, which are described elsewhere and each have rules of their own.
fn documented() -> impl Iterator<Item = &'static Route> {
    all().iter().filter(|route| route.access != Access::Protocol)
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = document();
    let in_document: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    let in_table: BTreeSet<_> =
        documented().map(|route| (route.path.to_owned(), route.method.to_string())).collect();
    assert_eq!(in_document, in_table);
    assert_eq!(in_table.len(), documented().count(), "no route stands twice");
    let operations: BTreeSet<_> = all().iter().map(|route| route.operation).collect();
    assert_eq!(operations.len(), all().len(), "no operation stands twice");
    let paths: BTreeSet<_> = Methods::each().map(Methods::path).collect();
    assert_eq!(paths.len(), Methods::each().count(), "methods of one path stand together");
}

#[test]
fn l1_every_description_states_permission_audit_answers_and_parameters() {
    let document = document();
    for route in documented() {
        let operation = described(&document, route);
        let name = route.operation;
        assert!(operation["summary"].is_string(), "{name}");
        assert_eq!(operation["operationId"], name);
        assert_eq!(operation["x-audit"], route.audit.as_str(), "{name}");
        let permission = match route.access {
            Access::Anyone | Access::Client | Access::Protocol | Access::SignedIn => None,
            Access::Needs(permission)
            | Access::NeedsWhereItActs(permission)
            | Access::NeedsWhereAsked(permission)
            | Access::NeedsWhereFound(permission)
            | Access::NeedsEither(permission, _)
            | Access::OneselfOr(permission) => Some(permission.as_str()),
        };
        assert_eq!(operation["x-permission"].as_str(), permission, "{name}");
        assert_eq!(operation.get("security").is_some(), route.access != Access::Anyone, "{name}");
        let statuses = operation["responses"].as_object().unwrap();
        let succeeds = |status: &String| status.parse().is_ok_and(|status: StatusCode| status.is_success());
        assert!(statuses.keys().any(succeeds), "{name}");
        assert_eq!(statuses.contains_key("401"), route.access != Access::Anyone, "{name}");
        assert_eq!(statuses.contains_key("403"), permission.is_some(), "{name}");
        let parameters: Vec<_> = operation["parameters"].as_array().cloned().unwrap_or_default();
        let names = |place: &str| -> BTreeSet<String> {
            let of_place = parameters.iter().filter(|parameter| parameter["in"] == place);
            of_place.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
        };
        if route.access == Access::Anyone {
            assert!(is_anyones(&route.method, &example(route.path)), "{name}");
        }
        let in_path =
            route.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
        assert_eq!(names("path"), in_path.map(str::to_owned).collect(), "{name}");
        // Each look at a secret is one of its own.
        let repeatable = route.audit == Audit::Everything
            && route.access != Access::Anyone
            && route.operation != "RevealSigningSecret";
        assert_eq!(names("header").contains("Idempotency-Key"), repeatable, "{name}");
        assert_eq!(names("header").contains("If-Match"), statuses.contains_key("428"), "{name}");
    }
}

#[test]
fn what_is_looked_for_first_takes_no_path_from_another() {
    for often in ASKED_OFTEN {
        let asked: BTreeSet<_> =
            all().iter().map(|route| route.path).filter(|path| is_of(often, &example(path))).collect();
        assert_eq!(asked, BTreeSet::from([often]));
    }
}

#[test]
fn no_two_schemas_share_a_name() {
    let mut seen = BTreeMap::new();
    for route in documented() {
        for (name, schema) in (route.document)(Operation::of(route)).into_parts().1 {
            let schema = serde_json::to_value(schema).unwrap();
            assert_eq!(seen.entry(name.clone()).or_insert_with(|| schema.clone()), &schema, "{name}");
        }
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a2_no_route_of_the_api_answers_without_a_token() {
    testing::serve(async |served| {
        for route in documented() {
            let method: Method = route.method.as_str().parse().unwrap();
            let answer = testing::answer(served.anonymous(method, &example(route.path))).await;
            if route.operation == "ReportLeakedSecrets" {
                answer.expect_problem(415, "unsupported_media_type");
            } else if route.access == Access::Anyone {
                answer.expect(200);
            } else if route.access == Access::Client {
                let refused = answer.expect(401);
                assert_eq!(refused.body["error"], "invalid_client");
                assert_eq!(refused.header("www-authenticate"), "Basic realm=\"sandbox\", charset=\"UTF-8\"");
            } else if compatibility::is_spoken_at(route.path) {
                let refused = answer.expect(401);
                assert_eq!(refused.body["code"], "unauthorized");
                assert_eq!(refused.header("content-type"), "application/json");
            } else {
                let refused = answer.expect_problem(401, "unauthenticated");
                assert_eq!(refused.header("www-authenticate"), "Bearer");
            }
        }
    })
    .await;
}
