//! Every route of the API's description for every role: what `x-permission` says is what happens, and what `x-audit` says
//! is recorded of it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Service, http::answer};

/// Where a member may do something who may do it in one environment alone.
const HERE: &str = "production";
const ELSEWHERE: &str = "sandbox";
/// An id that is nothing's.
const NOTHING: &str = "0193e0a5-6f4e-7c3a-9d5e-1f2a3b4c5d6e";
/// So many refusals of one member a minute are recorded one by one.
const MOST_RECORDED: usize = 60;

/// One operation of the description.
struct Operation {
    method: Method,
    path: String,
    name: String,
    /// What it is called in the record of a refusal.
    command: String,
    access: String,
    permission: String,
    other_permission: String,
    audit: String,
}

/// Who asks, and what they may do.
struct Role {
    name: &'static str,
    /// Of a new member.
    roles: Value,
    permissions: BTreeSet<String>,
    /// Whether that is so in [`HERE`] alone.
    limited: bool,
}

/// One request of a member who may do what it asks, or may not.
struct Request<'a> {
    operation: &'a Operation,
    /// The environment that the path or the query names.
    environment: Option<&'static str>,
    /// Whether it is about the member itself.
    own: bool,
}

#[tokio::test]
async fn l1_every_route_answers_every_role_as_its_description_says_and_records_refusals() {
    let service = Service::start().await;
    let operations = operations(&service).await;
    assert!(operations.len() > 70, "{}", operations.len());
    let requests: Vec<_> = operations.iter().flat_map(requests_for).collect();
    let (mut allowed, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for role in roles(&service).await {
        for (part, requests) in requests.chunks(MOST_RECORDED).enumerate() {
            let member = enrol(&service, &role, part).await;
            let mut expected = Vec::new();
            for request in requests {
                let is_allowed = role.may(request);
                ask(&service, &role, &member, request, is_allowed).await;
                let name = request.operation.name.as_str();
                if is_allowed {
                    allowed.insert(name);
                } else {
                    refused.insert(name);
                    expected
                        .push((request.operation.command.clone(), request.environment.map(str::to_owned)));
                }
            }
            expected.sort();
            assert_eq!(recorded(&service, &member.0).await, expected, "{}", role.name);
        }
    }
    let named = |wanted: fn(&Operation) -> bool| -> BTreeSet<_> {
        operations.iter().filter(|operation| wanted(operation)).map(|one| one.name.as_str()).collect()
    };
    assert_eq!(refused, named(|operation| !operation.permission.is_empty()), "each was refused to somebody");
    assert_eq!(allowed, named(|_| true), "each was allowed to somebody");
    service.finish().await;
}

impl Role {
    /// Whether the description lets it.
    fn may(&self, request: &Request<'_>) -> bool {
        let Operation { access, permission, other_permission, .. } = request.operation;
        let by_permission = [
            "permission",
            "permission_where_asked",
            "permission_where_found",
            "permission_where_it_acts",
            "either_permission",
            "oneself_or_permission",
        ];
        if access == "signed_in" || access == "oneself_or_permission" && request.own {
            return true;
        }
        assert!(by_permission.contains(&access.as_str()), "an access that this test does not know: {access}");
        let held = |permission: &String| self.permissions.contains(permission);
        (held(permission) || held(other_permission)) && (!self.limited || request.environment == Some(HERE))
    }
}

/// Everything that takes a member's token, as the service itself describes it.
async fn operations(service: &Service) -> Vec<Operation> {
    let document = answer(service.request(Method::GET, "/openapi.json")).await.expect(200).body;
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, described) in methods.as_object().expect("methods") {
            let text = |member: &str| described[member].as_str().unwrap_or_default().to_owned();
            let operation = Operation {
                method: method.to_uppercase().parse().expect("a method"),
                path: path.clone(),
                name: text("operationId"),
                command: text("x-command"),
                access: text("x-access"),
                permission: text("x-permission"),
                other_permission: text("x-other-permission"),
                audit: text("x-audit"),
            };
            if !["anyone", "client"].contains(&operation.access.as_str()) {
                operations.push(operation);
            }
        }
    }
    operations
}

