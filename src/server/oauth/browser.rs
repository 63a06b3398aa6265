//! What a browser holds: the session of a member, and, before there is one, a value by which its forms are told from those
//! of others.

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::{StatusCode, header},
};
use app::{Actor, Context, MalformedRequest, Session};
use crypto::{Entropy, ExposeSecret, SecretString, SystemEntropy};
use domain::{EnvironmentName, MemberId};

use super::refusal::Asking;
use crate::{
    extract::{member_context, path},
    middleware::request_id::RequestId,
    pages::{ErrorPage, Person, Place},
    problem::{Kind, Problem},
    service::Service,
};

/// The session's cookie; with TLS the browser holds it to this host and to TLS by its name (RFC 6265bis section 4.1.3).
const SESSION: &str = "muniment";
/// The cookie of a browser whose member has not signed in.
const BROWSER: &str = "muniment-browser";

/// What a cookie is called here.
fn name(service: &Service, name: &str) -> String {
    if service.only_tls { format!("__Host-{name}") } else { name.to_owned() }
}

fn cookie<'c>(service: &Service, of: &str, value: String) -> Cookie<'c> {
    Cookie::build(name(service, of), value)
        .path("/")
        .http_only(true)
        .secure(service.only_tls)
        // A member comes from the client's site, by a link: Strict would ask for the password each time.
        .same_site(SameSite::Lax)
        .finish()
}

/// The session that the browser presents, if it works now.
pub(super) async fn session(service: &Service, http: &HttpRequest) -> Result<Option<Session>, Problem> {
    match http.cookie(&name(service, SESSION)) {
        Some(cookie) => Ok(service.app.session(cookie.value()).await?),
        None => Ok(None),
    }
}

/// Hands a new session to the browser.
pub(super) fn keep_session(service: &Service, response: &mut HttpResponse, session: &SecretString) {
    let kept = cookie(service, SESSION, session.expose_secret().to_owned());
    set(response, &kept);
}

/// Takes the session from the browser.
pub(super) fn drop_session(service: &Service, response: &mut HttpResponse) {
    let mut dropped = cookie(service, SESSION, String::new());
    dropped.set_max_age(Duration::ZERO);
    set(response, &dropped);
}

fn set(response: &mut HttpResponse, cookie: &Cookie<'_>) {
    if let Ok(value) = header::HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// By which the forms of a browser are known before its member has signed in.
pub(super) struct Browser {
    pub(super) id: String,
    new: Option<Cookie<'static>>,
}

impl Browser {
    /// The browser that asks; it gets a value if it has none.
    pub(super) fn of(service: &Service, http: &HttpRequest) -> Result<Self, Problem> {
        if let Some(cookie) = http.cookie(&name(service, BROWSER)) {
            return Ok(Self { id: cookie.value().to_owned(), new: None });
        }
        let random = <dyn Entropy>::array::<16>(&SystemEntropy)
            .map_err(|error| Problem::new(Kind::Unavailable).because(error))?;
        let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { new: Some(cookie(service, BROWSER, id.clone())), id })
    }

    /// The same, if it has one.
    pub(super) fn known(service: &Service, http: &HttpRequest) -> Option<Self> {
        let cookie = http.cookie(&name(service, BROWSER))?;
        Some(Self { id: cookie.value().to_owned(), new: None })
    }

    /// Hands the value over, if it is new.
    pub(super) fn keep(self, mut response: HttpResponse) -> HttpResponse {
        if let Some(cookie) = self.new {
            set(&mut response, &cookie);
        }
        response
    }
}

/// The context of what a member does with a session.
pub(super) fn context(
    service: &Service,
    http: &HttpRequest,
    session: &Session,
    operation: &'static str,
) -> Result<Context, Problem> {
    let context = member_context(service, http, &Actor::Member(session.principal.clone()))?;
    Ok(Context { operation, ..context })
}

/// Sends the browser on; what follows is always a GET, and nothing of this request goes along (RFC 9700 section 4.12).
pub(super) fn see_other(location: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::SEE_OTHER).insert_header((header::LOCATION, location)).finish()
}

/// The host that the service is reached by, as a page shows it.
pub(super) fn host(service: &Service) -> &str {
    let url = service.public_url();
    url.split_once("://").map_or(url, |(_, rest)| rest.split('/').next().unwrap_or(rest))
}

/// Where a page stands.
pub(super) fn place<'p>(service: &'p Service, environment: &'p EnvironmentName) -> Place<'p> {
    Place { host: host(service), environment }
}

/// Who a member is, as a page shows it to that member.
pub(super) struct Shown {
    name: String,
    email: String,
}

impl Shown {
    pub(super) async fn of(service: &Service, member_id: MemberId) -> Result<Self, Problem> {
        let introduced = service.app.introduce_member(member_id).await?;
        let text = |text: &crypto::Personal<String>| text.expose().clone();
        Ok(match introduced {
            Some(introduced) => Self { name: text(&introduced.name), email: text(&introduced.email) },
            None => Self { name: member_id.to_string(), email: String::new() },
        })
    }

    pub(super) fn person(&self) -> Person<'_> {
        Person { name: &self.name, email: &self.email }
    }
}

/// The environment of the path, if there is such an environment; else a page that says that there is none.
pub(super) async fn environment(
    service: &Service,
    http: &HttpRequest,
) -> Result<Result<EnvironmentName, HttpResponse>, Problem> {
    if let Ok(environment) = path::environment(http)
        && service.app.environment(environment.as_str()).await.is_ok()
    {
        return Ok(Ok(environment));
    }
    Ok(Err(no_such_environment(http)))
}

/// There is no such environment.
pub(super) fn no_such_environment(http: &HttpRequest) -> HttpResponse {
    ErrorPage {
        place: None,
        status: StatusCode::NOT_FOUND,
        title: "There is no such environment",
        words: "Nothing is asked for at this address.",
        advice: "Take the addresses from the metadata of the environment.",
        redirect: None,
        request_id: &RequestId::of(http).0,
    }
    .respond()
}

/// The form was made for another browser or session, or is too old; that is recorded first.
pub(super) async fn forged(asking: Asking<'_>) -> Result<HttpResponse, Problem> {
    asking.malformed(None, MalformedRequest::ForgedForm).await?;
    let page = ErrorPage {
        place: Some(place(asking.service, asking.environment)),
        status: StatusCode::FORBIDDEN,
        title: "This page was open for too long, or in another browser",
        words: "Nothing was allowed, and nothing was changed. Go back to the application, and begin again.",
        advice: "The form came without the proof that this session's forms carry.",
        redirect: None,
        request_id: &RequestId::of(asking.http).0,
    };
    Ok(page.respond())
}
