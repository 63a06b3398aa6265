//! A member with a browser, and an application that asks for tokens, as plain HTTP: no page needs JavaScript.

use std::{cell::RefCell, collections::BTreeMap};

use reqwest::{Method, RequestBuilder, redirect::Policy};
use serde_json::{Value, json};

use crate::{
    Service,
    http::{Answer, answer},
};

/// The verifier of RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// Its challenge.
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Where codes go.
pub const CALLBACK: &str = "https://app.example.com/callback";
/// What members sign in with.
pub const PASSWORD: &str = "quiet lantern over nine rivers";

/// A client in the sandbox, with what it proves itself by.
#[derive(Clone, Debug)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its secret; empty for a public client.
    pub secret: String,
}

/// A browser, which belongs to one member.
pub struct Visitor<'s> {
    service: &'s Service,
    http: reqwest::Client,
    cookies: RefCell<BTreeMap<String, String>>,
    /// The member's address.
    pub email: String,
}

/// Parameters, in order.
pub type Parameters<'p> = Vec<(&'p str, String)>;

impl Service {
    /// A client that can do everything that the protocol has.
    pub async fn application(&self, name: &str) -> Application {
        self.application_with(name, json!({})).await
    }

    /// The same with other metadata.
    pub async fn application_with(&self, name: &str, metadata: Value) -> Application {
        let mut body = json!({
            "client_name": name,
            "client_type": "standard",
            "redirect_uris": [CALLBACK],
            "scope": "openid profile email offline_access matters:read matters:write",
            "contacts": [{ "name": "Castellan", "email": "platform@castellan.example" }],
            "terms_accepted": "2026-01",
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        });
        for (field, value) in metadata.as_object().expect("metadata") {
            body[field] = value.clone();
        }
        let created = self.post(crate::http::CLIENTS, &body).await.expect(201);
        Application {
            id: created.text_of("/client_id").to_owned(),
            secret: created.body["client_secret"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// A member who can sign in, at a browser that nobody has used.
    pub async fn visitor(&self, name: &str) -> Visitor<'_> {
        let email = format!("{}@members.example", name.to_lowercase().replace(' ', "."));
        let body = json!({ "name": name, "email": email, "roles": ["auditor"] });
        let member = self.post("/api/v1/members", &body).await.expect(201);
        let password = format!("/api/v1/members/{}/password", member.text_of("/member_id"));
        answer(self.request(Method::PUT, &password).json(&json!({ "password": PASSWORD }))).await.expect(200);
        Visitor::new(self, email)
    }

    /// A request to the token endpoint with the secret in a header.
    pub async fn token(&self, application: &Application, form: &[(&str, &str)]) -> Answer {
        self.protocol(application, "token", form).await
    }

    /// A request to an endpoint of the protocol with the secret in a header.
    pub async fn protocol(&self, application: &Application, endpoint: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.form(endpoint, form).basic_auth(&application.id, Some(&application.secret));
        answer(request).await
    }

    /// A form for an endpoint of the sandbox, without any credentials.
    pub fn form(&self, endpoint: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let body = encoded(form.iter().map(|(name, value)| (*name, *value)));
        self.http
            .request(Method::POST, format!("{}/sandbox/{endpoint}", self.base))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
    }

    /// What the introspection endpoint says of a token to the application itself.
    pub async fn introspected(&self, application: &Application, token: &str) -> Value {
        self.protocol(application, "introspect", &[("token", token)]).await.expect(200).body
    }

    /// The tokens of a code.
    pub async fn redeem(&self, application: &Application, code: &str) -> Answer {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(application, &form).await
    }

    /// What the activity log has of a client, oldest first: kind and reason, or `done`.
    pub async fn deeds(&self, application: &Application) -> Vec<(String, String)> {
        let path = format!("/api/v1/activity?client={}&order=asc&limit=500", application.id);
        let found = self.get(&path).await.expect(200);
        let items = found.body["items"].as_array().cloned().unwrap_or_default();
        let text = |item: &Value, name: &str| item[name].as_str().map(str::to_owned);
        let deed = |item: &Value| {
            (
                text(item, "kind").unwrap_or_default(),
                text(item, "reason").unwrap_or_else(|| "done".to_owned()),
            )
        };
        items.iter().map(deed).collect()
    }

    /// The types of the events about a client, oldest first.
    pub async fn history_of(&self, application: &Application) -> Vec<String> {
        let path = format!("/api/v1/audit/events?client={}&order=asc&limit=500", application.id);
        let found = self.get(&path).await.expect(200);
        let items = found.body["items"].as_array().cloned().unwrap_or_default();
        let type_of = |item: &Value| item["entry"]["type"].as_str().unwrap_or_default().to_owned();
        items.iter().map(type_of).collect()
    }
}

impl Application {
    /// What it asks a member for.
    #[must_use]
    pub fn request(&self) -> Parameters<'static> {
        vec![
            ("client_id", self.id.clone()),
            ("redirect_uri", CALLBACK.to_owned()),
            ("response_type", "code".to_owned()),
            ("scope", "openid profile email offline_access matters:read".to_owned()),
            ("state", "s-1".to_owned()),
            ("nonce", "n-1".to_owned()),
            ("code_challenge", CHALLENGE.to_owned()),
            ("code_challenge_method", "S256".to_owned()),
        ]
    }

    /// The same with some parameters changed; one that is changed to nothing is left out.
    #[must_use]
    pub fn request_with(&self, changes: &[(&'static str, &str)]) -> Parameters<'static> {
        let mut request = self.request();
        for (name, value) in changes {
            request.retain(|(other, _)| other != name);
            if !value.is_empty() {
                request.push((name, (*value).to_owned()));
            }
        }
        request
    }
}

impl<'s> Visitor<'s> {
    /// A browser that nobody has used, for somebody with this address.
    ///
    /// # Panics
    /// If there is no HTTP client.
    #[must_use]
    pub fn new(service: &'s Service, email: String) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build();
        let http = http.expect("an HTTP client");
        Self { service, http, cookies: RefCell::default(), email }
    }

    /// The same member at another browser.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        Self::new(self.service, self.email.clone())
    }

    /// Its cookies.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        self.cookies.borrow().clone()
    }

    /// Has these cookies in place of its own.
    pub fn hold(&self, cookies: BTreeMap<String, String>) {
        self.cookies.replace(cookies);
    }

    /// Follows a link within the sandbox, or anywhere.
    pub async fn get(&self, link: &str) -> Answer {
        self.sent(self.http.get(self.absolute(link))).await
    }

    /// Sends a form.
    pub async fn post(&self, link: &str, form: &[(&str, &str)]) -> Answer {
        let body = encoded(form.iter().map(|(name, value)| (*name, *value)));
        let request = self.http.post(self.absolute(link)).body(body);
        self.sent(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    /// Asks with an access token in the header.
    pub async fn bearer(&self, link: &str, token: &str) -> Answer {
        self.sent(self.http.get(self.absolute(link)).bearer_auth(token)).await
    }

    /// Is sent to the authorization endpoint.
    pub async fn authorize(&self, parameters: &Parameters<'_>) -> Answer {
        let query = encoded(parameters.iter().map(|(name, value)| (*name, value.as_str())));
        self.get(&format!("authorize?{query}")).await
    }

    /// Signs in on the page that is shown, and follows where that leads.
    pub async fn sign_in(&self, page: &Answer) -> Answer {
        let sent = self.try_password(page, PASSWORD).await.expect(303);
        self.get(sent.header("location")).await
    }

    /// Enters a password on the page that is shown.
    pub async fn try_password(&self, page: &Answer, password: &str) -> Answer {
        let mut form = hidden(page);
        form.extend([("email".to_owned(), self.email.clone()), ("password".to_owned(), password.to_owned())]);
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("sign_in", &form).await
    }

    /// Enters a code on the page that is shown.
    pub async fn try_code(&self, page: &Answer, code: &str) -> Answer {
        let mut form = hidden(page);
        form.push(("code".to_owned(), code.to_owned()));
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("sign_in", &form).await
    }

    /// Answers the question that is shown.
    pub async fn decide(&self, page: &Answer, decision: &str, remember: bool) -> Answer {
        let mut form = hidden(page);
        form.push(("decision".to_owned(), decision.to_owned()));
        if remember {
            form.push(("remember".to_owned(), "yes".to_owned()));
        }
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("consent", &form).await
    }

    /// Goes all the way to a code: signs in if that is asked for, and allows.
    pub async fn allow(&self, parameters: &Parameters<'_>) -> String {
        let mut page = self.authorize(parameters).await;
        if page.status == 200 && page.text.contains("name=\"password\"") {
            page = self.sign_in(&page).await;
        }
        if page.status == 200 {
            page = self.decide(&page, "allow", false).await;
        }
        let sent = page.expect(303);
        sent_back(&sent).remove("code").unwrap_or_else(|| panic!("no code in {}", sent.header("location")))
    }

    fn absolute(&self, link: &str) -> String {
        if link.contains("://") { link.to_owned() } else { format!("{}/sandbox/{link}", self.service.base) }
    }

    async fn sent(&self, request: RequestBuilder) -> Answer {
        let held: Vec<_> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if held.is_empty() { request } else { request.header("cookie", held.join("; ")) };
        let found = answer(request).await;
        for set in found.headers.get_all("set-cookie") {
            let text = set.to_str().unwrap_or_default();
            let pair = text.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        found
    }
}

/// What a page carries on: its hidden fields.
#[must_use]
pub fn hidden(page: &Answer) -> Vec<(String, String)> {
    let fields = page.text.split("<input type=\"hidden\" name=\"").skip(1);
    fields
        .filter_map(|field| {
            let (name, rest) = field.split_once('"')?;
            let value = rest.split_once("value=\"")?.1.split_once('"')?.0;
            Some((unescaped(name), unescaped(value)))
        })
        .collect()
}

fn unescaped(text: &str) -> String {
    ["&#38;", "&#34;", "&#39;", "&#60;", "&#62;", "&quot;", "&lt;", "&gt;", "&amp;"]
        .into_iter()
        .zip(["&", "\"", "'", "<", ">", "\"", "<", ">", "&"])
        .fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}

/// The parameters with which a member is sent back to the application.
///
/// # Panics
/// If the member is sent elsewhere.
#[must_use]
pub fn sent_back(answer: &Answer) -> BTreeMap<String, String> {
    let location = answer.header("location");
    let query = location.strip_prefix(&format!("{CALLBACK}?"));
    decoded(query.unwrap_or_else(|| panic!("sent to `{location}`: {}", answer.text)))
}

/// Form-urlencoded parameters, read.
#[must_use]
pub fn decoded(query: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// The same, written.
#[must_use]
pub fn encoded<'p>(parameters: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}