/// The built-in roles, none at all, and one that is limited to an environment.
async fn roles(service: &Service) -> Vec<Role> {
    let listed = service.get("/api/v1/roles").await.expect(200);
    let permissions = |name: &str| -> BTreeSet<String> {
        let roles = listed.body["items"].as_array().expect("roles");
        let role = roles.iter().find(|role| role["name"] == name).expect(name);
        let names = role["permissions"].as_array().expect("permissions");
        names.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let built_in = ["administrator", "integration_manager", "auditor"].map(|name| Role {
        name,
        roles: json!([name]),
        permissions: permissions(name),
        limited: false,
    });
    let none = Role { name: "no role", roles: json!([]), permissions: BTreeSet::new(), limited: false };
    let limited = Role {
        name: "administrator elsewhere",
        roles: json!([{ "role": "administrator", "environments": [HERE] }]),
        permissions: permissions("administrator"),
        limited: true,
    };
    built_in.into_iter().chain([none, limited]).collect()
}

/// A new member in this role, with a token that can do all that it can; its id and the token.
async fn enrol(service: &Service, role: &Role, part: usize) -> (String, String) {
    let address = format!("{}.{part}@members.example", role.name.replace(' ', "."));
    let mut body = json!({ "name": role.name, "email": address, "roles": role.roles });
    // A member begins with a role: one that is deleted gives nothing.
    let passing = format!("passing_{part}");
    let has_none = role.permissions.is_empty();
    if has_none {
        let role = json!({ "name": passing, "description": "Soon deleted", "permissions": ["clients:read"] });
        service.post("/api/v1/roles", &role).await.expect(201);
        body["roles"] = json!([passing]);
    }
    let member = service.post("/api/v1/members", &body).await.expect(201);
    let id = member.text_of("/member_id").to_owned();
    let body = json!({ "label": "all", "expires_in_seconds": 3_600 });
    let token = service.post(&format!("/api/v1/members/{id}/tokens"), &body).await.expect(201);
    if has_none {
        service.delete(&format!("/api/v1/roles/{passing}")).await.expect(204);
    }
    (id, token.text_of("/token").to_owned())
}

/// The ways to ask for it: in each environment, about oneself and about another one.
fn requests_for(operation: &Operation) -> Vec<Request<'_>> {
    let request = |environment, own| Request { operation, environment, own };
    if operation.path.contains("{environment}") {
        return vec![request(Some(HERE), false), request(Some(ELSEWHERE), false)];
    }
    match operation.access.as_str() {
        "permission_where_asked" => {
            vec![request(None, false), request(Some(HERE), false), request(Some(ELSEWHERE), false)]
        }
        // The event that the example names is one of this environment, and a token without a limit acts in it.
        "permission_where_found" | "permission_where_it_acts" => vec![request(Some(HERE), false)],
        "oneself_or_permission" => vec![request(None, false), request(None, true)],
        _ => vec![request(None, false)],
    }
}

/// Asks, and holds the answer against what the description says.
async fn ask(
    service: &Service,
    role: &Role,
    (id, token): &(String, String),
    request: &Request<'_>,
    is_allowed: bool,
) {
    let Request { operation, environment, own } = request;
    let mut path =
        example(&operation.path, environment.unwrap_or(ELSEWHERE), if *own { id } else { NOTHING });
    if let Some(environment) = environment.filter(|_| operation.access == "permission_where_asked") {
        path = format!("{path}?environment={environment}");
    }
    let mut asked = service.request_as(token, operation.method.clone(), &path);
    if operation.method != Method::GET {
        asked = asked.header("if-match", "*").json(&body_of(&operation.name));
    }
    let what = format!("{} {path} as {}", operation.method, role.name);
    // An answer that goes on for ever is one, too: only a refusal is read to its end.
    let response = asked.send().await.expect(&what);
    let status = response.status().as_u16();
    if is_allowed {
        assert!(status < 500 && ![401, 403].contains(&status), "{what}: {status}");
        return;
    }
    assert_eq!(status, 403, "{what}");
    let body: Value = response.json().await.expect(&what);
    if path.starts_with("/api/v2/") {
        assert_eq!(body["code"], "forbidden", "{what}");
        let message = body["message"].as_str().expect(&what);
        assert!(message.contains(&operation.permission), "{what}: {message}");
    } else {
        assert_eq!(body["type"], "urn:muniment:problem:permission_denied", "{what}");
        assert_eq!(body["permission"], operation.permission, "{what}");
    }
    assert!(["refusals", "reads", "everything"].contains(&operation.audit.as_str()), "{what}");
}

/// What a member was refused for lack of a permission, and in which environment, as the log has it.
async fn recorded(service: &Service, member: &str) -> Vec<(String, Option<String>)> {
    let path = format!("/api/v1/audit/events?actor={member}&type=command.refused&limit=500");
    let events: Answer = service.get(&path).await.expect(200);
    let items = events.body["items"].as_array().expect("items");
    let denied = items.iter().map(|item| &item["entry"]);
    let denied = denied.filter(|entry| entry["data"]["problem"] == "permission_denied");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut recorded: Vec<_> = denied
        .map(|entry| (text(&entry["data"]["command"]).expect("a name"), text(&entry["environment"])))
        .collect();
    recorded.sort();
    recorded
}

/// The path with something in the place of each parameter.
fn example(path: &str, environment: &str, member: &str) -> String {
    let example = path
        .replace("{environment}", environment)
        .replace("{member_id}", member)
        .replace("{client_id}", NOTHING)
        .replace("{person_id}", NOTHING)
        .replace("{legal_hold_id}", NOTHING)
        .replace("{verification_id}", NOTHING)
        .replace("{position}", "1")
        .replace("{secret_id}", "x")
        .replace("{key_id}", "x")
        .replace("{token_id}", "x")
        .replace("{passkey_id}", "x")
        .replace("{name}", "standard")
        .replace("{scheme}", "com.example.app")
        .replace("{role}", "on_call");
    assert!(!example.contains('{'), "a parameter that this test does not know: {path}");
    example
}

/// A body that the command can read, so that whether it may be is for the use case to say.
fn body_of(operation: &str) -> Value {
    match operation {
        "AddRedirectUri" | "RemoveRedirectUri" | "CheckRedirectUri" => {
            json!({ "redirect_uri": "https://app.example.com/cb" })
        }
        "ChangeResponsible" => json!({ "member_id": NOTHING }),
        "HandOver" => json!({ "to": NOTHING }),
        "PlaceLegalHold" => json!({ "subject": { "everything": true } }),
        "ChangeRoles" => json!({ "roles": ["auditor"] }),
        "ChangePolicy" => json!({ "policy": {} }),
        "ChangePermissions" => json!({ "permissions": ["audit:read"] }),
        "RotateSigningKey" => json!({ "algorithm": "ES256" }),
        _ => json!({}),
    }
}
