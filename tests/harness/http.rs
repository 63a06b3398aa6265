//! Requests as a REST client sends them, and answers as it sees them.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use crate::Service;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body, if it is JSON; else null.
    pub body: Value,
}

impl Answer {
    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Expects a status, and shows the answer if it is another one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Expects a problem of RFC 9457 with this status and slug.
    #[track_caller]
    pub fn expect_problem(self, status: u16, slug: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text);
        assert_eq!(answer.body["type"], format!("urn:muniment:problem:{slug}"), "{}", answer.text);
        assert_eq!(answer.body["status"], status, "{}", answer.text);
        assert!(answer.body["request_id"].is_string(), "{}", answer.text);
        answer
    }

    /// A text member of the body.
    #[track_caller]
    pub fn text_of(&self, pointer: &str) -> &str {
        let value = self.body.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no text at {pointer} in {}", self.text))
    }

    /// The pointers and rules of a 422.
    pub fn broken_rules(&self) -> Vec<(String, String)> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| (text(&error["pointer"]), text(&error["rule"]))).collect()
    }
}

impl Service {
    /// A request with the first administrator's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(&self.token, method, path)
    }

    /// A request with some token.
    pub fn request_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(token)
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// PATCH of a JSON body at a revision.
    pub async fn patch(&self, path: &str, if_match: &str, body: &Value) -> Answer {
        answer(self.request(Method::PATCH, path).header("if-match", if_match).json(body)).await
    }

    /// DELETE without a body.
    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    /// A new client in the sandbox; answers its id, and the answer.
    pub async fn create_client(&self, client_name: &str) -> (String, Answer) {
        let created = self.post(CLIENTS, &client_body(client_name)).await.expect(201);
        (created.text_of("/client_id").to_owned(), created)
    }

    /// A new member with these roles, and a token of its own with all it may.
    pub async fn create_member(&self, name: &str, roles: &[&str]) -> (String, String) {
        let email = format!("{}@members.example", name.to_lowercase().replace(' ', "."));
        let body = json!({ "name": name, "email": email, "roles": roles });
        let member = self.post("/api/v1/members", &body).await.expect(201);
        let id = member.text_of("/member_id").to_owned();
        let body = json!({ "label": "test", "expires_in_seconds": 3_600 });
        let token = self.post(&format!("/api/v1/members/{id}/tokens"), &body).await.expect(201);
        (id, token.text_of("/token").to_owned())
    }
}

/// Where the sandbox's clients are.
pub const CLIENTS: &str = "/api/v1/environments/sandbox/clients";

/// Asks until it is answered with more than that it cannot be now, for ten seconds at most.
pub async fn at_last(ask: impl AsyncFn() -> Answer) -> Answer {
    let mut found = ask().await;
    for _ in 0..200 {
        if found.status != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        found = ask().await;
    }
    found
}

/// Sends a request and reads the answer to its end.
pub async fn answer(request: RequestBuilder) -> Answer {
    try_answer(request).await.expect("the service answers")
}

/// The same for a service that may be killed meanwhile.
///
/// # Errors
/// If no whole answer came.
pub async fn try_answer(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, headers, text, body })
}

/// A body that creates a client.
pub fn client_body(client_name: &str) -> Value {
    json!({
        "client_name": client_name,
        "client_type": "standard",
        "redirect_uris": ["https://app.example.com/callback"],
        "scope": "matters:read matters:write",
        "contacts": [{ "name": "Ops", "email": "ops@example.com" }],
        "terms_accepted": "2026-01",
        "reason": "first integration",
    })
}
